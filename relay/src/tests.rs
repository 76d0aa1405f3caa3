//! The relay as a whole, over storage in memory.

mod access;
mod accounts;
mod log;
mod memory;
mod model;
mod people;
mod queues;
mod world;
