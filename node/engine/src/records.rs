//! What the engine keeps, as protobuf messages. Never sent to anybody.

mod groups;
mod mesh;
mod messages;
mod outbox;
mod people;
mod recovery;
mod relays;
mod topics;

pub(crate) use groups::*;
pub(crate) use mesh::*;
pub(crate) use messages::*;
pub(crate) use outbox::*;
pub(crate) use people::*;
pub(crate) use recovery::*;
pub(crate) use relays::*;
pub(crate) use topics::*;

#[cfg(test)]
mod tests;
