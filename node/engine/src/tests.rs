//! The engine as a whole: several of them over memory, joined by a network that the tests command.

mod authority;
mod crashes;
mod events;
mod groups;
mod history;
mod hostile;
mod invitations;
mod leaving;
mod memory;
mod people;
mod requests;
mod restoring;
mod streams;
mod world;
