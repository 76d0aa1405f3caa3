//! How a call fails: a status other than `Ok`, and its `ErrorDetail`.

use bytes::Bytes;
use prost::Message;

use crate::Method;
use crate::limits::{FAILURE_FIELD_BYTES_MAX, FAILURE_MESSAGE_BYTES_MAX};
use crate::status::Status;
use crate::v1::{ErrorDetail, WorkChallenge};

/// A call that was answered with a status other than `Ok`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {message}")]
pub struct Failure {
    /// Why, for programs; never [`Status::Ok`].
    pub status: Status,
    /// Why, for a person, at most [`FAILURE_MESSAGE_BYTES_MAX`] on the wire.
    pub message: String,
    /// Milliseconds after which a retry makes sense; 0 if none does, or at once.
    pub retry_after_ms: u64,
    /// The request's field that is at fault; empty if none is.
    pub field: String,
    /// The work that the caller has to do first, where that is why it was refused.
    pub work: Option<WorkChallenge>,
}

impl Failure {
    /// A field of the request is malformed, missing or over-long.
    #[must_use]
    pub fn bad_request(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), ..Self::new(Status::BadRequest, message) }
    }

    /// There is no session, or no longer.
    #[must_use]
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(Status::Unauthorized, message)
    }

    /// The caller has not the right.
    #[must_use]
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(Status::Forbidden, message)
    }

    /// The caller has to do some work first.
    #[must_use]
    pub fn work_needed(work: WorkChallenge) -> Self {
        Self { work: Some(work), ..Self::forbidden("this takes some work, which was not done") }
    }

    /// There is no such thing.
    #[must_use]
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Status::NotFound, message)
    }

    /// Too often; a retry makes sense after so many milliseconds.
    #[must_use]
    pub fn rate_limited(retry_after_ms: u64) -> Self {
        Self { retry_after_ms, ..Self::new(Status::RateLimited, "too many calls") }
    }

    /// A name or id is taken, an epoch or sequence is stale.
    #[must_use]
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(Status::Conflict, message)
    }

    /// A quota is full.
    #[must_use]
    pub fn quota(message: impl Into<String>) -> Self {
        Self::new(Status::QuotaExceeded, message)
    }

    /// The time for the call ran out.
    #[must_use]
    pub fn deadline_exceeded() -> Self {
        Self::new(Status::DeadlineExceeded, "the call took too long")
    }

    /// The node is draining, or something it needs is down; a retry makes sense after so many milliseconds.
    #[must_use]
    pub fn unavailable(message: impl Into<String>, retry_after_ms: u64) -> Self {
        Self { retry_after_ms, ..Self::new(Status::Unavailable, message) }
    }

    /// Our fault. The cause belongs into the log, not into the answer.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(Status::Internal, "internal error")
    }

    /// The node knows the method but does not offer it.
    #[must_use]
    pub fn not_offered(method: Method) -> Self {
        Self::forbidden(format!("this node does not offer {} in its present role", method.name()))
    }

    /// The id is not in the method table.
    #[must_use]
    pub fn unknown_method(id: u16) -> Self {
        Self::new(Status::UnknownMethod, format!("there is no method {id}"))
    }

    /// The payload of the response: an `ErrorDetail`, its texts cut to what the wire allows.
    #[must_use]
    pub fn to_detail(&self) -> Bytes {
        ErrorDetail {
            message: truncated(&self.message, FAILURE_MESSAGE_BYTES_MAX).to_owned(),
            retry_after_ms: self.retry_after_ms,
            field: truncated(&self.field, FAILURE_FIELD_BYTES_MAX).to_owned(),
            work: self.work.clone(),
        }
        .encode_to_vec()
        .into()
    }

    /// The failure that a response carries.
    ///
    /// What the neighbour wrote is not trusted: a detail that does not decode leaves the message empty, texts are cut
    /// to the same lengths, control characters are replaced, and an `Ok`, which cannot be a failure, counts as
    /// [`Status::Internal`].
    #[must_use]
    pub fn from_detail(status: Status, payload: &[u8]) -> Self {
        let status = if status == Status::Ok { Status::Internal } else { status };
        if payload.len() > DETAIL_BYTES_MAX {
            return Self::new(status, "");
        }
        let detail = ErrorDetail::decode(payload).unwrap_or_default();
        Self {
            status,
            message: printable(&detail.message, FAILURE_MESSAGE_BYTES_MAX),
            retry_after_ms: detail.retry_after_ms,
            field: printable(&detail.field, FAILURE_FIELD_BYTES_MAX),
            work: detail.work.filter(|work| work.challenge.len() == WORK_CHALLENGE_BYTES),
        }
    }

    fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), retry_after_ms: 0, field: String::new(), work: None }
    }
}

/// Bytes of a challenge.
const WORK_CHALLENGE_BYTES: usize = 16;

/// Longest encoded detail that is decoded at all: room for later fields, but not for a flood.
const DETAIL_BYTES_MAX: usize = 4 * (FAILURE_MESSAGE_BYTES_MAX + FAILURE_FIELD_BYTES_MAX);

/// The longest prefix of at most `bytes_max` bytes that ends between characters.
fn truncated(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

/// The text with control characters replaced, so that it can be shown on a terminal, cut to `bytes_max` bytes.
fn printable(text: &str, bytes_max: usize) -> String {
    let visible = |character: char| if character.is_control() { '\u{fffd}' } else { character };
    let text: String = truncated(text, bytes_max).chars().map(visible).collect();
    truncated(&text, bytes_max).to_owned()
}

#[cfg(test)]
mod tests;
