//! The end of a device, and of an identity.
//!
//! A device ends by the identity's next device list. An identity ends by its own signature, once and for good: its
//! account stays, so that nobody takes the name and passes for its owner, but nobody logs in to it.

use qpq_crypto::account::verify_revocation;
use qpq_crypto::transparency::{Revocation, Subject, Value};
use qpq_proto::Failure;
use qpq_proto::ids::Identity;
use qpq_proto::limits::REASON_BYTES_MAX;
use qpq_proto::v1::revoke_key_request::Revocation as Revoked;
use qpq_proto::v1::{
    CheckRevocationRequest, CheckRevocationResponse, IdentityRevocation, RevocationProof, RevokeKeyRequest,
    RevokeKeyResponse,
};

use super::lookup::Lookup;
use super::store;
use crate::accounts::account;
use crate::context::Context;
use crate::devices::{end_sessions, known_list};
use crate::input::RelayError;
use crate::queues::close_mailboxes;
use crate::relay::Relay;
use crate::storage::Transaction;
use crate::tables::{self, ACCOUNTS, key};

/// Whether the log says that an identity has ended.
pub(crate) fn is_revoked(tx: &dyn Transaction, identity: &Identity) -> Result<bool, RelayError> {
    Ok(store::subject(tx, Subject::Revocation(identity))?.is_some())
}

impl Relay {
    pub(crate) fn revoke_key(
        &self,
        cx: &mut Context<'_>,
        request: &RevokeKeyRequest,
    ) -> Result<RevokeKeyResponse, Failure> {
        let identity = cx.identity()?;
        let leaf_index = match &request.revocation {
            None => return Err(Failure::bad_request("revocation", "say what is to be revoked")),
            Some(Revoked::DeviceList(list)) => {
                self.take_device_list(cx, identity, list)?;
                0
            }
            Some(Revoked::Identity(revocation)) => self.end_identity(cx, identity, revocation)?,
        };
        Ok(RevokeKeyResponse { leaf_index })
    }

    pub(crate) fn check_revocation(
        &self,
        cx: &mut Context<'_>,
        request: &CheckRevocationRequest,
    ) -> Result<CheckRevocationResponse, Failure> {
        let identity = Identity::try_from(request.identity_key.as_slice())
            .map_err(|error| error.in_field("identity_key"))?;
        let looked_up = self.look_up(cx, Subject::Revocation(&identity), request.last_tree_size)?;
        let Lookup { found, proof, consistency, tree_head } = looked_up;
        let revocation = found.and_then(|found| found.revocation);
        let revoked = revocation.is_some();
        let revocation = revocation.unwrap_or_default();
        let proof = RevocationProof {
            inclusion: proof.inclusion,
            prefix_path: proof.prefix_path,
            tree_head: Some(tree_head),
            vrf_proof: proof.vrf_proof,
            opening: proof.opening,
            newest: proof.newest,
            neighbour: proof.neighbour,
            consistency,
        };
        Ok(CheckRevocationResponse {
            revoked,
            reason: revocation.reason,
            timestamp_ms: revocation.at_ms,
            proof: Some(proof),
            sequence: revocation.sequence,
            signature: revocation.signature,
        })
    }

    /// Ends an identity, and gives the index of the entry that says so.
    fn end_identity(
        &self,
        cx: &mut Context<'_>,
        identity: Identity,
        revocation: &IdentityRevocation,
    ) -> Result<u64, Failure> {
        check_end(cx.tx, identity, revocation)?;
        let mut account = account(cx.tx, identity.as_bytes())?.ok_or_else(Failure::internal)?;
        account.is_revoked = true;
        tables::save(cx.tx, ACCOUNTS, key(identity.as_bytes()), &account)?;
        end_sessions(cx, identity, None)?;
        // Nobody will ever fetch what lies there, and whoever sends learns it.
        close_mailboxes(cx.tx, identity)?;
        let ended = Revocation {
            sequence: revocation.sequence,
            at_ms: cx.now.wall_ms,
            reason: revocation.reason.clone(),
            signature: revocation.signature.clone(),
        };
        Ok(self.append_to_log(cx, Subject::Revocation(&identity), Value::Revocation(&ended))?)
    }
}

/// Refuses what is not the end of this identity, signed by it after all of its device lists.
fn check_end(
    tx: &dyn Transaction,
    identity: Identity,
    revocation: &IdentityRevocation,
) -> Result<(), Failure> {
    let named = Identity::try_from(revocation.identity_key.as_slice())
        .map_err(|error| error.in_field("identity.identity_key"))?;
    if named != identity {
        return Err(Failure::forbidden("an identity is revoked by its own devices"));
    }
    if revocation.reason.len() > REASON_BYTES_MAX {
        let message = format!("a reason has at most {REASON_BYTES_MAX} bytes");
        return Err(Failure::bad_request("identity.reason", message));
    }
    verify_revocation(&identity, revocation.sequence, &revocation.reason, &revocation.signature)
        .map_err(|error| Failure::bad_request("identity.signature", error.to_string()))?;
    if is_revoked(tx, &identity)? {
        return Err(Failure::conflict("this identity is revoked already"));
    }
    let newest = known_list(tx, identity)?.map_or(0, |list| list.sequence);
    if revocation.sequence <= newest {
        return Err(Failure::conflict(format!(
            "device list {newest} is known here: sign the revocation with a higher sequence"
        )));
    }
    Ok(())
}
