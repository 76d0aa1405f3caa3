//! What an entry of a log says, and how it is hidden from whoever does not ask for it by name.
//!
//! ```text
//! VRF input  = length | domain | length | name or identity key
//! label      = the first 32 bytes of the VRF's output
//! commitment = HMAC-SHA256(opening, length | domain | length | VRF input | length | version | length | part | ...)
//! entry      = form (1) = 1 | label (32) | version (8) | commitment (32) | prefix root (32)
//! ```
//!
//! The opening is random, so that nothing is learned of a value before it is opened; it has the length of the
//! hash, so that a second opening to another value would be a collision of SHA-256.

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::merkle::{LogHash, leaf_hash};
use super::prefix::PrefixLeaf;
use crate::encoding::{Reader, put_prefixed};
use crate::ids::Identity;
use crate::vrf::VrfOutput;

/// Bytes of an encoded [`LogEntry`].
pub const LOG_ENTRY_BYTES: usize = 105;
/// Bytes of a commitment's opening.
pub const OPENING_BYTES: usize = 32;

/// What a label stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject<'a> {
    /// A username, in the relay's normal form. Its value is an identity, or nobody.
    Name(&'a str),
    /// The end of an identity. Its value is a [`Revocation`].
    Revocation(&'a Identity),
}

/// What a log says of a [`Subject`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// The identity behind a name.
    Identity(&'a Identity),
    /// Nobody is behind the name any more: it was given up.
    Nobody,
    /// Why and when an identity ended.
    Revocation(&'a Revocation),
}

/// The end of an identity, as its owner signed it and the relay took it in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Above that of the newest device list.
    pub sequence: u64,
    /// Unix time in ms by the relay's clock.
    pub at_ms: u64,
    /// Why.
    pub reason: String,
    /// Of [`crate::account::sign_revocation`].
    pub signature: Vec<u8>,
}

/// An entry of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogEntry {
    /// The label that was set, and to what.
    pub leaf: PrefixLeaf,
    /// Root of the prefix tree after it.
    pub prefix_root: LogHash,
}

impl Subject<'_> {
    /// What goes into the random function.
    pub fn vrf_input(&self) -> Vec<u8> {
        let mut input = Vec::new();
        match self {
            Self::Name(name) => put_prefixed(&mut input, &[b"qpq/v1/log name", name.as_bytes()]),
            Self::Revocation(identity) => {
                put_prefixed(&mut input, &[b"qpq/v1/log revocation", identity.as_bytes()]);
            }
        }
        input
    }

    /// The commitment to a value of this subject. `opening` is random and fresh.
    pub fn commit(&self, version: u64, value: Value<'_>, opening: &[u8; OPENING_BYTES]) -> [u8; 32] {
        let mut committed = Vec::new();
        let version = version.to_be_bytes();
        put_prefixed(&mut committed, &[b"qpq/v1/log commitment", &self.vrf_input(), &version]);
        match value {
            Value::Identity(identity) => put_prefixed(&mut committed, &[identity.as_bytes()]),
            // No part: every other value has one.
            Value::Nobody => {}
            Value::Revocation(revocation) => put_prefixed(
                &mut committed,
                &[
                    &revocation.sequence.to_be_bytes(),
                    &revocation.at_ms.to_be_bytes(),
                    revocation.reason.as_bytes(),
                    &revocation.signature,
                ],
            ),
        }
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(opening);
        mac.expect("HMAC takes a key of any length").chain_update(&committed).finalize().into_bytes().into()
    }
}

/// What stands for a subject in the log: the start of the random function's output for it.
pub fn label(output: &VrfOutput) -> [u8; 32] {
    let mut label = [0; 32];
    label.copy_from_slice(&output[..32]);
    label
}

impl LogEntry {
    /// The one encoding; see the module for its form.
    pub fn encode(&self) -> [u8; LOG_ENTRY_BYTES] {
        let mut bytes = [0; LOG_ENTRY_BYTES];
        bytes[0] = FORM;
        bytes[1..33].copy_from_slice(&self.leaf.label);
        bytes[33..41].copy_from_slice(&self.leaf.version.to_be_bytes());
        bytes[41..73].copy_from_slice(&self.leaf.commitment);
        bytes[73..].copy_from_slice(&self.prefix_root);
        bytes
    }

    /// Reads what [`LogEntry::encode`] wrote; nothing for anything else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; LOG_ENTRY_BYTES] = bytes.try_into().ok()?;
        let mut reader = Reader::new(bytes);
        let form = reader.u8().ok()?;
        let label = reader.array().ok()?;
        let version = reader.u64().ok()?;
        let commitment = reader.array().ok()?;
        let prefix_root = reader.array().ok()?;
        let entry = Self { leaf: PrefixLeaf { label, version, commitment }, prefix_root };
        (form == FORM).then_some(entry)
    }

    /// The entry's hash in the log.
    pub fn hash(&self) -> LogHash {
        leaf_hash(&self.encode())
    }
}

const FORM: u8 = 1;
