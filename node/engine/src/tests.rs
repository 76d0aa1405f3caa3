//! The engine as a whole: several of them over memory, joined by a network that the tests command.

mod authority;
pub(crate) mod bench;
mod contacts;
mod crashes;
mod deleting;
mod events;
mod groups;
mod history;
mod hostile;
mod invitations;
mod leaving;
mod losses;
mod malformed;
pub(crate) mod memory;
mod messaging;
mod people;
mod requests;
mod restoring;
mod status;
mod streams;
mod world;
