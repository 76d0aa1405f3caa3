//! The wire contract: messages, method table, frames, limits.
//!
//! Methods and messages are declared once, in the `.proto` files beside this crate. From them come the messages
//! ([`v1`]), the method table ([`Method`], [`Access`]), the traits that a node implements and their dispatch
//! ([`services`]), the calls that a program makes ([`Client`]) and the reference page in `docs/`.

mod access;
mod answer;
mod client;
mod failure;
pub mod frame;
mod generated;
pub mod ids;
pub mod limits;
mod status;

pub use access::{Access, CallerClass};
pub use client::{CallError, Client, Transport, TransportErrorKind};
pub use failure::Failure;
pub use generated::messages as v1;
pub use generated::methods::{Method, Service};
pub use generated::services::{self, Services, dispatch};
pub use status::Status;
