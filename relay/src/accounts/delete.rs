//! The end of an account.

use qpq_crypto::account::verify_deletion;
use qpq_crypto::transparency::{Subject, Value};
use qpq_proto::Failure;
use qpq_proto::v1::{DeleteAccountRequest, DeleteAccountResponse};

use crate::accounts::{account, end_sessions};
use crate::context::Context;
use crate::queues::close_mailboxes;
use crate::relay::Relay;
use crate::tables::{ACCOUNTS, DEVICE_LISTS, USERNAMES, key};

impl Relay {
    pub(crate) fn delete_account(
        &mut self,
        cx: &mut Context<'_>,
        request: &DeleteAccountRequest,
    ) -> Result<DeleteAccountResponse, Failure> {
        let identity = cx.identity()?;
        let account = account(cx.tx, identity.as_bytes())?.ok_or_else(Failure::internal)?;
        let (of, session_key) = self.proven(cx, &account.username, &request.finalization)?;
        let exporter = cx.call()?.caller.exporter;
        if of != identity {
            return Err(Failure::forbidden("the login is of another account"));
        }
        verify_deletion(&identity, &session_key, &exporter, &request.signature)
            .map_err(|error| Failure::bad_request("signature", error.to_string()))?;
        end_sessions(cx.tx, identity, None)?;
        close_mailboxes(cx.tx, identity)?;
        cx.tx.delete(USERNAMES, key(account.username.as_bytes()))?;
        cx.tx.delete(DEVICE_LISTS, key(identity.as_bytes()))?;
        cx.tx.delete(ACCOUNTS, key(identity.as_bytes()))?;
        self.append_to_log(cx, Subject::Name(&account.username), Value::Nobody)?;
        cx.unbind.push((identity, None));
        Ok(DeleteAccountResponse {})
    }
}
