//! The pieces of a frame, as they come and go.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use qpq_proto::frame::{Frame, FrameError, Header};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::{ReadError, Violation};

/// Writes header and payload.
pub(crate) async fn write_frame<W, H>(stream: &mut W, frame: Frame<H>) -> std::io::Result<()>
where
    W: AsyncWrite + Unpin,
    H: Header,
{
    stream.write_all_buf(&mut frame_bytes(frame)).await
}

/// The bytes of a frame. A short one is in one piece, so that it leaves in one packet, whoever sends packets meanwhile;
/// the payload of a long one is not copied.
pub(crate) fn frame_bytes<H: Header>(frame: Frame<H>) -> impl Buf {
    const ONE_PIECE_BYTES_MAX: usize = 4 * 1024;
    let Frame { header, payload } = frame;
    let header = header.encode();
    if payload.len() > ONE_PIECE_BYTES_MAX {
        return Bytes::copy_from_slice(header.as_ref()).chain(payload);
    }
    Bytes::from([header.as_ref(), payload.as_ref()].concat()).chain(Bytes::new())
}

/// Fills the buffer; a stream that ends before is a broken frame.
pub(crate) async fn read_exact<R: AsyncRead + Unpin>(
    stream: &mut R,
    buffer: &mut [u8],
) -> Result<(), ReadError> {
    match stream.read_exact(buffer).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(truncated(1)),
        Err(error) => Err(error.into()),
    }
}

/// The additional time for a payload of this length, on the slowest link that is worth waiting for.
pub(crate) fn transfer_time(bytes: usize) -> Duration {
    const BYTES_PER_SECOND_MIN: u32 = 16 * 1024;
    Duration::from_secs(bytes as u64) / BYTES_PER_SECOND_MIN
}

/// Reads a payload whose length has been checked and reserved. The buffer grows with what arrives; `patience` is how
/// long nothing may arrive.
pub(crate) async fn read_payload<R: AsyncRead + Unpin>(
    stream: &mut R,
    bytes: usize,
    patience: Duration,
) -> Result<Bytes, ReadError> {
    const FIRST_BYTES_MAX: usize = 64 * 1024;
    let mut payload = BytesMut::with_capacity(bytes.min(FIRST_BYTES_MAX));
    let mut rest = stream.take(bytes as u64);
    while payload.len() < bytes {
        let read = timeout(patience, rest.read_buf(&mut payload)).await;
        if read.map_err(|_| ReadError::Stalled)?? == 0 {
            return Err(truncated(bytes - payload.len()));
        }
    }
    Ok(payload.freeze())
}

fn truncated(missing_bytes: usize) -> ReadError {
    Violation::from(FrameError::Truncated { missing_bytes }).into()
}

/// Whether nothing more comes.
pub(crate) async fn is_at_end<R: AsyncRead + Unpin>(stream: &mut R) -> Result<bool, ReadError> {
    Ok(stream.read(&mut [0; 1]).await? == 0)
}
