//! What is in a backup, beneath its encryption: a header, the records, a trailer.
//!
//! Each entry is a length-delimited protobuf message, so that a later version can add fields. The header tells
//! whose backup it is before everything is read; the trailer, that nothing is missing.

use bytes::Bytes;
use prost::{Message, Oneof};
use qpq_store::{PREFIX_BYTES_MAX, VALUE_BYTES_MAX};
use zeroize::Zeroizing;

/// One entry.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Entry {
    /// Which.
    #[prost(oneof = "Kind", tags = "1, 2, 3")]
    pub(crate) kind: Option<Kind>,
}

/// The kinds of entries.
#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum Kind {
    /// The first entry.
    #[prost(message, tag = "1")]
    Header(Header),
    /// A record of the engine's.
    #[prost(message, tag = "2")]
    Record(BackupRecord),
    /// The last entry.
    #[prost(message, tag = "3")]
    Trailer(Trailer),
}

/// Whose backup it is, and from when.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Header {
    /// Identity key, 32 bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) identity: Bytes,
    /// The person's name.
    #[prost(string, tag = "2")]
    pub(crate) name: String,
    /// Unix time in ms.
    #[prost(uint64, tag = "3")]
    pub(crate) created_at_ms: u64,
    /// Contacts.
    #[prost(uint64, tag = "4")]
    pub(crate) contacts: u64,
}

/// A record with its place.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct BackupRecord {
    /// The table's name.
    #[prost(string, tag = "1")]
    pub(crate) table: String,
    /// What the record belongs to.
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) prefix: Bytes,
    /// Order among the records of one prefix.
    #[prost(uint64, tag = "3")]
    pub(crate) ordinal: u64,
    /// What the engine stored.
    #[prost(bytes = "bytes", tag = "4")]
    pub(crate) value: Bytes,
}

/// What must have been there.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Trailer {
    /// Records.
    #[prost(uint64, tag = "1")]
    pub(crate) records: u64,
}

/// What is wrong with the entries of a backup that was decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EntriesError {
    /// An entry is longer than a record can be.
    #[error("an entry is too long")]
    TooLong,
    /// An entry is none.
    #[error("an entry is malformed")]
    Malformed,
    /// The entries do not come as header, records, trailer.
    #[error("an entry is out of order")]
    Order,
    /// There is no trailer, or it counts other records.
    #[error("records are missing")]
    Incomplete,
}

/// Encodes one entry.
pub(crate) fn encode(kind: Kind) -> Vec<u8> {
    Entry { kind: Some(kind) }.encode_length_delimited_to_vec()
}

/// Takes entries from bytes as they come, and checks their order and number.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    buffer: Zeroizing<Vec<u8>>,
    header: Option<Header>,
    records: u64,
    is_complete: bool,
}

impl Reader {
    /// Hands each record that is complete with these bytes to `sink`.
    pub(crate) fn push<E: From<EntriesError>>(
        &mut self,
        bytes: &[u8],
        sink: &mut dyn FnMut(BackupRecord) -> Result<(), E>,
    ) -> Result<(), E> {
        self.buffer.extend_from_slice(bytes);
        let mut rest = self.buffer.as_slice();
        while let Some((entry, behind)) = split(rest)? {
            rest = behind;
            let entry = Entry::decode(entry).map_err(|_| EntriesError::Malformed)?;
            match (entry.kind, &self.header, self.is_complete) {
                (Some(Kind::Header(header)), None, false) => self.header = Some(header),
                (Some(Kind::Record(record)), Some(_), false) => {
                    self.records += 1;
                    sink(record)?;
                }
                (Some(Kind::Trailer(trailer)), Some(_), false) if trailer.records == self.records => {
                    self.is_complete = true;
                }
                (Some(Kind::Trailer(_)), Some(_), false) => return Err(EntriesError::Incomplete.into()),
                _ => return Err(EntriesError::Order.into()),
            }
        }
        let taken = self.buffer.len() - rest.len();
        self.buffer.drain(..taken);
        Ok(())
    }

    /// The header, if everything was there.
    pub(crate) fn finish(self) -> Result<Header, EntriesError> {
        match self.header {
            Some(header) if self.is_complete && self.buffer.is_empty() => Ok(header),
            _ => Err(EntriesError::Incomplete),
        }
    }
}

/// An encoded entry, and what follows it.
type Split<'a> = (&'a [u8], &'a [u8]);

/// The first entry and what follows it; nothing if it is not complete yet.
fn split(bytes: &[u8]) -> Result<Option<Split<'_>>, EntriesError> {
    let mut rest = bytes;
    let length = match prost::decode_length_delimiter(&mut rest) {
        Ok(length) if length > ENTRY_BYTES_MAX => return Err(EntriesError::TooLong),
        Ok(length) => length,
        Err(_) if bytes.len() < LENGTH_BYTES_MAX => return Ok(None),
        Err(_) => return Err(EntriesError::Malformed),
    };
    Ok(rest.split_at_checked(length))
}

/// A record of the greatest length, and what protobuf adds.
const ENTRY_BYTES_MAX: usize = VALUE_BYTES_MAX + PREFIX_BYTES_MAX + 128;
/// The longest protobuf integer.
const LENGTH_BYTES_MAX: usize = 10;

#[cfg(test)]
mod tests;
