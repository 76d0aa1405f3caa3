//! Where to wake a device that has no connection.

use qpq_proto::Failure;
use qpq_proto::limits::PUSH_TOKEN_BYTES_MAX;
use qpq_proto::v1::{PushKind, RegisterPushTokenRequest, RegisterPushTokenResponse};

use crate::context::Context;
use crate::devices::address::check_endpoint;
use crate::devices::of_device;
use crate::devices::records::PushTokenRecord;
use crate::input::{Outcome, RelayError, Wake};
use crate::relay::Relay;
use crate::storage::Transaction;
use crate::tables::{self, PUSH_TOKENS, key};

impl Relay {
    pub(crate) fn register_push_token(
        &mut self,
        cx: &mut Context<'_>,
        request: &RegisterPushTokenRequest,
    ) -> Result<RegisterPushTokenResponse, Failure> {
        let session = cx.session()?;
        let device = crate::keys::device_field(&request.device_id)?;
        if device != session.device {
            return Err(Failure::forbidden("a device registers its own push token only"));
        }
        let kind = request.kind();
        let wrong = |message: String| Failure::bad_request("token", message);
        if request.token.len() > PUSH_TOKEN_BYTES_MAX {
            return Err(wrong(format!("a token has at most {PUSH_TOKEN_BYTES_MAX} bytes")));
        }
        let place = of_device(session.identity, device.as_bytes());
        self.wakes.forget(device);
        match kind {
            PushKind::Unspecified => return Err(Failure::bad_request("kind", "no service is named")),
            _ if request.token.is_empty() => {
                cx.tx.delete(PUSH_TOKENS, key(&place))?;
                return Ok(RegisterPushTokenResponse { deliverable: false });
            }
            PushKind::UnifiedPush => {
                check_endpoint(&request.token, self.push_to_private_addresses)
                    .map_err(|error| wrong(error.to_string()))?;
            }
            PushKind::Apns | PushKind::Fcm => {}
        }
        let record = PushTokenRecord { kind: kind.into(), token: request.token.clone() };
        tables::save(cx.tx, PUSH_TOKENS, key(&place), &record)?;
        Ok(RegisterPushTokenResponse { deliverable: kind == PushKind::UnifiedPush && self.wakes_devices })
    }
}

/// Forgets an endpoint that there is no more, unless the device has named another one since.
pub(crate) fn forget_endpoint(tx: &mut dyn Transaction, gone: &Wake) -> Result<Outcome, RelayError> {
    let place = of_device(gone.owner, gone.device.as_bytes());
    let held = tables::load::<PushTokenRecord>(tx, PUSH_TOKENS, key(&place))?;
    let is_unified = |record: &PushTokenRecord| record.kind == i32::from(PushKind::UnifiedPush);
    let keep = held.is_some_and(|record| is_unified(&record) && record.token == gone.endpoint.as_bytes());
    if keep {
        tx.delete(PUSH_TOKENS, key(&place))?;
    }
    Ok(Outcome { effects: Vec::new(), keep })
}
