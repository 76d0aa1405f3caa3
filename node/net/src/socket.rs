//! The owner's own programs: a Unix domain socket in the node's data directory.
//!
//! The same frames as everywhere else, many calls over one byte stream: requests and responses are matched by their
//! number, and responses come in the order in which they are ready. Who may connect is decided twice, by the mode of
//! the socket (0600) and by the user at the other end as the kernel names it: the node's own, or root.
//!
//! A program may shut its writing side down after its last request, and still gets every answer. One that closes the
//! socket gives its calls up.
//!
//! When there are too many connections, a new one takes the place of one that is not used (`places.rs`).
//!
//! A frame that breaks the protocol ends the connection, after an answer that says why: behind it, nobody knows
//! where the next one starts.

mod client;
mod listen;
mod places;
mod server;

pub use client::{ConnectError, SocketClient};
pub use listen::ListenError;
pub use server::{SocketServer, serve};

#[cfg(test)]
mod tests;
