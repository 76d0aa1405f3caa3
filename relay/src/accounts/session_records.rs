//! Sessions as they are kept: under the hash of their token, and listed under their account.

use qpq_crypto::account::session_token_hash;
use qpq_proto::ids::{DeviceKey, Identity};

use crate::context::Context;
use crate::input::RelayError;
use crate::records::{AccountRecord, AccountSessionRecord, SessionRecord};
use crate::relay::Relay;
use crate::sessions::Session;
use crate::storage::Transaction;
use crate::tables::{self, ACCOUNT_SESSIONS, SESSIONS, at, key};

/// Opens a session and gives its token, which is told nobody else. An account has so many; its oldest makes room.
pub(super) fn new_session(
    relay: &Relay,
    cx: &mut Context<'_>,
    identity: Identity,
    device: DeviceKey,
    account: &AccountRecord,
) -> Result<([u8; 32], Session), RelayError> {
    let token = cx.random::<32>();
    let hash = session_token_hash(&token);
    let expires_at_ms = cx.now.after_ms(relay.limits.session_lifetime_s * 1_000);
    let record = SessionRecord { identity: identity.to_vec(), device: device.to_vec(), expires_at_ms };
    tables::save(cx.tx, SESSIONS, key(&hash), &record)?;
    let listed = listed(cx.tx, identity)?;
    let surplus = (listed.len() + 1).saturating_sub(relay.limits.sessions_per_account_max);
    for (ordinal, session) in &listed[..surplus] {
        remove(cx.tx, identity, *ordinal, session)?;
    }
    let ordinal = listed.last().map_or(1, |(ordinal, _)| ordinal + 1);
    let entry = AccountSessionRecord { token_hash: hash.to_vec(), device: device.to_vec() };
    tables::save(cx.tx, ACCOUNT_SESSIONS, at(identity.as_bytes(), ordinal), &entry)?;
    let is_administrator = account.is_administrator;
    Ok((token, Session { identity, device, expires_at_ms, is_administrator }))
}

/// The session of a token, if it has one that has not ended.
pub(super) fn session_of(cx: &Context<'_>, hash: &[u8; 32]) -> Result<Option<Session>, RelayError> {
    let record: Option<SessionRecord> = tables::load(cx.tx, SESSIONS, key(hash))?;
    Ok(record.filter(|record| !cx.now.is_past(record.expires_at_ms)).and_then(|record| {
        let identity = Identity::try_from(record.identity.as_slice()).ok()?;
        let device = DeviceKey::try_from(record.device.as_slice()).ok()?;
        Some(Session { identity, device, expires_at_ms: record.expires_at_ms, is_administrator: false })
    }))
}

/// Lets a session live on from now, as long as a new one, if a good part of its lifetime is over: whoever comes back now
/// and then never has to give the password again, and most who come back cost no write.
pub(super) fn prolong(
    relay: &Relay,
    cx: &mut Context<'_>,
    hash: &[u8; 32],
    session: Session,
) -> Result<Session, RelayError> {
    let lifetime_ms = relay.limits.session_lifetime_s * 1_000;
    let expires_at_ms = cx.now.after_ms(lifetime_ms);
    if expires_at_ms < session.expires_at_ms.saturating_add(lifetime_ms / PROLONGED_AFTER) {
        return Ok(session);
    }
    let Session { identity, device, .. } = session;
    let record = SessionRecord { identity: identity.to_vec(), device: device.to_vec(), expires_at_ms };
    tables::save(cx.tx, SESSIONS, key(hash), &record)?;
    Ok(Session { expires_at_ms, ..session })
}

/// Ends the sessions of an account, or of one of its devices. Connections that are bound to them are the caller's to end.
pub(crate) fn end_sessions(
    tx: &mut dyn Transaction,
    identity: Identity,
    device: Option<DeviceKey>,
) -> Result<(), RelayError> {
    for (ordinal, session) in listed(tx, identity)? {
        if device.is_none_or(|device| session.device == device.as_bytes()) {
            remove(tx, identity, ordinal, &session)?;
        }
    }
    Ok(())
}

/// The sessions of an account, of which there are few, the oldest first.
fn listed(tx: &dyn Transaction, identity: Identity) -> Result<Vec<(u64, AccountSessionRecord)>, RelayError> {
    tables::scan(tx, ACCOUNT_SESSIONS, identity.as_bytes(), 0..u64::MAX, usize::MAX)
}

/// A session is prolonged when this part of its lifetime is over.
const PROLONGED_AFTER: u64 = 4;

fn remove(
    tx: &mut dyn Transaction,
    identity: Identity,
    ordinal: u64,
    session: &AccountSessionRecord,
) -> Result<(), RelayError> {
    tx.delete(SESSIONS, key(&session.token_hash))?;
    Ok(tx.delete(ACCOUNT_SESSIONS, at(identity.as_bytes(), ordinal))?)
}
