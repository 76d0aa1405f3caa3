//! The engine as a whole: several of them over memory, joined by a network that the tests command.

mod authority;
pub(crate) mod bench;
mod claims;
mod contacts;
mod contents;
mod crashes;
mod deleting;
mod events;
mod friends;
mod groups;
mod health;
mod history;
mod hostile;
mod introducing;
mod invitations;
mod leaving;
mod losses;
mod malformed;
pub(crate) mod memory;
mod messaging;
mod pairs;
mod people;
mod requests;
mod restoring;
mod status;
mod streams;
mod world;
