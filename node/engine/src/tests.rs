//! The engine as a whole: several of them over memory, joined by a network that the tests command.

mod crashes;
mod events;
mod groups;
mod history;
mod invitations;
mod memory;
mod people;
mod requests;
mod restoring;
mod streams;
mod world;
