//! Delivery tokens: 32 random bytes, handed out by the mailbox's owner, each good for one delivery.
//!
//! The relay keeps the [set](crate::sets) of their hashes, which is found by token and goes with the mailbox.

use qpq_crypto::digest::sha256;
use qpq_proto::Failure;

use crate::input::RelayError;
use crate::records::MailboxRecord;
use crate::sets;
use crate::storage::Transaction;
use crate::tables::{self, MAILBOXES, TOKENS, key};

/// Bytes of a token, and of its hash.
pub(crate) const TOKEN_BYTES: usize = 32;

/// The hash of a token, from a field of a request.
pub(crate) fn hash_field(field: &str, bytes: &[u8]) -> Result<[u8; TOKEN_BYTES], Failure> {
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
    if !sets::remove(tx, TOKENS, &all_of(mailbox, &record), &sha256(&[token]))? {
        return Ok(false);
    }
    record.tokens = record.tokens.saturating_sub(1);
    tables::save(tx, MAILBOXES, key(mailbox), &record)?;
    Ok(true)
}

/// Whose mailbox it is, if it has this token, which is not used up.
pub(crate) fn owner_of_token(
    tx: &dyn Transaction,
    mailbox: &[u8],
    token: &[u8],
) -> Result<Option<Vec<u8>>, RelayError> {
    let record: Option<MailboxRecord> = tables::load(tx, MAILBOXES, key(mailbox))?;
    let Some(record) = record else { return Ok(None) };
    let has_token = sets::contains(tx, TOKENS, &all_of(mailbox, &record), &sha256(&[token]))?;
    Ok(has_token.then(|| record.owner.clone()))
}

/// Under which all tokens of a mailbox lie.
pub(super) fn all_of(mailbox: &[u8], record: &MailboxRecord) -> Vec<u8> {
    [mailbox, &record.incarnation].concat()
}
