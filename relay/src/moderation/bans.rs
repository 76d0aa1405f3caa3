//! Bans: by administrators, until a time or for good.

use qpq_proto::Failure;
use qpq_proto::ids::Identity;
use qpq_proto::limits::REASON_BYTES_MAX;
use qpq_proto::v1::{
    Ban, BanUserRequest, BanUserResponse, ListBannedRequest, ListBannedResponse, UnbanUserRequest,
    UnbanUserResponse,
};

use crate::context::Context;
use crate::devices::end_sessions;
use crate::due::{self, Kind};
use crate::input::RelayError;
use crate::moderation::records::{BanRecord, BannedRecord};
use crate::moderation::{after, cursor, page_items};
use crate::relay::Relay;
use crate::storage::Transaction;
use crate::tables::{self, BAN_ORDER, BANS, at, key};
use crate::time::Moment;

impl Relay {
    pub(crate) fn ban_user(
        &self,
        cx: &mut Context<'_>,
        request: &BanUserRequest,
    ) -> Result<BanUserResponse, Failure> {
        let administrator = cx.administrator()?;
        let identity = identity_field(&request.identity_key)?;
        cx.about = Some(identity);
        let BanUserRequest { reason, until_ms, .. } = request.clone();
        if reason.len() > REASON_BYTES_MAX {
            let message = format!("a reason has at most {REASON_BYTES_MAX} bytes");
            return Err(Failure::bad_request("reason", message));
        }
        if until_ms != 0 && until_ms <= cx.now.wall_ms {
            return Err(Failure::bad_request("until_ms", "this time is past"));
        }
        if Some(identity) == administrator {
            return Err(Failure::forbidden("nobody bans itself"));
        }
        let place = match load(cx.tx, identity)? {
            Some(known) => known.place,
            None => self.new_place(cx, identity)?,
        };
        let banned_by = administrator.map(|administrator| administrator.to_vec()).unwrap_or_default();
        let banned_at_ms = cx.now.wall_ms;
        let record = BanRecord { reason, until_ms, banned_by, banned_at_ms, place };
        tables::save(cx.tx, BANS, key(identity.as_bytes()), &record)?;
        if until_ms != 0 {
            due::look_at(cx.tx, Kind::Bans, identity.as_bytes(), until_ms)?;
        }
        end_sessions(cx, identity, None)?;
        Ok(BanUserResponse {})
    }

    fn new_place(&self, cx: &mut Context<'_>, identity: Identity) -> Result<u64, Failure> {
        let place = tables::next_ordinal(cx.tx, BAN_ORDER, b"")?;
        let banned = BannedRecord { identity: identity.to_vec() };
        tables::save(cx.tx, BAN_ORDER, at(b"", place), &banned)?;
        Ok(place)
    }

    pub(crate) fn unban_user(
        &self,
        cx: &mut Context<'_>,
        request: &UnbanUserRequest,
    ) -> Result<UnbanUserResponse, Failure> {
        let identity = identity_field(&request.identity_key)?;
        cx.about = Some(identity);
        let record = load(cx.tx, identity)?.filter(|record| is_in_force(record, cx.now));
        let record = record.ok_or_else(|| Failure::not_found("this person is not banned"))?;
        lift(cx.tx, identity, &record)?;
        Ok(UnbanUserResponse {})
    }

    pub(crate) fn list_banned(
        &self,
        cx: &Context<'_>,
        request: &ListBannedRequest,
    ) -> Result<ListBannedResponse, Failure> {
        let limit = page_items(request.limit)?;
        let from = after(&request.cursor)?;
        let found: Vec<(u64, BannedRecord)> = tables::scan(cx.tx, BAN_ORDER, b"", from..u64::MAX, limit + 1)?;
        let is_more = found.len() > limit;
        let mut page = ListBannedResponse::default();
        for (place, BannedRecord { identity }) in found.into_iter().take(limit) {
            let record: Option<BanRecord> = tables::load(cx.tx, BANS, key(&identity))?;
            if let Some(record) = record.filter(|record| is_in_force(record, cx.now)) {
                let BanRecord { reason, until_ms, banned_by, banned_at_ms, .. } = record;
                page.bans.push(Ban { identity_key: identity, reason, until_ms, banned_by, banned_at_ms });
            }
            if is_more {
                page.next = cursor(place);
            }
        }
        Ok(page)
    }

    /// Removes bans that have ended. Returns whether there may be more.
    pub(crate) fn expire_bans(&self, cx: &mut Context<'_>) -> Result<bool, RelayError> {
        let due = due::take(cx.tx, Kind::Bans, cx.now.steady_ms)?;
        for identity in due.iter().filter_map(|id| Identity::try_from(id.as_slice()).ok()) {
            if let Some(record) = load(cx.tx, identity)?.filter(|record| !is_in_force(record, cx.now)) {
                lift(cx.tx, identity, &record)?;
            }
        }
        Ok(!due.is_empty())
    }
}

/// Whether an account may log in, or go on with a session: to be asked before a connection is bound to one.
///
/// # Errors
/// `Forbidden`, with the reason and the end of the ban.
pub(crate) fn check_not_banned(tx: &dyn Transaction, identity: Identity, now: Moment) -> Result<(), Failure> {
    let Some(ban) = load(tx, identity)?.filter(|record| is_in_force(record, now)) else { return Ok(()) };
    let until = match ban.until_ms {
        0 => "for good".to_owned(),
        until_ms => format!("until {until_ms} (Unix time in ms)"),
    };
    Err(Failure::forbidden(format!("this account is banned from the relay {until}: {}", ban.reason)))
}

/// Whether an account is banned now.
pub(crate) fn is_banned(tx: &dyn Transaction, identity: Identity, now: Moment) -> Result<bool, RelayError> {
    Ok(load(tx, identity)?.is_some_and(|record| is_in_force(&record, now)))
}

fn is_in_force(record: &BanRecord, now: Moment) -> bool {
    record.until_ms == 0 || !now.is_past(record.until_ms)
}

fn lift(tx: &mut dyn Transaction, identity: Identity, record: &BanRecord) -> Result<(), RelayError> {
    tx.delete(BANS, key(identity.as_bytes()))?;
    Ok(tx.delete(BAN_ORDER, at(b"", record.place))?)
}

fn load(tx: &dyn Transaction, identity: Identity) -> Result<Option<BanRecord>, RelayError> {
    tables::load(tx, BANS, key(identity.as_bytes()))
}

fn identity_field(bytes: &[u8]) -> Result<Identity, Failure> {
    Identity::try_from(bytes).map_err(|error| error.in_field("identity_key"))
}
