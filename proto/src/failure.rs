//! How a call fails: the status of a response and its `ErrorDetail` (RPC.md, "Frames").

use std::fmt;

use bytes::Bytes;
use prost::Message;

use crate::Method;
use crate::limits::{FAILURE_FIELD_BYTES_MAX, FAILURE_MESSAGE_BYTES_MAX};
use crate::v1::ErrorDetail;

/// The first byte of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Status {
    /// The payload is the method's response.
    Ok = 0,
    /// A malformed, missing or over-long field, which the detail names.
    BadRequest = 1,
    /// No session, or an expired or revoked one.
    Unauthorized = 2,
    /// A valid caller without the right, or a role this node does not have.
    Forbidden = 3,
    /// There is no such thing.
    NotFound = 4,
    /// Too often; the detail says when to retry.
    RateLimited = 5,
    /// A name or id taken, a stale epoch or sequence.
    Conflict = 6,
    /// A mailbox, blob or custody quota is full.
    QuotaExceeded = 7,
    /// The time for the call ran out.
    DeadlineExceeded = 8,
    /// Draining, or a dependency is down: retry.
    Unavailable = 9,
    /// Our fault; no detail that helps an attacker.
    Internal = 10,
    /// The method's id is not in the table.
    UnknownMethod = 11,
}

impl Status {
    /// Every status, in the order of their numbers.
    pub const ALL: [Self; 12] = [
        Self::Ok,
        Self::BadRequest,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::RateLimited,
        Self::Conflict,
        Self::QuotaExceeded,
        Self::DeadlineExceeded,
        Self::Unavailable,
        Self::Internal,
        Self::UnknownMethod,
    ];

    /// The status of a number; `None` for one that this version does not know.
    #[must_use]
    pub fn from_u8(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The name in RPC.md.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "Ok",
            Self::BadRequest => "BadRequest",
            Self::Unauthorized => "Unauthorized",
            Self::Forbidden => "Forbidden",
            Self::NotFound => "NotFound",
            Self::RateLimited => "RateLimited",
            Self::Conflict => "Conflict",
            Self::QuotaExceeded => "QuotaExceeded",
            Self::DeadlineExceeded => "DeadlineExceeded",
            Self::Unavailable => "Unavailable",
            Self::Internal => "Internal",
            Self::UnknownMethod => "UnknownMethod",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

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
        }
    }

    fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), retry_after_ms: 0, field: String::new() }
    }
}

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
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn statuses_have_the_numbers_of_the_contract() {
        let names = [
            "Ok",
            "BadRequest",
            "Unauthorized",
            "Forbidden",
            "NotFound",
            "RateLimited",
            "Conflict",
            "QuotaExceeded",
            "DeadlineExceeded",
            "Unavailable",
            "Internal",
            "UnknownMethod",
        ];
        for number in 0..=u8::MAX {
            let name = names.get(usize::from(number)).copied();
            assert_eq!(Status::from_u8(number).map(Status::name), name, "{number}");
            assert!(Status::from_u8(number).is_none_or(|status| status.number() == number));
        }
    }

    #[test]
    fn each_constructor_says_what_happened() {
        let rows = [
            (Failure::bad_request("text", "too long"), Status::BadRequest, "too long"),
            (Failure::unauthorized("no session"), Status::Unauthorized, "no session"),
            (Failure::forbidden("another's mailbox"), Status::Forbidden, "another's mailbox"),
            (Failure::not_found("no such contact"), Status::NotFound, "no such contact"),
            (Failure::rate_limited(1_500), Status::RateLimited, "too many calls"),
            (Failure::conflict("name taken"), Status::Conflict, "name taken"),
            (Failure::quota("outbox full"), Status::QuotaExceeded, "outbox full"),
            (Failure::deadline_exceeded(), Status::DeadlineExceeded, "the call took too long"),
            (Failure::unavailable("draining", 250), Status::Unavailable, "draining"),
            (Failure::internal(), Status::Internal, "internal error"),
            (
                Failure::not_offered(Method::BanUser),
                Status::Forbidden,
                "this node does not offer BanUser in its present role",
            ),
            (Failure::unknown_method(99), Status::UnknownMethod, "there is no method 99"),
        ];
        for (failure, status, message) in rows {
            assert_eq!((failure.status, failure.message.as_str()), (status, message));
            assert_eq!(failure.to_string(), format!("{status}: {message}"));
            assert_eq!(Failure::from_detail(failure.status, &failure.to_detail()), failure);
        }
    }

    #[test]
    fn long_texts_are_cut_between_characters_on_both_sides() {
        let failure = Failure::bad_request("f".repeat(1_000), "\u{fc}".repeat(1_000));
        let detail = failure.to_detail();
        let arrived = Failure::from_detail(failure.status, &detail);
        assert_eq!(arrived.message, "\u{fc}".repeat(FAILURE_MESSAGE_BYTES_MAX / 2));
        assert_eq!(arrived.field.len(), FAILURE_FIELD_BYTES_MAX);

        let long = ErrorDetail { message: "m".repeat(FAILURE_MESSAGE_BYTES_MAX + 1), ..Default::default() };
        let arrived = Failure::from_detail(Status::NotFound, &long.encode_to_vec());
        assert_eq!(arrived.message.len(), FAILURE_MESSAGE_BYTES_MAX);
    }

    #[test]
    fn a_flood_or_garbage_instead_of_a_detail_leaves_the_status() {
        for payload in [vec![0xff; 3], vec![b'm'; 1_000_000]] {
            let failure = Failure::from_detail(Status::Conflict, &payload);
            assert_eq!((failure.status, failure.message.as_str()), (Status::Conflict, ""));
        }
        assert_eq!(Failure::from_detail(Status::Ok, &[]).status, Status::Internal);
    }

    #[test]
    fn a_neighbour_cannot_write_on_the_terminal() {
        let detail = ErrorDetail { message: "\u{1b}[2Jgone\r\n".to_owned(), ..Default::default() };
        let failure = Failure::from_detail(Status::Forbidden, &detail.encode_to_vec());
        assert_eq!(failure.message, "\u{fffd}[2Jgone\u{fffd}\u{fffd}");
    }

    proptest! {
        #[test]
        fn any_detail_becomes_a_bounded_failure(payload in proptest::collection::vec(any::<u8>(), 0..300)) {
            let failure = Failure::from_detail(Status::Internal, &payload);
            prop_assert!(failure.message.len() <= FAILURE_MESSAGE_BYTES_MAX);
            prop_assert!(failure.message.chars().all(|character| !character.is_control()));
            prop_assert_eq!(Failure::from_detail(failure.status, &failure.to_detail()), failure);
        }

        #[test]
        fn a_failure_survives_the_wire(message in "[^\\p{Cc}]{0,40}", field in "[a-z_]{0,20}", retry_after_ms: u64) {
            let failure = Failure { retry_after_ms, ..Failure::bad_request(field, message) };
            prop_assert_eq!(Failure::from_detail(failure.status, &failure.to_detail()), failure);
        }
    }
}
