//! Carrying: what cannot be delivered now is kept and handed on by other nodes, which learn neither who sent it nor for
//! whom it is.
//!
//! ```text
//!                Input, Request                 Effect, Response
//!   driver ────────────────────────► Mesh ────────────────────────► driver
//!                                    │  ▲
//!                          Store     ▼  │     Interest
//!                        (transaction)       (what is mine?)
//! ```
//!
//! [`Mesh`] is a state machine without clock, socket, task or global randomness. A node owns one and gives it a
//! transaction of its database; a simulation owns ten thousand and gives them memory. The driver commits after each
//! input, and only then answers and carries out effects; a crash between the two costs a repetition, never a bundle.
//!
//! # Words
//! - A [`Bundle`] is a header and a sealed body; its id is a hash of both.
//! - *Custody* is keeping a bundle for others until it arrives or its lifetime ends. What was answered as
//!   [`Durable`](wire::Durability::Durable) survives a crash.
//! - A *carrier* is on mains power and replicates; a *mobile* node passes on a bounded number of copies; a *leaf*
//!   carries for nobody ([`wire::NodeKind`]).
//! - *Settlement*: the secret behind a bundle's `settle` is revealed, and every holder drops the bundle.
//!
//! # Sub-protocols
//! | file | what it teaches |
//! |---|---|
//! | `hello` | how a session begins and what is remembered of neighbours |
//! | `reconcile` | comparing what both hold, at the cost of the difference |
//! | `offer`, `transfer`, `intake`, `holding` | how a bundle changes hands, and what becomes of it |
//! | `spray`, `encounters` | who gets a copy |
//! | `rumour`, `fetch` | how news outruns bodies between carriers |
//! | `settle` | how what has arrived disappears |
//! | `custody`, `quota`, `evicted`, `tombstones` | what is held, for whom, and what makes room |
//! | `admission`, `work`, `fairness` | what hostile neighbours cannot do |
//! | `fragment` | what is larger than a body |
//! | `sneakernet` | bundles in a file |
//! | `lifetime` | time without a wall clock |
//!
//! # What must never be
//! - an answer that custody was taken of what was not written;
//! - a bundle that disappears without its secret, its lifetime's end, or a full store;
//! - a decision that depends on who a bundle says it is from, how far it says it came, or what time it says it is;
//! - a queue without a limit.

mod admission;
pub mod bundle;
mod calls;
mod config;
mod custody;
mod drive;
mod effect;
mod encounters;
mod evicted;
mod expected;
mod fairness;
mod fetch;
pub mod fragment;
mod hello;
mod holding;
mod intake;
mod lane;
pub mod lifetime;
mod link;
mod mesh;
mod neighbours;
mod offer;
mod reconcile;
mod rumour;
mod settle;
mod slots;
pub mod sneakernet;
pub mod spray;
pub mod storage;
mod tombstones;
mod transfer;
mod view;
pub mod wire;
pub mod work;

pub use bundle::{Bundle, BundleId, Class, Header, Label, Secret, SizeClass, SortKey};
pub use config::Config;
pub use effect::{CallFailure, CallId, CallRefused, Context, Effect, Input, Interest};
pub use mesh::Mesh;
pub use qpq_proto::{ids::NodeKey, limits::Limits};
pub use storage::{MemoryStore, StorageError, Store, Tier};
pub use view::{BY_FILE, BundleView, NeighbourView, ShareView};

#[cfg(test)]
mod tests;
