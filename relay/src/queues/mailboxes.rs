//! Mailboxes: registering, giving up, and the tokens with which strangers write.

use qpq_proto::Failure;
use qpq_proto::ids::{ChannelId, Identity};
use qpq_proto::limits::DELIVERY_TOKENS_PER_CALL_MAX;
use qpq_proto::v1::{
    MailboxPolicy, RegisterMailboxRequest, RegisterMailboxResponse, RevokeMailboxRequest,
    RevokeMailboxResponse, SetDeliveryTokensRequest, SetDeliveryTokensResponse,
};
use rand_core::CryptoRng;

use crate::context::Context;
use crate::graves;
use crate::input::RelayError;
use crate::queues::expiry::forget;
use crate::queues::key::{MAILBOX_BYTES, QueueKey, mailbox_field};
use crate::queues::tokens;
use crate::records::{AccountMailboxRecord, GraveRecord, MailboxRecord, PolicyRecord, QueueRecord};
use crate::relay::Relay;
use crate::sets;
use crate::storage::{Direction, Transaction};
use crate::tables::{self, ACCOUNT_MAILBOXES, MAILBOXES, QUEUES, TOKENS, at, key};

impl Relay {
    pub(crate) fn register_mailbox(
        &self,
        cx: &mut Context<'_>,
        request: &RegisterMailboxRequest,
    ) -> Result<RegisterMailboxResponse, Failure> {
        let identity = cx.identity()?;
        let mailbox = mailbox_field(&request.mailbox)?;
        let policy = self.policy(request.policy.unwrap_or_default());
        match tables::load::<MailboxRecord>(cx.tx, MAILBOXES, key(&mailbox))? {
            None => self.new_mailbox(cx, identity, &mailbox, policy)?,
            Some(record) if record.owner == identity.as_bytes() => {
                change_policy(cx.tx, &mailbox, record, &policy)?;
            }
            Some(_) => return Err(Failure::conflict("this mailbox id is taken: choose a random one")),
        }
        Ok(RegisterMailboxResponse {})
    }

    fn new_mailbox(
        &self,
        cx: &mut Context<'_>,
        owner: Identity,
        mailbox: &[u8; MAILBOX_BYTES],
        policy: PolicyRecord,
    ) -> Result<(), Failure> {
        let held = cx.tx.scan(
            ACCOUNT_MAILBOXES,
            owner.as_bytes(),
            0..u64::MAX,
            Direction::Forward,
            self.limits.mailboxes_per_account_max + 1,
        )?;
        // One of them is the identity's own.
        if held.len() > self.limits.mailboxes_per_account_max {
            return Err(Failure::quota("the account has as many mailboxes as it may have: revoke one first"));
        }
        Ok(open_mailbox(cx.tx, cx.rng, owner, mailbox, policy)?)
    }

    pub(crate) fn revoke_mailbox(
        &self,
        cx: &mut Context<'_>,
        request: &RevokeMailboxRequest,
    ) -> Result<RevokeMailboxResponse, Failure> {
        let identity = cx.identity()?;
        let mailbox = mailbox_field(&request.mailbox)?;
        if &mailbox == identity.as_bytes() {
            let message = "an identity's own mailbox goes with its account only: delete the account instead";
            return Err(Failure::forbidden(message));
        }
        let record = own_mailbox(cx, &mailbox)?;
        Ok(RevokeMailboxResponse { removed: close_mailbox(cx.tx, &mailbox, record)? })
    }

