//! The store as the daemon and the engine see it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod backup;
mod batches;
mod checkpoints;
mod common;
mod crash;
mod damage;
mod full;
mod journal;
mod journal_copies;
mod journal_damage;
mod journal_opening;
mod killed;
mod model;
mod node;
mod opening;
mod rollback;
mod secrecy;
mod space;
mod version2;
