//! The mesh under a virtual network, clock and disk.
//!
//! A discrete-event simulator: a [`scenario`] says who is there, how they [move](movement) and what they
//! [write](traffic); a [router](routers) decides what nodes hand each other over [links](link); [checkers] judge what
//! can be observed from outside; a [report] tells the figures. A run is one thread, knows no clock and draws
//! everything from its seed, a stream for each concern: under one seed every router meets the same contacts and the
//! same messages, and the hash of everything that happened is the same whenever and wherever it is run.
//!
//! ```text
//! scenario + seed -> contacts, messages -> world -> router <-> net (links, queue)
//!                                            |                  |
//!                                            +---- observations +-> book, checkers, trace hash
//! ```

mod bits;
pub mod book;
pub mod checkers;
pub mod command;
pub mod link;
pub mod movement;
pub mod net;
pub mod observation;
pub mod oracle;
pub mod queue;
pub mod random;
pub mod report;
pub mod routers;
pub mod run;
pub mod scenario;
#[cfg(test)]
mod testing;
pub mod time;
pub mod trace_hash;
pub mod traffic;
pub mod watch;
pub mod world;