    pub(crate) fn set_delivery_tokens(
        &self,
        cx: &mut Context<'_>,
        request: &SetDeliveryTokensRequest,
    ) -> Result<SetDeliveryTokensResponse, Failure> {
        let mailbox = mailbox_field(&request.mailbox)?;
        let mut record = own_mailbox(cx, &mailbox)?;
        for (field, hashes) in
            [("add_hashes", &request.add_hashes), ("revoke_hashes", &request.revoke_hashes)]
        {
            if hashes.len() > DELIVERY_TOKENS_PER_CALL_MAX {
                let message = format!("at most {DELIVERY_TOKENS_PER_CALL_MAX} tokens are set at once");
                return Err(Failure::bad_request(field, message));
            }
        }
        let all = tokens::all_of(&mailbox, &record);
        for hash in &request.revoke_hashes {
            let hash = tokens::hash_field("revoke_hashes", hash)?;
            record.tokens -= u64::from(sets::remove(cx.tx, TOKENS, &all, &hash)?);
        }
        for hash in &request.add_hashes {
            let hash = tokens::hash_field("add_hashes", hash)?;
            record.tokens += u64::from(sets::add(cx.tx, TOKENS, &all, &hash)?);
        }
        if record.tokens > self.limits.tokens_per_mailbox_max as u64 {
            let message = format!("a mailbox holds at most {} tokens", self.limits.tokens_per_mailbox_max);
            return Err(Failure::quota(message));
        }
        tables::save(cx.tx, MAILBOXES, key(&mailbox), &record)?;
        Ok(SetDeliveryTokensResponse { held: u32::try_from(record.tokens).unwrap_or(u32::MAX) })
    }

    /// What is granted of what is asked for. A quota is as the relay has it when something is put into the mailbox: that may
    /// be set higher or lower at any start.
    fn policy(&self, asked: MailboxPolicy) -> PolicyRecord {
        let ttl_max_s = match asked.ttl_max_secs {
            0 => self.limits.delivery_ttl_max_s,
            asked => u64::from(asked).min(self.limits.delivery_ttl_max_s),
        };
        PolicyRecord { tokens_only: asked.tokens_only, quota_bytes: asked.quota_bytes, ttl_max_s }
    }

    /// Opens the mailbox of an account's identity. Whoever registered the id before did not hold the key.
    pub(crate) fn open_own_mailbox(
        &self,
        tx: &mut dyn Transaction,
        rng: &mut dyn CryptoRng,
        identity: Identity,
    ) -> Result<(), RelayError> {
        let mailbox = identity.as_bytes();
        if let Some(record) = tables::load::<MailboxRecord>(tx, MAILBOXES, key(mailbox))? {
            close_mailbox(tx, mailbox, record)?;
        }
        open_mailbox(tx, rng, identity, mailbox, self.policy(MailboxPolicy::default()))
    }
}

/// A mailbox of the caller's.
fn own_mailbox(cx: &Context<'_>, mailbox: &[u8; MAILBOX_BYTES]) -> Result<MailboxRecord, Failure> {
    let identity = cx.identity()?;
    let record: Option<MailboxRecord> = tables::load(cx.tx, MAILBOXES, key(mailbox))?;
    record
        .filter(|record| record.owner == identity.as_bytes())
        .ok_or_else(|| Failure::forbidden("this is no mailbox of the caller's"))
}

fn open_mailbox(
    tx: &mut dyn Transaction,
    rng: &mut dyn CryptoRng,
    owner: Identity,
    mailbox: &[u8; MAILBOX_BYTES],
    policy: PolicyRecord,
) -> Result<(), RelayError> {
    let ordinal = tables::next_ordinal(tx, ACCOUNT_MAILBOXES, owner.as_bytes())?;
    let listed = AccountMailboxRecord { mailbox: mailbox.to_vec() };
    tables::save(tx, ACCOUNT_MAILBOXES, at(owner.as_bytes(), ordinal), &listed)?;
    let incarnation = rng.next_u64().to_be_bytes().to_vec();
    let owner = owner.to_vec();
    let record = MailboxRecord { owner, policy, incarnation, ordinal, ..MailboxRecord::default() };
    tables::save(tx, MAILBOXES, key(mailbox), &record)
}

