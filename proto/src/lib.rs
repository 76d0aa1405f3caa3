//! The wire contract: messages, method table, frames, limits.
