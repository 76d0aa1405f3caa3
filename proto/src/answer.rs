//! What every generated dispatch function does: decode, call, encode.

use bytes::Bytes;
use prost::Message;

use crate::failure::Failure;
use crate::limits::FRAME_PAYLOAD_BYTES_MAX;

/// Decodes the request, has it handled, and encodes the response.
pub(crate) fn answer<Q, R>(
    payload: Bytes,
    handle: impl FnOnce(Q) -> Result<R, Failure>,
) -> Result<Bytes, Failure>
where
    Q: Message + Default,
    R: Message,
{
    let request = Q::decode(payload).map_err(|_| Failure::bad_request("", "the request does not decode"))?;
    let response = handle(request)?;
    if response.encoded_len() > FRAME_PAYLOAD_BYTES_MAX {
        return Err(Failure::internal());
    }
    Ok(response.encode_to_vec().into())
}
