//! The accounts for whoever administers the relay.

use qpq_proto::Failure;
use qpq_proto::ids::Identity;
use qpq_proto::v1::{
    ListRelayUsersRequest, ListRelayUsersResponse, RelayUser, SetRelayAdministratorRequest,
    SetRelayAdministratorResponse,
};

use crate::accounts::{account, username_field};
use crate::context::Context;
use crate::moderation::{administrators, after, cursor, is_banned, page_items};
use crate::records::{AccountRecord, UsernameRecord};
use crate::relay::Relay;
use crate::tables::{self, ACCOUNT_ORDER, ACCOUNTS, USERNAMES, key};

impl Relay {
    pub(crate) fn list_relay_users(
        &self,
        cx: &Context<'_>,
        request: &ListRelayUsersRequest,
    ) -> Result<ListRelayUsersResponse, Failure> {
        if !request.username.is_empty() || !request.identity_key.is_empty() {
            let users = named(cx, request)?.into_iter().collect();
            return Ok(ListRelayUsersResponse { users, next: Vec::new() });
        }
        let limit = page_items(request.limit)?;
        let from = after(&request.cursor)?;
        let found: Vec<(u64, UsernameRecord)> =
            tables::scan(cx.tx, ACCOUNT_ORDER, b"", from..u64::MAX, limit + 1)?;
        let page = &found[..found.len().min(limit)];
        let last = page.last().filter(|_| found.len() > limit);
        let mut users = Vec::with_capacity(page.len());
        for (_, UsernameRecord { identity }) in page {
            users.extend(user(cx, identity)?);
        }
        Ok(ListRelayUsersResponse { users, next: last.map(|(place, _)| cursor(*place)).unwrap_or_default() })
    }

    pub(crate) fn set_relay_administrator(
        &self,
        cx: &mut Context<'_>,
        request: &SetRelayAdministratorRequest,
    ) -> Result<SetRelayAdministratorResponse, Failure> {
        let identity = identity_field(&request.identity_key)?;
        cx.about = Some(identity);
        let account = account(cx.tx, identity.as_bytes())?
            .ok_or_else(|| Failure::not_found("nobody with this identity has an account here"))?;
        if account.is_administrator != request.administrator {
            let record = AccountRecord { is_administrator: request.administrator, ..account };
            tables::save(cx.tx, ACCOUNTS, key(identity.as_bytes()), &record)?;
            administrators::note(cx.tx, identity, request.administrator)?;
            // What a connection may do was found out when it was bound to its session.
            cx.unbind.push((identity, None));
        }
        Ok(SetRelayAdministratorResponse {})
    }
}

/// The one account that a request names, if there is such an account.
fn named(cx: &Context<'_>, request: &ListRelayUsersRequest) -> Result<Option<RelayUser>, Failure> {
    let by_key = match request.identity_key.as_slice() {
        [] => None,
        bytes => user(cx, identity_field(bytes)?.as_bytes())?,
    };
    if request.username.is_empty() {
        return Ok(by_key);
    }
    let username = username_field(&request.username)?;
    let found: Option<UsernameRecord> = tables::load(cx.tx, USERNAMES, key(username.as_bytes()))?;
    let by_name = found.map(|found| user(cx, &found.identity)).transpose()?.flatten();
    // Both, where both are named.
    Ok(by_name.filter(|user| request.identity_key.is_empty() || user.identity_key == request.identity_key))
}

fn user(cx: &Context<'_>, identity: &[u8]) -> Result<Option<RelayUser>, Failure> {
    let Some(account) = account(cx.tx, identity)? else { return Ok(None) };
    let key = Identity::try_from(identity).map_err(|_| Failure::internal())?;
    Ok(Some(RelayUser {
        identity_key: identity.to_vec(),
        username: account.username,
        registered_at_ms: account.registered_at_ms,
        devices: u32::try_from(account.devices.len()).unwrap_or(u32::MAX),
        last_seen_ms: account.devices.iter().map(|device| device.last_seen_ms).max().unwrap_or_default(),
        administrator: account.is_administrator,
        revoked: account.is_revoked,
        banned: is_banned(cx.tx, key, cx.now)?,
    }))
}

fn identity_field(bytes: &[u8]) -> Result<Identity, Failure> {
    Identity::try_from(bytes).map_err(|error| error.in_field("identity_key"))
}
