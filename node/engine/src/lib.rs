//! The person's half: contacts, conversations, groups, outbox.

pub mod storage;
