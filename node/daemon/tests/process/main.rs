//! The program `qpqd` as a process: starting, refusing to start, serving, stopping.

mod backup;
mod daemon;
#[cfg(feature = "direct")]
mod direct;
mod directories;
mod serving;
mod starting;
mod supervision;
