//! Frames: how requests, responses and push events lie on a byte stream.
//!
//! ```text
//! request    method id u16 | request id u32 | payload length u32 | payload
//! response   status u8     | request id u32 | payload length u32 | payload
//! push       event type u16                 | payload length u32 | payload
//! ```
//!
//! Integers are big-endian. A payload is one protobuf message of at most [`FRAME_PAYLOAD_BYTES_MAX`]; a longer announced
//! length is refused as soon as the header is there, before any of the payload is read or reserved.
//!
//! Writing: [`RequestHeader::new`], [`ResponseHeader::new`] and [`PushHeader::new`] make a header for a payload; header and
//! payload are then written one after the other, so that the payload is never copied.
//!
//! Reading: a driver that reads exact lengths decodes a header and then reads its `payload_bytes`. One that reads whatever
//! comes gives it to a [`Decoder`], piece by piece, which yields whole frames.
//!
//! A method, status or event that this version does not know is no broken frame: the frame is read in full and its number
//! is handed on, so that an unknown method can be answered with `UnknownMethod` and the stream goes on.

mod decoder;

use bytes::{Buf, Bytes};

use crate::failure::Failure;
use crate::generated::methods::Method;
use crate::limits::FRAME_PAYLOAD_BYTES_MAX;
use crate::status::Status;
use crate::v1::PushEvent;

pub use decoder::{Decoder, PushDecoder, RequestDecoder, ResponseDecoder};

/// Bytes of a request's header.
pub const REQUEST_HEADER_BYTES: usize = 10;

/// Bytes of a response's header.
pub const RESPONSE_HEADER_BYTES: usize = 9;

/// Bytes of a push event's header.
pub const PUSH_HEADER_BYTES: usize = 6;

/// Bytes do not form a frame. A stream on which this happens cannot be read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The payload is longer than a frame's may be.
    #[error("payload of {actual_bytes} bytes, at most {FRAME_PAYLOAD_BYTES_MAX} are allowed")]
    PayloadTooLong {
        /// Length that was announced, or that was to be sent.
        actual_bytes: usize,
    },
    /// The stream ended within a frame.
    #[error("the stream ended {missing_bytes} bytes before the frame did")]
    Truncated {
        /// Bytes that were still to come; at least so many when the header itself is cut.
        missing_bytes: usize,
    },
}

impl From<FrameError> for Failure {
    fn from(error: FrameError) -> Self {
        Self::bad_request("", error.to_string())
    }
}

/// A header with the payload it announces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<H> {
    /// The header.
    pub header: H,
    /// The payload, `header.payload_bytes` long.
    pub payload: Bytes,
}

/// The three kinds of headers.
pub trait Header: Sized {
    /// The header's bytes on the wire: an array.
    type Encoded: AsRef<[u8]> + AsMut<[u8]> + Copy + Default;

    /// Reads a header.
    ///
    /// # Errors
    /// [`FrameError::PayloadTooLong`] if it announces more than a frame may carry.
    fn decode(encoded: &Self::Encoded) -> Result<Self, FrameError>;

    /// The header as it is written.
    fn encode(&self) -> Self::Encoded;

    /// Length of the payload that follows.
    fn payload_bytes(&self) -> usize;
}

/// The header of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// What is called; `Err` holds an id that is not in the table.
    pub method: Result<Method, u16>,
    /// Chosen by the caller; the response repeats it.
    pub request_id: u32,
    /// Length of the payload.
    pub payload_bytes: usize,
}

impl RequestHeader {
    /// The header of a request with this payload.
    ///
    /// # Errors
    /// [`FrameError::PayloadTooLong`].
    pub fn new(method: Method, request_id: u32, payload: &[u8]) -> Result<Self, FrameError> {
        Ok(Self { method: Ok(method), request_id, payload_bytes: checked(payload.len())? })
    }
}

impl Header for RequestHeader {
    type Encoded = [u8; REQUEST_HEADER_BYTES];

    fn decode(encoded: &Self::Encoded) -> Result<Self, FrameError> {
        let mut rest = encoded.as_slice();
        let method_id = rest.get_u16();
        let request_id = rest.get_u32();
        let method = Method::from_id(method_id).ok_or(method_id);
        Ok(Self { method, request_id, payload_bytes: announced(rest.get_u32())? })
    }

    fn encode(&self) -> Self::Encoded {
        let method_id = self.method.map_or_else(|id| id, Method::id);
        let mut encoded = Self::Encoded::default();
        encoded[..2].copy_from_slice(&method_id.to_be_bytes());
        encoded[2..6].copy_from_slice(&self.request_id.to_be_bytes());
        encoded[6..].copy_from_slice(&length(self.payload_bytes));
        encoded
    }

    fn payload_bytes(&self) -> usize {
        self.payload_bytes
    }
}

