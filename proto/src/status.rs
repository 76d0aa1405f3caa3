//! How a call went: the first byte of a response.

use std::fmt;

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

    /// The name in the contract.
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

#[cfg(test)]
mod tests {
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
}
