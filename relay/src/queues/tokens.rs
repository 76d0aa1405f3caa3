//! Delivery tokens: 32 random bytes, handed out by the mailbox's owner, each good for one delivery.
//!
//! The relay keeps their hashes. They lie under the mailbox, ordered by the start of the hash, so that they can be
//! found by token and be removed with the mailbox.

use qpq_crypto::digest::sha256;
use qpq_proto::Failure;

use crate::input::RelayError;
use crate::records::{MailboxRecord, TokensRecord};
use crate::storage::Transaction;
use crate::tables::{self, MAILBOXES, TOKENS, at, key};

/// Bytes of a delivery token, and of its hash.
const TOKEN_BYTES: usize = 32;

/// The hash of a token, from a field of a request.
pub(super) fn hash_field(field: &str, bytes: &[u8]) -> Result<[u8; TOKEN_BYTES], Failure> {
    let wrong = || Failure::bad_request(field, format!("a hash is {TOKEN_BYTES} bytes long"));
    bytes.try_into().map_err(|_| wrong())
}

/// Uses a token up; false if the mailbox has no such token. Whether there is such a mailbox is not told apart.
pub(super) fn take(tx: &mut dyn Transaction, mailbox: &[u8], token: &[u8]) -> Result<bool, Failure> {
    if token.len() != TOKEN_BYTES {
        return Err(Failure::bad_request("token", format!("a token is {TOKEN_BYTES} bytes long")));
    }
    let Some(mut record) = tables::load::<MailboxRecord>(tx, MAILBOXES, key(mailbox))? else {
        return Ok(false);
    };
    if !remove(tx, &all_of(mailbox, &record), &sha256(&[token]))? {
        return Ok(false);
    }
    record.tokens = record.tokens.saturating_sub(1);
    tables::save(tx, MAILBOXES, key(mailbox), &record)?;
    Ok(true)
}

/// Under which all tokens of a mailbox lie.
pub(super) fn all_of(mailbox: &[u8], record: &MailboxRecord) -> Vec<u8> {
    [mailbox, &record.incarnation].concat()
}

/// Adds the hash of a token; false if it is there already.
pub(super) fn add(
    tx: &mut dyn Transaction,
    all: &[u8],
    hash: &[u8; TOKEN_BYTES],
) -> Result<bool, RelayError> {
    let mut held: TokensRecord = tables::load(tx, TOKENS, at(all, place(hash)))?.unwrap_or_default();
    if held.hashes.iter().any(|other| other == hash) {
        return Ok(false);
    }
    held.hashes.push(hash.to_vec());
    tables::save(tx, TOKENS, at(all, place(hash)), &held)?;
    Ok(true)
}

/// Removes the hash of a token; false if it is not there. Comparing hashes tells nothing of a token that is not known.
pub(super) fn remove(
    tx: &mut dyn Transaction,
    all: &[u8],
    hash: &[u8; TOKEN_BYTES],
) -> Result<bool, RelayError> {
    let Some(mut held) = tables::load::<TokensRecord>(tx, TOKENS, at(all, place(hash)))? else {
        return Ok(false);
    };
    let before = held.hashes.len();
    held.hashes.retain(|other| other != hash);
    match held.hashes.is_empty() {
        true => tx.delete(TOKENS, at(all, place(hash)))?,
        false => tables::save(tx, TOKENS, at(all, place(hash)), &held)?,
    }
    Ok(held.hashes.len() < before)
}

fn place(hash: &[u8; TOKEN_BYTES]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *hash;
    // The largest ordinal is no place: scans end before it.
    u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 1
}
