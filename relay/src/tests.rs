//! The relay as a whole, over storage in memory.

mod access;
mod accounts;
mod memory;
mod model;
mod queues;
mod world;
