//! The relay as a whole, over storage in memory.

mod access;
mod accounts;
mod administration;
mod administrators;
mod admission;
mod blobs;
mod channels;
mod devices;
mod ended;
mod endpoints;
mod full_queues;
mod hybrid_keys;
mod keys;
mod keys_model;
mod leaving;
mod log;
mod mailboxes;
mod memory;
mod model;
mod moderation;
mod people;
mod queues;
mod recovery;
mod totals;
mod work;
mod world;

pub(crate) use memory::Memory;
