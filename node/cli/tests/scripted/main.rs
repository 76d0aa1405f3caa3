//! `qpq` as a program, against a node that says what a test wants: what it asks, what it prints, how it ends.
#![allow(missing_docs, reason = "a test crate")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod backups;
mod chat;
mod commands;
mod contacts;
mod garbage;
mod groups;
mod identity;
mod invitations;
mod marks;
mod messages;
mod node;
mod people;
mod places;
mod recovery;
mod relays;
mod script;
mod status;
mod terminal;
mod topics;
