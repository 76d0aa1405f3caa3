//! What a node does for others, as one state machine: mailboxes and their queues.
//!
//! ```text
//!             Input                     Outcome
//!  driver ──────────────► Relay::handle ─────────► effects, answers among them
//!                             │   ▲
//!                  Transaction│   │records
//!                             ▼   │
//!                           storage
//! ```
//!
//! [`Relay::handle`] reads and writes inside the transaction it is given and does nothing else. The driver takes several
//! inputs through one batch, calls [`Relay::end_batch`], commits, and only then carries out effects. An answer is an
//! effect too, and may come later than its call: a call that waits for a delivery is answered by the very batch that
//! brings it, and a delivery is proved when the batch ends.
//!
//! There is no clock, socket, task or global randomness in here. What is held in memory can be had again from storage
//! or from whoever is connected, is bounded, and changes only when the transaction is kept.
//!
//! # What must never be
//! - an answer `Ok` for something that is not durable when it is given;
//! - a look at all of a table, or at all of a queue, on a way that is gone often;
//! - a field of a request that says who the caller is: that is the connection's to say;
//! - a name, identity key, mailbox or address in a log line above debug, or in a metric.

mod accounts;
mod admission;
mod audit;
mod blobs;
mod channels;
mod context;
mod delays;
mod devices;
mod due;
mod endpoints;
mod figures;
mod graves;
mod input;
mod keys;
mod log;
mod moderation;
mod proofs;
mod queues;
mod rates;
mod records;
mod recovery;
mod relay;
mod services;
mod sessions;
mod sets;
pub mod storage;
pub mod tables;
mod time;
mod told;
mod totals;

pub use blobs::{BlobHash, BlobJob, BlobResult, JobId, UploadId};
pub use devices::is_public_address;
pub use figures::Figures;
pub use input::{
    CallId, Caller, ConnectionId, EXPORTER_BYTES, Effect, Input, Now, Outcome, Peer, RelayError, Wake,
};
pub use log::SignedTree;
pub use relay::{Config, Registration, Relay};
pub use totals::Totals;

#[cfg(test)]
mod tests;
