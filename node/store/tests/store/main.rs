//! The store as the daemon and the engine see it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
mod crash;
mod model;
