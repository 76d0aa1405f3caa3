//! The name of a queue: its mailbox and its channel.

use qpq_proto::Failure;

use crate::records::QueueRecord;

/// Bytes of a mailbox id.
pub(crate) const MAILBOX_BYTES: usize = 32;
const CHANNEL_BYTES: usize = 16;

/// Names a queue: mailbox, then channel, which is empty for the default queue.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct QueueKey(Vec<u8>);

impl QueueKey {
    /// From the fields of a request.
    pub(crate) fn new(mailbox: &[u8; MAILBOX_BYTES], channel: &[u8]) -> Result<Self, Failure> {
        match channel.len() {
            0 | CHANNEL_BYTES => Ok(Self([mailbox, channel].concat())),
            _ => Err(Failure::bad_request("channel_id", "a channel id is 16 bytes long, or empty")),
        }
    }

    /// From a record.
    pub(crate) fn from_record(bytes: Vec<u8>) -> Option<Self> {
        (bytes.len() == MAILBOX_BYTES || bytes.len() == MAILBOX_BYTES + CHANNEL_BYTES).then_some(Self(bytes))
    }

    /// The prefix of the queue's own record.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The mailbox.
    pub(crate) fn mailbox(&self) -> &[u8] {
        &self.0[..MAILBOX_BYTES]
    }

    /// The channel, empty for the default queue.
    pub(crate) fn channel(&self) -> &[u8] {
        &self.0[MAILBOX_BYTES..]
    }

    /// Under which the queue's deliveries lie.
    pub(crate) fn contents(&self, record: &QueueRecord) -> Contents {
        Contents([&self.0, record.incarnation.as_slice()].concat())
    }
}

/// The prefix of a queue's deliveries: its key and its mailbox's incarnation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contents(pub Vec<u8>);

/// A mailbox id of a request.
pub(crate) fn mailbox_field(bytes: &[u8]) -> Result<[u8; MAILBOX_BYTES], Failure> {
    bytes.try_into().map_err(|_| {
        Failure::bad_request("mailbox", format!("{} bytes instead of {MAILBOX_BYTES}", bytes.len()))
    })
}
