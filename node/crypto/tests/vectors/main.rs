//! Published test vectors, positive and negative, of every primitive that this crate uses, through the crates
//! that it uses.

mod curve25519;
mod hybrid;
mod kem;
mod merkle;
mod opaque;
mod support;
mod symmetric;
