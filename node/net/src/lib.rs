//! Connections: iroh, quinn, mDNS, the owner's socket.

mod budget;
mod caller;
mod rpc;
pub mod socket;
mod streams;
#[cfg(test)]
mod testing;
pub mod tls;

pub use caller::{Answer, Caller, Service};
