//! Mailboxes, and the queues in which deliveries wait.
//!
//! ```text
//!            Enqueue                        Fetch, FetchWait, Peek        Ack
//!  sender ───────────► queue: 1 2 3 4 5 6 ◄───────────────── devices ──────────► cursor
//!                             └──┬──┘ └ waits for both devices
//!             laptop is here ────┘
//! ```
//!
//! A queue belongs to a mailbox and a channel. It is kept once for all devices of its owner, each of which has a cursor:
//! to every device it looks like a queue of its own. A delivery is removed when every device has acknowledged it, or at
//! the end of its lifetime. What remains of it until then is its delivery id, so that sending it again stores nothing.
//!
//! A queue's record says all that an `Enqueue` needs to know: one delivery reads two records and writes three, however
//! long the queue is.

mod acknowledge;
mod enqueue;
mod expiry;
mod fetch;
mod key;
mod mailboxes;
mod open;
mod taken;
mod tokens;
mod waits;

pub(crate) use expiry::{Expiry, empty};
pub(crate) use key::{Contents, QueueKey};
pub(crate) use mailboxes::{close_mailboxes, drop_channel};
pub(crate) use tokens::{TOKEN_BYTES, hash_field, owner_of_token};
pub(crate) use waits::{Wait, Waits};
