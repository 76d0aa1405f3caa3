//! The engine as a whole: several of them over memory, joined by a network that the tests command.

mod crashes;
mod groups;
mod memory;
mod people;
mod requests;
mod restoring;
mod streams;
mod world;
