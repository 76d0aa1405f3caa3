//! Identity, device certificates, MLS groups, sealed bodies, at-rest keys.
//!
//! The only crate that names a cipher. It has no clock, socket, file or generator of its own: time is an
//! argument, and randomness is a `&mut dyn CryptoRng` that the caller seeds.
//!
//! | module | what it holds |
//! |---|---|
//! | [`identity`], [`signature`] | Ed25519 keys, and what exactly a signature covers |
//! | [`certificate`] | which devices speak for a person |
//! | [`at_rest`], [`passphrase`] | what lies on a disk |
//! | [`key_value`] | the storage on which OpenMLS's state is kept |

pub mod at_rest;
pub mod certificate;
mod encoding;
pub mod identity;
pub mod ids;
pub mod key_value;
pub mod passphrase;
pub mod signature;
