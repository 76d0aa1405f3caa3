//! Who administers the relay, for those who seal reports to them.
//!
//! Which accounts administer the relay says each account's record; here they are found without looking through all.

use qpq_proto::Failure;
use qpq_proto::ids::Identity;
use qpq_proto::limits::RELAY_ADMINISTRATORS_MAX;
use qpq_proto::v1::{AdministratorKey, ListAdministratorsRequest, ListAdministratorsResponse};

use crate::accounts::account;
use crate::context::Context;
use crate::input::RelayError;
use crate::keys::hybrid_key;
use crate::moderation::is_banned;
use crate::moderation::records::AdministratorsRecord;
use crate::records::UsernameRecord;
use crate::relay::Relay;
use crate::storage::Transaction;
use crate::tables::{self, ACCOUNT_ORDER, ADMINISTRATORS, key};

impl Relay {
    pub(crate) fn list_administrators(
        &self,
        cx: &Context<'_>,
        _: &ListAdministratorsRequest,
    ) -> Result<ListAdministratorsResponse, Failure> {
        let mut administrators: Vec<_> = self.owner.iter().cloned().collect();
        let owner = self.owner.as_ref().map(|owner| &owner.identity_key);
        for identity_key in load(cx.tx)?.unwrap_or_default().identities {
            if owner != Some(&identity_key) {
                administrators.extend(reachable(cx, identity_key)?);
            }
        }
        Ok(ListAdministratorsResponse { administrators })
    }
}

/// An administrator, if it can read what is sealed to it and is let in to fetch it.
fn reachable(cx: &Context<'_>, identity_key: Vec<u8>) -> Result<Option<AdministratorKey>, Failure> {
    let identity = Identity::try_from(identity_key.as_slice()).map_err(|_| Failure::internal())?;
    let account = account(cx.tx, &identity_key)?.filter(|account| !account.is_revoked);
    if account.is_none() || is_banned(cx.tx, identity, cx.now)? {
        return Ok(None);
    }
    let hybrid_key = hybrid_key(cx.tx, identity)?;
    Ok(hybrid_key.map(|hybrid_key| AdministratorKey { identity_key, hybrid_key: Some(hybrid_key) }))
}

/// Notes that an account administers the relay from now on, or does so no more.
///
/// # Errors
/// `QuotaExceeded` if there are as many as there may be.
pub(crate) fn note(tx: &mut dyn Transaction, identity: Identity, is_one: bool) -> Result<(), Failure> {
    let mut record = load(tx)?.unwrap_or_default();
    record.identities.retain(|known| known != identity.as_bytes());
    if is_one {
        if record.identities.len() >= RELAY_ADMINISTRATORS_MAX {
            let message = format!("{RELAY_ADMINISTRATORS_MAX} accounts administer this relay already");
            return Err(Failure::quota(message));
        }
        record.identities.push(identity.to_vec());
    }
    Ok(tables::save(tx, ADMINISTRATORS, key(b""), &record)?)
}

/// Forgets an account.
pub(crate) fn forget(tx: &mut dyn Transaction, identity: Identity) -> Result<(), RelayError> {
    let Some(mut record) = load(tx)? else { return Ok(()) };
    record.identities.retain(|known| known != identity.as_bytes());
    tables::save(tx, ADMINISTRATORS, key(b""), &record)
}

/// Looks the accounts through, once: earlier versions kept in their records alone who administers the relay.
pub(crate) fn open(tx: &mut dyn Transaction) -> Result<(), RelayError> {
    if load(tx)?.is_some() {
        return Ok(());
    }
    let (mut record, mut from) = (AdministratorsRecord::default(), 0);
    loop {
        let page: Vec<(u64, UsernameRecord)> =
            tables::scan(tx, ACCOUNT_ORDER, b"", from..u64::MAX, PAGE_ITEMS)?;
        for (place, UsernameRecord { identity }) in &page {
            from = place.saturating_add(1);
            if account(tx, identity)?.is_some_and(|account| account.is_administrator) {
                record.identities.push(identity.clone());
            }
        }
        if page.len() < PAGE_ITEMS {
            return tables::save(tx, ADMINISTRATORS, key(b""), &record);
        }
    }
}

fn load(tx: &dyn Transaction) -> Result<Option<AdministratorsRecord>, RelayError> {
    tables::load(tx, ADMINISTRATORS, key(b""))
}

/// Accounts that are read at once.
const PAGE_ITEMS: usize = 256;
