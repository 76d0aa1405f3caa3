//! How OpenMLS's state is written: compact, and describing itself.
//!
//! A value is a tag and what the tag announces:
//!
//! | tag | value |
//! |---|---|
//! | `NONE`, `SOME` | an option; `SOME` is followed by its content |
//! | `UNIT`, `FALSE`, `TRUE` | themselves |
//! | 0x80 to 0xff | the integers 0 to 127 |
//! | `UNSIGNED`, `NEGATIVE` | an integer n, or -1 - n, as a variable-length n |
//! | `BYTES`, `TEXT` | length and content |
//! | `OCTETS` | a sequence whose elements are all bytes: length and content |
//! | `SEQUENCE` | elements until `END` |
//! | `MAP` | keys and values until `END` |
//! | `RECORD` | names and values until `END` |
//! | `UNIT_VARIANT`, `VARIANT` | a name; a name and the variant's content |
//! | `EMBEDDED` | length, and values with names of their own: any number within a sequence, else one |
//!
//! A name is a text where it stands first in a record, and the number of that text from then on. The format describes itself
//! because OpenMLS reads one type through `deserialize_any` (the deletion policy of past epochs), and names
//! fields so that a version of OpenMLS that adds one can read what an older version wrote. Byte strings,
//! which OpenMLS hands over as sequences of integers, take one byte each; that is most of the difference to
//! JSON, which takes 3.6.

mod assemble;
mod buffer;
mod decode;
mod encode;
mod octet;

use std::fmt;

pub(super) use assemble::Assembler;
pub(super) use decode::decode;
pub(super) use encode::{Encoder, encode};

/// Why a value could not be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CodecError {
    /// The bytes end within a value.
    #[error("record is truncated")]
    Truncated,
    /// Bytes follow the value.
    #[error("record is followed by other bytes")]
    TrailingBytes,
    /// A tag or a name that this version does not write.
    #[error("record has an unknown form")]
    UnknownForm,
    /// A kind of value that the format leaves out.
    #[error("the format has no {0}")]
    Unsupported(&'static str),
    /// A record that another refers to is missing.
    #[error("a part of a record is missing")]
    RecordMissing,
    /// What the type being read or written says.
    #[error("{0}")]
    Type(String),
}

impl serde::ser::Error for CodecError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Type(message.to_string())
    }
}

impl serde::de::Error for CodecError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Type(message.to_string())
    }
}

mod tag {
    pub(super) const NONE: u8 = 0x00;
    pub(super) const SOME: u8 = 0x01;
    pub(super) const UNIT: u8 = 0x02;
    pub(super) const FALSE: u8 = 0x03;
    pub(super) const TRUE: u8 = 0x04;
    pub(super) const UNSIGNED: u8 = 0x05;
    pub(super) const NEGATIVE: u8 = 0x06;
    pub(super) const BYTES: u8 = 0x07;
    pub(super) const TEXT: u8 = 0x08;
    pub(super) const OCTETS: u8 = 0x09;
    pub(super) const SEQUENCE: u8 = 0x0a;
    pub(super) const MAP: u8 = 0x0b;
    pub(super) const RECORD: u8 = 0x0c;
    pub(super) const UNIT_VARIANT: u8 = 0x0d;
    pub(super) const VARIANT: u8 = 0x0e;
    pub(super) const END: u8 = 0x0f;
    pub(super) const EMBEDDED: u8 = 0x10;
    pub(super) const SMALL_INTEGER: u8 = 0x80;
}

#[cfg(test)]
mod tests;
