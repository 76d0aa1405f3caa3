//! What can go wrong with a command, what the program ends with, and the one command that helps.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use qpq_proto::{CallError, Failure, Status, TransportErrorKind};

/// The codes with which `qpq` ends; scripts may rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Ok = 0,
    /// The answer is no: not found, a name taken, a check that failed.
    Negative = 1,
    /// The command was not understood, or may not be run this way.
    Usage = 2,
    /// No daemon answers, or one that speaks another version.
    Unreachable = 3,
    /// A key is not trusted, or has changed.
    Untrusted = 4,
    /// The time was up, or the work is queued and not done.
    TimedOut = 5,
    /// The daemon, or the system, does not permit it.
    Denied = 6,
    /// A defect of this program or of the daemon.
    Bug = 70,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The command cannot be carried out as it was given.
    #[error("{0}")]
    Usage(String),
    /// A destructive command without `--yes` and without a terminal to ask on.
    #[error("{0}: this needs --yes where nobody can be asked")]
    Unconfirmed(String),
    /// The person answered no.
    #[error("nothing was changed")]
    Declined,
    /// No daemon listens.
    #[error("{reason}")]
    Unreachable {
        /// In words.
        reason: String,
        /// The command that helps.
        fix: String,
    },
    /// The system does not let this user at a file or socket.
    #[error("{reason}")]
    NotPermitted {
        /// In words.
        reason: String,
        /// The command that helps.
        fix: String,
    },
    /// The daemon answered, but not with success.
    #[error("{}", describe_failure(.0))]
    Failure(Failure),
    /// The connection to the daemon broke.
    #[error("lost the daemon: {0}")]
    Lost(String),
    /// The daemon did not answer in time.
    #[error("the daemon does not answer: {0}")]
    Silent(String),
    /// The daemon's answer cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// An answer without a part that it must have.
    #[error("the daemon's answer lacks {0}")]
    Incomplete(&'static str),
    /// The answer is no.
    #[error("{0}")]
    Negative(String),
    /// A key is not trusted.
    #[error("{reason}")]
    Untrusted {
        /// In words.
        reason: String,
        /// The command that helps.
        fix: String,
    },
    /// It did not happen in time.
    #[error("{0}")]
    TimedOut(String),
    /// A file could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Standard input, a terminal or a signal could not be used.
    #[error("{what}: {source}")]
    System {
        /// What was attempted.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// Whoever read the output has gone away; that is no failure.
    #[error("output closed")]
    OutputClosed,
    /// All has been said already; only the code is left.
    #[error("exit {0:?}")]
    Said(Exit),
}

impl Error {
    /// The code with which the program ends.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Unconfirmed(_) => Exit::Usage,
            Self::Declined | Self::Negative(_) | Self::File { .. } | Self::System { .. } => Exit::Negative,
            Self::Unreachable { .. } | Self::Lost(_) | Self::Silent(_) => Exit::Unreachable,
            Self::NotPermitted { .. } => Exit::Denied,
            Self::Failure(failure) => exit_of_failure(failure),
            Self::Incomplete(_) | Self::Unreadable(_) => Exit::Bug,
            Self::Untrusted { .. } => Exit::Untrusted,
            Self::TimedOut(_) => Exit::TimedOut,
            Self::OutputClosed => Exit::Ok,
            Self::Said(exit) => *exit,
        }
    }

    /// The one command that helps, if there is one.
    pub(crate) fn fix(&self) -> Option<&str> {
        match self {
            Self::Unreachable { fix, .. } | Self::NotPermitted { fix, .. } | Self::Untrusted { fix, .. } => {
                Some(fix)
            }
            Self::Failure(failure) => fix_of_failure(failure),
            Self::Lost(_) | Self::Silent(_) => Some("qpq doctor"),
            _ => None,
        }
    }

    /// With the name of the contact, where the advice is about one.
    pub(crate) fn about(self, to: &str) -> Self {
        match self {
            Self::Failure(failure) if failure.field == VERIFICATION && to.starts_with('@') => {
                Self::Untrusted {
                    reason: describe_failure(&failure),
                    fix: format!("qpq contact verify {to}"),
                }
            }
            other => other,
        }
    }

    /// Whether there is no daemon to talk to, at least for now.
    pub(crate) fn is_absence(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Lost(_) | Self::Silent(_) => true,
            Self::Failure(failure) => failure.status == Status::Unavailable,
            _ => false,
        }
    }

    /// Whether there is nothing left to say about it.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(self, Self::OutputClosed | Self::Said(_))
    }
}

impl From<CallError> for Error {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Failure(failure) => Self::Failure(failure),
            CallError::RequestTooLarge { .. } => Self::Usage(error.to_string()),
            CallError::Transport { kind: TransportErrorKind::TimedOut, message } => Self::Silent(message),
            CallError::Transport { message, .. } => Self::Lost(message),
            other => Self::Unreadable(other.to_string()),
        }
    }
}

/// The field of a [`Failure`] that says a safety number is in the way.
const VERIFICATION: &str = "verification";

fn exit_of_failure(failure: &Failure) -> Exit {
    match failure.status {
        Status::Ok | Status::Internal => Exit::Bug,
        Status::BadRequest => Exit::Usage,
        Status::NotFound => Exit::Negative,
        Status::Conflict | Status::Forbidden if failure.field == VERIFICATION => Exit::Untrusted,
        Status::Conflict => Exit::Negative,
        Status::Unauthorized | Status::Forbidden | Status::RateLimited | Status::QuotaExceeded => {
            Exit::Denied
        }
        Status::DeadlineExceeded => Exit::TimedOut,
        Status::Unavailable | Status::UnknownMethod => Exit::Unreachable,
    }
}

fn fix_of_failure(failure: &Failure) -> Option<&'static str> {
    match failure.status {
        Status::Conflict | Status::Forbidden if failure.field == VERIFICATION => {
            Some("qpq contact verify NAME")
        }
        Status::Unavailable | Status::UnknownMethod => Some("qpq doctor"),
        _ => None,
    }
}

fn describe_failure(failure: &Failure) -> String {
    let message = match failure.message.as_str() {
        "" => match failure.status {
            Status::Internal => "the daemon met a defect; its log says more",
            Status::Unavailable => "the daemon is shutting down or cannot serve now",
            Status::UnknownMethod => "the daemon does not know this method: it is of another version",
            Status::DeadlineExceeded => "the time was up",
            Status::RateLimited => "too often",
            _ => "the daemon refused",
        },
        message => message,
    };
    match failure.retry_after_ms {
        0 => message.to_owned(),
        ms => format!("{message} (try again in {} s)", ms.div_ceil(1_000)),
    }
}

#[cfg(test)]
mod tests;
