//! Frames out of a stream that comes in pieces.

use bytes::{Buf, BytesMut};

use super::{Frame, FrameError, Header, PushHeader, RequestHeader, ResponseHeader};

/// Reads frames from a stream that comes in pieces of any size.
///
/// The decoder reserves nothing: the driver reads into the buffer, and [`needed_bytes`](Self::needed_bytes) tells it how
/// much the present frame still lacks. A driver that keeps account of memory reads no more than that, and reserves
/// [`announced_bytes`](Self::announced_bytes) as soon as the header is there. After an error the stream is at an end.
#[derive(Debug)]
pub struct Decoder<H> {
    header: Option<H>,
}

/// Reads requests.
pub type RequestDecoder = Decoder<RequestHeader>;

/// Reads responses.
pub type ResponseDecoder = Decoder<ResponseHeader>;

/// Reads push events.
pub type PushDecoder = Decoder<PushHeader>;

impl<H> Default for Decoder<H> {
    fn default() -> Self {
        Self { header: None }
    }
}

impl<H: Header> Decoder<H> {
    /// A decoder at the beginning of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next whole frame off the front of the buffer; `None` until it is there. The payload shares the buffer's
    /// memory.
    ///
    /// # Errors
    /// [`FrameError::PayloadTooLong`] as soon as a header announces too much.
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Frame<H>>, FrameError> {
        let Some(header) = self.take_header(buffer)? else { return Ok(None) };
        if buffer.len() < header.payload_bytes() {
            self.header = Some(header);
            return Ok(None);
        }
        let payload = buffer.split_to(header.payload_bytes()).freeze();
        Ok(Some(Frame { header, payload }))
    }

    /// Length of the payload of the frame that is being read; `None` before its header is there.
    #[must_use]
    pub fn announced_bytes(&self) -> Option<usize> {
        self.header.as_ref().map(Header::payload_bytes)
    }

    /// How many bytes the header, or after it the payload, still lacks. Never more than a frame may have, and 0 only
    /// when [`decode`](Self::decode) has something to take.
    #[must_use]
    pub fn needed_bytes(&self, buffer: &BytesMut) -> usize {
        let wanted = self.announced_bytes().unwrap_or_else(|| H::Encoded::default().as_ref().len());
        wanted.saturating_sub(buffer.len())
    }

    /// Checks that the stream may end here.
    ///
    /// # Errors
    /// [`FrameError::Truncated`] within a frame.
    pub fn finish(&self, buffer: &BytesMut) -> Result<(), FrameError> {
        if self.header.is_none() && buffer.is_empty() {
            return Ok(());
        }
        Err(FrameError::Truncated { missing_bytes: self.needed_bytes(buffer) })
    }

    /// The header that was read before, or the one at the front of the buffer.
    fn take_header(&mut self, buffer: &mut BytesMut) -> Result<Option<H>, FrameError> {
        if let Some(header) = self.header.take() {
            return Ok(Some(header));
        }
        let mut encoded = H::Encoded::default();
        if buffer.len() < encoded.as_ref().len() {
            return Ok(None);
        }
        buffer.copy_to_slice(encoded.as_mut());
        H::decode(&encoded).map(Some)
    }
}
