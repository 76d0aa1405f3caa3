//! The devices of an account: which they are, when they were seen, and how they are woken.
//!
//! A person's signed device list (see [`qpq_crypto::device_list`]) is the one truth about the person's devices, here as
//! everywhere: whoever is logged in brings the next list, and the account's devices become those that it certifies. The
//! highest sequence wins. Two lists in one place of the chain are an alarm: the relay keeps the one it had, refuses the
//! other, and says so in its audit log.
//!
//! A device that a list no longer certifies is gone at once: its connections end, and its key packages, endpoint records
//! and push token are removed in the same transaction. No queue waits for it any more, and a session is worth nothing
//! without its device.

mod address;
mod lists;
mod nodes;
mod push;
mod records;
mod seen;

use qpq_proto::ids::{DeviceKey, Identity};

use crate::accounts;
use crate::context::Context;
use crate::endpoints;
use crate::input::RelayError;
use crate::keys;
use crate::relay::Relay;
use crate::storage::Transaction;
use crate::tables::{DEVICE_LISTS, PUSH_TOKENS, key};

pub use address::is_public_address;
pub(crate) use lists::known_list;
pub(crate) use nodes::moved;
pub(crate) use push::forget_endpoint;

impl Relay {
    /// Removes what is kept for a device that is the person's no longer, and ends its connections.
    fn forget_device(
        &self,
        cx: &mut Context<'_>,
        identity: Identity,
        device: DeviceKey,
    ) -> Result<(), RelayError> {
        end_sessions(cx, identity, Some(device))?;
        keys::forget_device(cx, identity, device.as_bytes())?;
        endpoints::forget_device(cx.tx, device.as_bytes())?;
        forget_push_token(cx.tx, identity, device.as_bytes())
    }
}

/// Ends the sessions of an account, or of one of its devices, with the connections that are bound to them.
pub(crate) fn end_sessions(
    cx: &mut Context<'_>,
    identity: Identity,
    device: Option<DeviceKey>,
) -> Result<(), RelayError> {
    accounts::end_sessions(cx.tx, identity, device)?;
    cx.unbind.push((identity, device));
    Ok(())
}

/// Removes what is kept of a person's devices, which are these, besides the account itself.
pub(crate) fn forget_account(
    tx: &mut dyn Transaction,
    identity: Identity,
    devices: &[Vec<u8>],
) -> Result<(), RelayError> {
    for device in devices {
        forget_push_token(tx, identity, device)?;
    }
    Ok(tx.delete(DEVICE_LISTS, key(identity.as_bytes()))?)
}

fn forget_push_token(tx: &mut dyn Transaction, identity: Identity, device: &[u8]) -> Result<(), RelayError> {
    Ok(tx.delete(PUSH_TOKENS, key(&of_device(identity, device)))?)
}

/// Under which a device's push token lies.
fn of_device(identity: Identity, device: &[u8]) -> Vec<u8> {
    [identity.as_bytes().as_slice(), device].concat()
}
