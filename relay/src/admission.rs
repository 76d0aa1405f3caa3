//! What a caller may ask, as the method table says, and how much: every call costs tokens, out of the buckets of its connection, of who it is, and of where
//! it comes from.
//!
//! A method costs about what it takes to answer it, in calls of the cheapest kind. The owner of the node pays nothing.

use qpq_proto::limits::RelayLimits;
use qpq_proto::{CallerClass, Failure, Method};

use crate::context::{Call, Who};
use crate::input::{Caller, ConnectionId, Peer};
use crate::rates::Buckets;

/// Whether the method table lets the caller call the method, as whom it is logged in or as what its connection shows.
pub(crate) fn admit(caller: &Caller, administers: Option<bool>, method: Method) -> Result<(), Failure> {
    let access = method.access();
    let by_connection = match caller.peer {
        Peer::Owner => CallerClass::Owner,
        Peer::Node(_) => CallerClass::Node,
        Peer::Anyone => access.unauthenticated(),
    };
    let by_login = administers.map(|administers| match administers {
        true => CallerClass::Administrator,
        false => CallerClass::Session,
    });
    if access.permits(by_connection) || by_login.is_some_and(|class| access.permits(class)) {
        return Ok(());
    }
    match by_login {
        None if access.permits(CallerClass::Administrator) => {
            Err(Failure::unauthorized(format!("{} needs a session: log in first", method.name())))
        }
        _ => Err(Failure::forbidden(format!("{} is not for this caller", method.name()))),
    }
}

/// The buckets that all calls are paid from.
#[derive(Debug)]
pub(crate) struct CallRates {
    connections: Buckets<ConnectionId>,
    /// Accounts and nodes.
    callers: Buckets<Who>,
    addresses: Buckets<Who>,
}

impl CallRates {
    /// Nobody has called yet.
    pub(crate) fn new(limits: &RelayLimits) -> Self {
        Self {
            connections: Buckets::new(limits.calls_per_connection, limits.rate_keys_max),
            callers: Buckets::new(limits.calls_per_caller, limits.rate_keys_max),
            addresses: Buckets::new(limits.calls_per_address, limits.rate_keys_max),
        }
    }

    /// A call is paid for, or refused.
    pub(crate) fn charge(&mut self, call: &Call, method: Method, monotonic_ms: u64) -> Result<(), Failure> {
        self.charge_more(call, cost(method), monotonic_ms)
    }

    /// A call turns out to cost so much more, in calls of the cheapest kind: it is paid for, or refused.
    pub(crate) fn charge_more(&mut self, call: &Call, cost: u32, monotonic_ms: u64) -> Result<(), Failure> {
        if call.caller.peer == Peer::Owner {
            return Ok(());
        }
        self.connections.take(call.caller.connection, cost, monotonic_ms)?;
        let address = Who::address(&call.caller);
        if matches!(address, Who::Address(_)) {
            self.addresses.take(address, cost, monotonic_ms)?;
        }
        match call.who() {
            who @ (Who::Account(_) | Who::Node(_)) => self.callers.take(who, cost, monotonic_ms),
            Who::Address(_) | Who::Connection(_) => Ok(()),
        }
    }

    /// A connection has ended.
    pub(crate) fn disconnected(&mut self, connection: ConnectionId) {
        self.connections.forget(connection);
    }
}

/// Whether the relay keeps more after the call than before, as a rule.
pub(crate) fn takes_room(method: Method) -> bool {
    matches!(
        method,
        Method::Enqueue
            | Method::BatchEnqueue
            | Method::OpaqueRegisterFinish
            | Method::UploadKeyPackage
            | Method::RegisterMailbox
            | Method::SetDeliveryTokens
            | Method::CreateChannel
            | Method::UpdateGroupMetadata
            | Method::UploadBlob
            | Method::StoreRecoveryBundle
            | Method::PublishEndpoint
            | Method::ReportMessage
    )
}

/// What a call costs, in calls of the cheapest kind.
fn cost(method: Method) -> u32 {
    match method {
        // Exponentiations, and a password that somebody may be guessing.
        Method::OpaqueRegisterStart
        | Method::OpaqueRegisterFinish
        | Method::OpaqueLoginStart
        | Method::OpaqueLoginFinish
        | Method::DeleteAccount => 32,
        // Many signatures to verify, many records to write, or many people to tell.
        Method::RegisterDevice | Method::RevokeDevice | Method::RotateKeys => 16,
        // Megabytes, proofs, or several records.
        Method::ResumeSession
        | Method::RegisterMailbox
        | Method::RevokeMailbox
        | Method::SetDeliveryTokens
        | Method::UploadKeyPackage
        | Method::FetchKeyPackage
        | Method::UploadHybridKey
        | Method::FetchHybridKeys
        | Method::CreateChannel
        | Method::RemoveMember
        | Method::UpdateGroupMetadata
        | Method::ReportMessage
        | Method::ResolveUser
        | Method::ResolveIdentity
        | Method::CheckRevocation
        | Method::AuditKeyTransparency
        | Method::UploadBlob
        | Method::DownloadBlob
        | Method::StoreRecoveryBundle
        | Method::FetchRecoveryBundle => 4,
        // A batch costs one more for each mailbox after the first.
        _ => 1,
    }
}
