//! Finding a queue, or making it: who may.

use qpq_proto::Failure;
use qpq_proto::ids::Identity;

use crate::accounts;
use crate::channels;
use crate::context::Context;
use crate::input::RelayError;
use crate::queues::key::{MAILBOX_BYTES, QueueKey, mailbox_field};
use crate::queues::tokens;
use crate::records::{CursorRecord, MailboxRecord, QueueRecord};
use crate::relay::Relay;
use crate::storage::Transaction;
use crate::tables::{self, MAILBOXES, QUEUES, key};

impl Relay {
    /// The queue into which a caller may put something. A token that it brings is used up.
    pub(super) fn queue_to_fill(
        &self,
        cx: &mut Context<'_>,
        queue: &QueueKey,
        token: &[u8],
    ) -> Result<QueueRecord, Failure> {
        let has_token = match token.is_empty() {
            true => false,
            false => tokens::take(cx.tx, queue.mailbox(), token)?,
        };
        let is_known = cx.call()?.is_known();
        if !has_token && (!is_known || !token.is_empty()) {
            return Err(no_token());
        }
        let mut record = match tables::load(cx.tx, QUEUES, key(queue.as_bytes()))? {
            Some(record) => record,
            None => self.new_queue(cx, queue, has_token)?,
        };
        if record.policy.tokens_only && !has_token {
            return Err(no_token());
        }
        add_cursors(cx.tx, &mut record)?;
        Ok(record)
    }

    /// A queue of the mailbox's that does not exist yet. It is written with what is put into it.
    /// One of a channel's name is made among those on its list only: nobody takes the mailbox's room for channels by
    /// thinking ids up.
    fn new_queue(
        &self,
        cx: &mut Context<'_>,
        queue: &QueueKey,
        has_token: bool,
    ) -> Result<QueueRecord, Failure> {
        let mut mailbox: MailboxRecord = tables::load(cx.tx, MAILBOXES, key(queue.mailbox()))?
            .ok_or_else(|| Failure::not_found("there is no such mailbox here"))?;
        if !queue.channel().is_empty() {
            channels::check_queue(cx, queue.channel(), &mailbox.owner, has_token)?;
            if mailbox.channels.len() >= self.limits.channels_per_mailbox_max {
                return Err(Failure::quota("the mailbox has as many channels as it may have"));
            }
            mailbox.channels.push(queue.channel().to_vec());
            tables::save(cx.tx, MAILBOXES, key(queue.mailbox()), &mailbox)?;
        }
        Ok(QueueRecord {
            owner: mailbox.owner,
            policy: mailbox.policy,
            incarnation: cx.rng.next_u64().to_be_bytes().to_vec(),
            next_seq: 1,
            first_seq: 1,
            ..QueueRecord::default()
        })
    }
}

/// Devices that were registered since the newest delivery begin behind it, and those that were revoked are waited for no
/// longer.
pub(super) fn add_cursors(tx: &dyn Transaction, record: &mut QueueRecord) -> Result<(), RelayError> {
    let devices = accounts::devices(tx, &record.owner)?;
    record.cursors.retain(|cursor| devices.contains(&cursor.device));
    for device in devices {
        if record.cursors.iter().all(|cursor| cursor.device != device) {
            record.cursors.push(CursorRecord { device, acknowledged_seq: record.next_seq - 1 });
        }
    }
    Ok(())
}

/// The caller's own queue: the mailbox of a request, empty for the identity's own, and its record, if anything was ever
/// put into it.
pub(super) fn own_queue(
    cx: &Context<'_>,
    mailbox: &[u8],
    channel: &[u8],
) -> Result<(QueueKey, Option<QueueRecord>), Failure> {
    let identity = cx.identity()?;
    let mailbox = match mailbox.is_empty() {
        true => *identity.as_bytes(),
        false => mailbox_field(mailbox)?,
    };
    let queue = QueueKey::new(&mailbox, channel)?;
    let record: Option<QueueRecord> = tables::load(cx.tx, QUEUES, key(queue.as_bytes()))?;
    let is_own = match &record {
        Some(record) => record.owner == identity.as_bytes(),
        None => is_owner(cx, &mailbox, identity)?,
    };
    if is_own { Ok((queue, record)) } else { Err(not_yours()) }
}

fn is_owner(cx: &Context<'_>, mailbox: &[u8; MAILBOX_BYTES], identity: Identity) -> Result<bool, Failure> {
    let record: Option<MailboxRecord> = tables::load(cx.tx, MAILBOXES, key(mailbox))?;
    Ok(record.is_some_and(|record| record.owner == identity.as_bytes()))
}

/// The same for a mailbox that does not exist.
/// Names the field, so that the caller can tell it from a node that is no relay at present.
fn no_token() -> Failure {
    let refused = Failure::forbidden("this mailbox takes deliveries with one of its unused tokens only");
    Failure { field: "token".to_owned(), ..refused }
}

/// The same for a mailbox that does not exist.
fn not_yours() -> Failure {
    Failure::forbidden("this is no mailbox of the caller's")
}
