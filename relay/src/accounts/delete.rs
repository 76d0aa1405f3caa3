//! The end of an account.

use qpq_crypto::account::verify_deletion;
use qpq_crypto::transparency::{Subject, Value};
use qpq_proto::Failure;
use qpq_proto::ids::Identity;
use qpq_proto::v1::{DeleteAccountRequest, DeleteAccountResponse};

use crate::accounts::account;
use crate::context::Context;
use crate::devices::{self, end_sessions};
use crate::input::RelayError;
use crate::queues::close_mailboxes;
use crate::records::AccountRecord;
use crate::relay::Relay;
use crate::tables::{ACCOUNT_ORDER, ACCOUNTS, USERNAMES, at, key};
use crate::{blobs, channels, endpoints, keys, moderation, recovery};

impl Relay {
    pub(crate) fn delete_account(
        &mut self,
        cx: &mut Context<'_>,
        request: &DeleteAccountRequest,
    ) -> Result<DeleteAccountResponse, Failure> {
        let identity = cx.identity()?;
        let account = account(cx.tx, identity.as_bytes())?.ok_or_else(Failure::internal)?;
        let (of, session_key) = self.proven(cx, &account.username, &request.finalization)?;
        let exporter = cx.exporter()?;
        if of != identity {
            return Err(Failure::forbidden("the login is of another account"));
        }
        verify_deletion(&identity, &session_key, &exporter, &request.signature)
            .map_err(|error| Failure::bad_request("signature", error.to_string()))?;
        end_sessions(cx, identity, None)?;
        close_mailboxes(cx.tx, identity)?;
        forget(cx, identity, &account)?;
        cx.tx.delete(USERNAMES, key(account.username.as_bytes()))?;
        cx.tx.delete(ACCOUNT_ORDER, at(b"", account.place))?;
        cx.tx.delete(ACCOUNTS, key(identity.as_bytes()))?;
        cx.totals.users -= 1;
        self.append_to_log(cx, Subject::Name(&account.username), Value::Nobody)?;
        Ok(DeleteAccountResponse {})
    }
}

/// Removes what each service keeps for the account, at once or step by step.
fn forget(cx: &mut Context<'_>, identity: Identity, account: &AccountRecord) -> Result<(), RelayError> {
    let devices: Vec<_> = account.devices.iter().map(|device| device.device.clone()).collect();
    keys::forget_account(cx, identity, &devices)?;
    channels::forget_account(cx.tx, identity)?;
    devices::forget_account(cx.tx, identity, &devices)?;
    devices::moved(cx.tx, identity, &account.devices, &[])?;
    recovery::forget_account(cx.tx, identity)?;
    endpoints::forget_account(cx.tx, &devices)?;
    moderation::forget_account(cx.tx, identity)?;
    blobs::forget_account(cx.tx, identity)
}