fn change_policy(
    tx: &mut dyn Transaction,
    mailbox: &[u8; MAILBOX_BYTES],
    mut record: MailboxRecord,
    policy: &PolicyRecord,
) -> Result<(), RelayError> {
    for queue in queues_of(mailbox, &record) {
        if let Some(mut queued) = tables::load::<QueueRecord>(tx, QUEUES, key(queue.as_bytes()))? {
            queued.policy = policy.clone();
            tables::save(tx, QUEUES, key(queue.as_bytes()), &queued)?;
        }
    }
    record.policy = policy.clone();
    tables::save(tx, MAILBOXES, key(mailbox), &record)
}

/// Closes a mailbox: from now on there is none. What lies in it is removed step by step.
/// Returns how many deliveries were dropped.
fn close_mailbox(
    tx: &mut dyn Transaction,
    mailbox: &[u8; MAILBOX_BYTES],
    record: MailboxRecord,
) -> Result<u64, RelayError> {
    let mut dropped = 0;
    let mut grave = GraveRecord { tokens: tokens::all_of(mailbox, &record), ..GraveRecord::default() };
    for queue in queues_of(mailbox, &record) {
        let Some(queued) = tables::load::<QueueRecord>(tx, QUEUES, key(queue.as_bytes()))? else { continue };
        forget(tx, &queue, &queued)?;
        tx.delete(QUEUES, key(queue.as_bytes()))?;
        dropped += queued.deliveries;
        grave.queues.push(queue.contents(&queued).0);
    }
    graves::dig(tx, &grave)?;
    tx.delete(ACCOUNT_MAILBOXES, at(&record.owner, record.ordinal))?;
    tx.delete(MAILBOXES, key(mailbox))?;
    Ok(dropped)
}

/// Drops a channel's queue in an identity's own mailbox, and gives its place back. Returns whether there was one.
pub(crate) fn drop_channel(
    tx: &mut dyn Transaction,
    identity: Identity,
    channel: ChannelId,
) -> Result<bool, RelayError> {
    let mailbox = identity.as_bytes();
    let Some(mut record) = tables::load::<MailboxRecord>(tx, MAILBOXES, key(mailbox))? else {
        return Ok(false);
    };
    let before = record.channels.len();
    record.channels.retain(|other| other != channel.as_bytes());
    if record.channels.len() == before {
        return Ok(false);
    }
    tables::save(tx, MAILBOXES, key(mailbox), &record)?;
    let Ok(queue) = QueueKey::new(mailbox, channel.as_bytes()) else { return Ok(false) };
    if let Some(queued) = tables::load::<QueueRecord>(tx, QUEUES, key(queue.as_bytes()))? {
        forget(tx, &queue, &queued)?;
        tx.delete(QUEUES, key(queue.as_bytes()))?;
        let queues = vec![queue.contents(&queued).0];
        graves::dig(tx, &GraveRecord { queues, ..GraveRecord::default() })?;
    }
    Ok(true)
}

/// Closes all mailboxes of an account.
pub(crate) fn close_mailboxes(tx: &mut dyn Transaction, owner: Identity) -> Result<(), RelayError> {
    let all: Vec<(u64, AccountMailboxRecord)> =
        tables::scan(tx, ACCOUNT_MAILBOXES, owner.as_bytes(), 0..u64::MAX, usize::MAX)?;
    for (_, AccountMailboxRecord { mailbox }) in all {
        let Ok(mailbox) = <[u8; MAILBOX_BYTES]>::try_from(mailbox) else { continue };
        if let Some(record) = tables::load::<MailboxRecord>(tx, MAILBOXES, key(&mailbox))? {
            close_mailbox(tx, &mailbox, record)?;
        }
    }
    Ok(())
}

/// Every queue that the mailbox may have.
fn queues_of(mailbox: &[u8; MAILBOX_BYTES], record: &MailboxRecord) -> Vec<QueueKey> {
    let channels = record.channels.iter().map(Vec::as_slice);
    std::iter::once(&[][..])
        .chain(channels)
        .filter_map(|channel| QueueKey::new(mailbox, channel).ok())
        .collect()
}
