//! Logging in and resuming.

use std::collections::{BTreeMap, BTreeSet};

use qpq_crypto::account::{session_token_hash, verify_login, verify_session};
use qpq_crypto::opaque::{Account, PendingLogin, SessionKey};
use qpq_proto::Failure;
use qpq_proto::ids::{DeviceKey, Identity};
use qpq_proto::v1::{
    OpaqueLoginFinishRequest, OpaqueLoginFinishResponse, OpaqueLoginStartRequest, OpaqueLoginStartResponse,
    ResumeSessionRequest, ResumeSessionResponse,
};

use crate::accounts::register::opaque_failure;
use crate::accounts::session_records::{new_session, prolong, session_of};
use crate::accounts::{account, username_field};
use crate::context::Context;
use crate::input::ConnectionId;
use crate::moderation::check_not_banned;
use crate::records::{AccountRecord, UsernameRecord};
use crate::relay::Relay;
use crate::sessions::Session;
use crate::tables::{self, USERNAMES, key};

/// Logins that wait for their last message, one a connection.
#[derive(Debug, Default)]
pub(crate) struct Logins {
    pending: BTreeMap<ConnectionId, Pending>,
    /// In the order in which they were begun.
    by_age: BTreeSet<(u64, ConnectionId)>,
    next_age: u64,
}

#[derive(Debug)]
struct Pending {
    age: u64,
    username: String,
    login: PendingLogin,
}

impl Logins {
    /// A login was begun, in place of the connection's last one. The oldest makes room.
    fn begin(&mut self, connection: ConnectionId, username: String, login: PendingLogin, logins_max: usize) {
        self.forget(connection);
        while self.pending.len() >= logins_max.max(1)
            && let Some((_, oldest)) = self.by_age.first().copied()
        {
            self.forget(oldest);
        }
        let age = self.next_age;
        self.next_age += 1;
        self.by_age.insert((age, connection));
        self.pending.insert(connection, Pending { age, username, login });
    }

    /// Takes out the login of a connection.
    fn take(&mut self, connection: ConnectionId) -> Option<(String, PendingLogin)> {
        let pending = self.pending.remove(&connection)?;
        self.by_age.remove(&(pending.age, connection));
        Some((pending.username, pending.login))
    }

    /// The connection has ended.
    pub(crate) fn forget(&mut self, connection: ConnectionId) {
        let _ = self.take(connection);
    }
}

impl Relay {
    pub(crate) fn opaque_login_start(
        &mut self,
        cx: &mut Context<'_>,
        request: &OpaqueLoginStartRequest,
    ) -> Result<OpaqueLoginStartResponse, Failure> {
        let username = username_field(&request.username)?;
        let found: Option<UsernameRecord> = tables::load(cx.tx, USERNAMES, key(username.as_bytes()))?;
        // As many reads for a name that nobody has.
        let owner = found.map_or_else(|| cx.random::<32>().to_vec(), |found| found.identity);
        let record = account(cx.tx, &owner)?;
        let identity = Identity::try_from(owner.as_slice()).map_err(|_| Failure::internal())?;
        let account =
            record.as_ref().map(|record| Account { identity: &identity, record: &record.opaque_record });
        let answered = self.secrets.opaque.answer_login(cx.rng, &username, account, &request.request);
        let (login, response) = answered.map_err(|error| opaque_failure("request", &error))?;
        let connection = cx.call()?.caller.connection;
        self.logins.begin(connection, username, login, self.limits.logins_max);
        Ok(OpaqueLoginStartResponse { response })
    }

    pub(crate) fn opaque_login_finish(
        &mut self,
        cx: &mut Context<'_>,
        request: &OpaqueLoginFinishRequest,
    ) -> Result<OpaqueLoginFinishResponse, Failure> {
        let username = username_field(&request.username)?;
        let device =
            DeviceKey::try_from(request.device_id.as_slice()).map_err(|error| error.in_field("device_id"))?;
        let (identity, session_key) = self.proven(cx, &username, &request.finalization)?;
        if identity.as_bytes() != request.identity_key.as_slice() {
            return Err(Failure::forbidden("the account is another identity's"));
        }
        let exporter = cx.exporter()?;
        verify_login(&device, &session_key, &exporter, &request.device_signature)
            .map_err(|error| Failure::bad_request("device_signature", error.to_string()))?;
        if !request.device_list.is_empty() {
            self.take_device_list(cx, identity, &request.device_list)?;
        }
        let account = account_with(cx, identity, device)?;
        let (session_token, session) = new_session(self, cx, identity, device, &account)?;
        cx.bind = Some(session);
        Ok(OpaqueLoginFinishResponse {
            session_token: session_token.to_vec(),
            expires_at_ms: cx.now.on_the_wall(session.expires_at_ms),
            transparency: Some(self.transparency_keys()),
        })
    }

    pub(crate) fn resume_session(
        &self,
        cx: &mut Context<'_>,
        request: &ResumeSessionRequest,
    ) -> Result<ResumeSessionResponse, Failure> {
        let token: &[u8; 32] = request
            .session_token
            .as_slice()
            .try_into()
            .map_err(|_| Failure::bad_request("session_token", "a token is 32 bytes long"))?;
        let hash = session_token_hash(token);
        let found = session_of(cx, &hash)?;
        let found = found.ok_or_else(|| Failure::unauthorized("the session has ended: log in again"))?;
        let exporter = cx.exporter()?;
        verify_session(&found.device, &hash, &exporter, &request.device_signature)
            .map_err(|error| Failure::bad_request("device_signature", error.to_string()))?;
        let account = account_with(cx, found.identity, found.device)?;
        let found = prolong(self, cx, &hash, found)?;
        let session = Session { is_administrator: account.is_administrator, ..found };
        cx.bind = Some(session);
        Ok(ResumeSessionResponse {
            identity_key: session.identity.to_vec(),
            device_id: session.device.to_vec(),
            expires_at_ms: cx.now.on_the_wall(session.expires_at_ms),
            transparency: Some(self.transparency_keys()),
        })
    }

    /// Takes the last message of the connection's login: whose account it is, and what both now share.
    pub(super) fn proven(
        &mut self,
        cx: &Context<'_>,
        username: &str,
        finalization: &[u8],
    ) -> Result<(Identity, SessionKey), Failure> {
        let begun = self.logins.take(cx.call()?.caller.connection);
        let (of, login) = begun
            .filter(|(of, _)| of == username)
            .ok_or_else(|| Failure::conflict("no login for this name was begun on this connection"))?;
        let session_key =
            login.finish(finalization).map_err(|error| opaque_failure("finalization", &error))?;
        let found: Option<UsernameRecord> = tables::load(cx.tx, USERNAMES, key(of.as_bytes()))?;
        let identity = found.and_then(|found| Identity::try_from(found.identity.as_slice()).ok());
        Ok((identity.ok_or_else(Failure::internal)?, session_key))
    }
}

/// The account, if the device is one of its devices.
fn account_with(cx: &Context<'_>, identity: Identity, device: DeviceKey) -> Result<AccountRecord, Failure> {
    check_not_banned(cx.tx, identity, cx.now)?;
    let account = account(cx.tx, identity.as_bytes())?.ok_or_else(no_device)?;
    if account.is_revoked {
        return Err(Failure::forbidden("this identity was revoked, and its account with it: make a new one"));
    }
    let is_its = account.devices.iter().any(|of| of.device == device.as_bytes());
    if is_its { Ok(account) } else { Err(no_device()) }
}

fn no_device() -> Failure {
    Failure::unauthorized(
        "this device is none of the account's: send the identity's signed device list that names it",
    )
}
