//! Registering.

use qpq_crypto::account::verify_possession;
use qpq_crypto::opaque::{OpaqueError, check_record};
use qpq_crypto::transparency::{Subject, Value};
use qpq_proto::Failure;
use qpq_proto::ids::Identity;
use qpq_proto::v1::{
    OpaqueRegisterFinishRequest, OpaqueRegisterFinishResponse, OpaqueRegisterStartRequest,
    OpaqueRegisterStartResponse, RegistrationPolicy,
};

use crate::accounts::{account, invitations, username_field};
use crate::context::Context;
use crate::log::is_revoked;
use crate::records::{AccountRecord, UsernameRecord};
use crate::relay::{Registration, Relay};
use crate::tables::{self, ACCOUNT_ORDER, ACCOUNTS, USERNAMES, at, key};

impl Relay {
    pub(crate) fn opaque_register_start(
        &self,
        cx: &Context<'_>,
        request: &OpaqueRegisterStartRequest,
    ) -> Result<OpaqueRegisterStartResponse, Failure> {
        let username = username_field(&request.username)?;
        let answered = self.secrets.opaque.answer_registration(&username, &request.request);
        let response = answered.map_err(|error| opaque_failure("request", &error))?;
        let (policy, work) = match self.registration {
            Registration::Closed => (RegistrationPolicy::Closed, None),
            Registration::Open => (RegistrationPolicy::Open, None),
            Registration::Work { bits } => {
                (RegistrationPolicy::Work, Some(self.work.challenge(&username, bits, cx.now)))
            }
        };
        Ok(OpaqueRegisterStartResponse { response, policy: policy.into(), work })
    }

    pub(crate) fn opaque_register_finish(
        &self,
        cx: &mut Context<'_>,
        request: &OpaqueRegisterFinishRequest,
    ) -> Result<OpaqueRegisterFinishResponse, Failure> {
        let username = username_field(&request.username)?;
        let identity = Identity::try_from(request.identity_key.as_slice())
            .map_err(|error| error.in_field("identity_key"))?;
        if let Registration::Work { bits } = self.registration
            && request.invitation.is_empty()
        {
            let found = (request.work_challenge.as_slice(), request.work_nonce);
            self.work.check(&username, &identity, bits, found, cx.now)?;
        }
        check_record(&request.upload).map_err(|error| opaque_failure("upload", &error))?;
        verify_possession(&identity, &username, &request.upload, &request.proof_of_possession)
            .map_err(|error| Failure::bad_request("proof_of_possession", error.to_string()))?;
        // Before anything is told about names: nobody without an invitation learns which are taken.
        let is_invited = match self.registration {
            Registration::Closed => true,
            Registration::Open => false,
            Registration::Work { .. } => !request.invitation.is_empty(),
        };
        if is_invited {
            invitations::use_up(cx, &request.invitation)?;
        }
        if cx.tx.get(USERNAMES, key(username.as_bytes()))?.is_some() {
            return Err(Failure::conflict("this name is taken: choose another"));
        }
        if is_revoked(cx.tx, &identity)? {
            return Err(Failure::forbidden("this identity was revoked: make a new one"));
        }
        if account(cx.tx, identity.as_bytes())?.is_some() {
            return Err(Failure::conflict("this identity has an account here: log in"));
        }
        let place = tables::next_ordinal(cx.tx, ACCOUNT_ORDER, b"")?;
        let named = UsernameRecord { identity: identity.to_vec() };
        tables::save(cx.tx, ACCOUNT_ORDER, at(b"", place), &named)?;
        let record = AccountRecord {
            username: username.clone(),
            place,
            opaque_record: request.upload.clone(),
            registered_at_ms: cx.now.wall_ms,
            ..AccountRecord::default()
        };
        tables::save(cx.tx, ACCOUNTS, key(identity.as_bytes()), &record)?;
        tables::save(cx.tx, USERNAMES, key(username.as_bytes()), &named)?;
        self.append_to_log(cx, Subject::Name(&username), Value::Identity(&identity))?;
        self.open_own_mailbox(cx.tx, cx.rng, identity)?;
        cx.totals.users += 1;
        Ok(OpaqueRegisterFinishResponse { success: true })
    }
}

/// A message of OPAQUE that is none.
pub(super) fn opaque_failure(field: &str, error: &OpaqueError) -> Failure {
    match error {
        OpaqueError::Refused => Failure::unauthorized(error.to_string()),
        _ => Failure::bad_request(field, error.to_string()),
    }
}
