//! Accounts: who is registered here, with which devices.

use crate::input::RelayError;
use crate::records::AccountRecord;
use crate::storage::Transaction;
use crate::tables::{self, ACCOUNTS, key};

/// The account of an identity.
pub(crate) fn account(tx: &dyn Transaction, identity: &[u8]) -> Result<Option<AccountRecord>, RelayError> {
    tables::load(tx, ACCOUNTS, key(identity))
}

/// The devices of an account; none if there is no such account.
pub(crate) fn devices(tx: &dyn Transaction, identity: &[u8]) -> Result<Vec<Vec<u8>>, RelayError> {
    let account = account(tx, identity)?.unwrap_or_default();
    Ok(account.devices.into_iter().map(|device| device.device).collect())
}