/// The header of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseHeader {
    /// How the call went; `Err` holds a number that this version does not know.
    pub status: Result<Status, u8>,
    /// The request's.
    pub request_id: u32,
    /// Length of the payload.
    pub payload_bytes: usize,
}

impl ResponseHeader {
    /// The header of a response with this payload.
    ///
    /// # Errors
    /// [`FrameError::PayloadTooLong`].
    pub fn new(status: Status, request_id: u32, payload: &[u8]) -> Result<Self, FrameError> {
        Ok(Self { status: Ok(status), request_id, payload_bytes: checked(payload.len())? })
    }

    /// What the response says, given its payload.
    ///
    /// # Errors
    /// The failure that the node answered with; a status that this version does not know counts as `Internal`.
    pub fn into_result(self, payload: Bytes) -> Result<Bytes, Failure> {
        match self.status {
            Ok(Status::Ok) => Ok(payload),
            Ok(status) => Err(Failure::from_detail(status, &payload)),
            Err(number) => {
                let detail = Failure::from_detail(Status::Internal, &payload);
                Err(Failure { message: format!("unknown status {number}: {}", detail.message), ..detail })
            }
        }
    }
}

impl Header for ResponseHeader {
    type Encoded = [u8; RESPONSE_HEADER_BYTES];

    fn decode(encoded: &Self::Encoded) -> Result<Self, FrameError> {
        let mut rest = encoded.as_slice();
        let number = rest.get_u8();
        let request_id = rest.get_u32();
        let status = Status::from_u8(number).ok_or(number);
        Ok(Self { status, request_id, payload_bytes: announced(rest.get_u32())? })
    }

    fn encode(&self) -> Self::Encoded {
        let mut encoded = Self::Encoded::default();
        encoded[0] = self.status.map_or_else(|number| number, Status::number);
        encoded[1..5].copy_from_slice(&self.request_id.to_be_bytes());
        encoded[5..].copy_from_slice(&length(self.payload_bytes));
        encoded
    }

    fn payload_bytes(&self) -> usize {
        self.payload_bytes
    }
}

/// The frame of a response: the payload of a success, the detail of a failure.
///
/// A success that does not fit a frame becomes [`Failure::internal`].
#[must_use]
pub fn response(request_id: u32, result: Result<Bytes, Failure>) -> Frame<ResponseHeader> {
    let (status, payload) = match result {
        Ok(payload) if payload.len() <= FRAME_PAYLOAD_BYTES_MAX => (Status::Ok, payload),
        Ok(_) => (Status::Internal, Failure::internal().to_detail()),
        Err(failure) => (failure.status, failure.to_detail()),
    };
    let header = ResponseHeader { status: Ok(status), request_id, payload_bytes: payload.len() };
    Frame { header, payload }
}

/// The header of a push event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PushHeader {
    /// What is announced; `Err` holds an event type that this version does not know.
    pub event: Result<PushEvent, u16>,
    /// Length of the payload.
    pub payload_bytes: usize,
}

impl PushHeader {
    /// The header of an event with this payload.
    ///
    /// # Errors
    /// [`FrameError::PayloadTooLong`].
    pub fn new(event: PushEvent, payload: &[u8]) -> Result<Self, FrameError> {
        Ok(Self { event: Ok(event), payload_bytes: checked(payload.len())? })
    }
}

impl Header for PushHeader {
    type Encoded = [u8; PUSH_HEADER_BYTES];

    fn decode(encoded: &Self::Encoded) -> Result<Self, FrameError> {
        let mut rest = encoded.as_slice();
        let number = rest.get_u16();
        let event = PushEvent::try_from(i32::from(number)).map_err(|_| number);
        Ok(Self { event, payload_bytes: announced(rest.get_u32())? })
    }

    fn encode(&self) -> Self::Encoded {
        let number = self.event.map_or_else(|number| number, event_type);
        let mut encoded = Self::Encoded::default();
        encoded[..2].copy_from_slice(&number.to_be_bytes());
        encoded[2..].copy_from_slice(&length(self.payload_bytes));
        encoded
    }

    fn payload_bytes(&self) -> usize {
        self.payload_bytes
    }
}

fn event_type(event: PushEvent) -> u16 {
    u16::try_from(event as i32).expect("event types are between 0 and 1099")
}

fn announced(length: u32) -> Result<usize, FrameError> {
    checked(usize::try_from(length).unwrap_or(usize::MAX))
}

fn checked(payload_bytes: usize) -> Result<usize, FrameError> {
    if payload_bytes > FRAME_PAYLOAD_BYTES_MAX {
        return Err(FrameError::PayloadTooLong { actual_bytes: payload_bytes });
    }
    Ok(payload_bytes)
}

/// The length field. A length that was set by hand beyond what a frame may carry is written as one that every reader
/// refuses, never as a shorter one.
fn length(payload_bytes: usize) -> [u8; 4] {
    u32::try_from(payload_bytes).unwrap_or(u32::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests;
