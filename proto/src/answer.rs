//! What every generated dispatch function does: check the size, decode, call, encode.

use bytes::Bytes;
use prost::Message;
use prost::encoding::{DecodeContext, decode_key, skip_field};

use crate::failure::Failure;
use crate::generated::methods::Method;
use crate::limits::REQUEST_FIELDS_MAX;

/// Decodes the request, has it handled, and encodes the response.
pub(crate) fn answer<Q, R>(
    method: Method,
    payload: Bytes,
    handle: impl FnOnce(Q) -> Result<R, Failure>,
) -> Result<Bytes, Failure>
where
    Q: Message + Default,
    R: Message,
{
    if payload.len() > method.request_bytes_max() {
        return Err(Failure::bad_request("", "the request is longer than the method allows"));
    }
    if !has_few_fields(payload.clone()) {
        return Err(Failure::bad_request("", "the request does not decode, or repeats a field too often"));
    }
    let request = Q::decode(payload).map_err(|_| Failure::bad_request("", "the request does not decode"))?;
    let response = handle(request)?;
    if response.encoded_len() > method.response_bytes_max() {
        return Err(Failure::internal());
    }
    Ok(response.encode_to_vec().into())
}

/// Whether the payload is a message of at most [`REQUEST_FIELDS_MAX`] fields. Seen before it is decoded: an empty element
/// of a repeated field is two bytes on the wire, but fifty in memory.
fn has_few_fields(mut payload: Bytes) -> bool {
    for _ in 0..REQUEST_FIELDS_MAX {
        if payload.is_empty() {
            return true;
        }
        let skipped = decode_key(&mut payload)
            .and_then(|(tag, wire_type)| skip_field(wire_type, tag, &mut payload, DecodeContext::default()));
        if skipped.is_err() {
            return false;
        }
    }
    payload.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::BATCH_RECIPIENTS_MAX;
    use crate::v1::{BatchEnqueueRequest, BatchRecipient, HealthRequest, HealthResponse};

    fn handled(method: Method, payload: Vec<u8>) -> bool {
        let mut handled = false;
        let _ = answer(method, payload.into(), |_: BatchEnqueueRequest| {
            handled = true;
            Ok(HealthResponse::default())
        });
        handled
    }

    #[test]
    fn repetition_is_bounded_before_it_is_decoded() {
        let recipients = |count| BatchEnqueueRequest {
            recipients: vec![BatchRecipient::default(); count],
            ..Default::default()
        };
        for (count, expected) in [
            (0, true),
            (BATCH_RECIPIENTS_MAX, true),
            (REQUEST_FIELDS_MAX, true),
            (REQUEST_FIELDS_MAX + 1, false),
            (2_000_000, false),
        ] {
            let payload = recipients(count).encode_to_vec();
            assert_eq!(handled(Method::BatchEnqueue, payload), expected, "{count}");
        }
    }

    #[test]
    fn a_request_longer_than_its_method_allows_is_not_decoded() {
        let payload = vec![0; Method::Health.request_bytes_max() + 1];
        let failure =
            answer(Method::Health, payload.into(), |_: HealthRequest| Ok(HealthResponse::default()));
        assert_eq!(failure.unwrap_err().message, "the request is longer than the method allows");
    }
}
