//! The person's half of a node, as one state machine: contacts, conversations, groups and the outbox.
//!
//! ```text
//!             Input                       Outcome
//!  driver ──────────────► Engine::handle ─────────► answer, effects
//!                             │   ▲
//!                  Transaction│   │records, MLS state
//!                             ▼   │
//!                           storage
//! ```
//!
//! [`Engine::handle`] reads and writes inside the transaction it is given and does nothing else: the driver
//! commits, and only then gives answers and carries out effects. A crash between the two sends again; receivers
//! deduplicate; nothing is lost. There is no clock, socket, task or global randomness in here.
//!
//! # How a message travels
//!
//! A text becomes a [`Content`](qpq_proto::v1::Content) with an id that it keeps on every way. The content is
//! padded and sealed by the conversation's MLS group, the MLS message is sealed under the group's routing secret
//! into a [`Parcel`](qpq_proto::v1::Parcel), and the parcel lies in the outbox, once, with one delivery for each
//! recipient. A delivery goes to the recipient's node with the method `Enqueue`. The recipient recognises the
//! parcel by its tag, opens it, stores the text and answers `DELIVERED` after its commit.
//!
//! What must never be:
//!
//! - an effect that is needed for correctness (effects are lost when the node is killed; what must happen is a
//!   record, and effects are derived from records again at the start);
//! - a group keyed by its epoch number (numbers repeat on rival branches);
//! - an answer `Ok` to a peer for something that was not written.

mod authority;
mod broken;
mod carrying;
mod changes;
mod clock;
mod contacts;
mod content;
mod context;
mod conversations;
mod departed;
mod direct;
mod engine;
mod eras;
mod events;
mod forgetting;
mod gaps;
mod group_cache;
mod groups;
mod identity;
mod inbox;
mod input;
mod introductions;
mod invitations;
mod mesh_view;
mod messages;
mod neighbours;
mod outbox;
mod owner;
mod peers;
mod people;
mod records;
mod recovery;
mod relays;
mod restore;
mod retention;
mod roles;
mod routes;
mod sealing;
mod status;
pub mod storage;
pub mod tables;
mod topics;

pub use carrying::BundleStore;
pub use engine::{Config, Engine};
pub use input::{
    CallFailure, CallId, Caller, Effect, EngineError, Input, Mail, MailPlace, Next, Now, Outcome, OwnMailbox,
    RelayKey, RelayLine, Work,
};
pub use relays::{Stretched, Stretching};

#[cfg(test)]
mod tests;
