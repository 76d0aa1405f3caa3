//! The relay as a whole, over storage in memory.

mod access;
mod memory;
mod model;
mod queues;
mod world;
