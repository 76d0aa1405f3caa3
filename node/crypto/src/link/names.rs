//! Names within links and posts: length - 1 (1) | UTF-8.

use super::LinkError;
use crate::encoding::{Reader, Truncated};
use crate::text::check_name;

/// Appends a name behind its length.
pub(crate) fn put_name(bytes: &mut Vec<u8>, name: &str) {
    // A checked name has 1 to 256 bytes; one that was tampered with is cut, and refused when it is read.
    let length = name.len().clamp(1, 256);
    bytes.push(u8::try_from(length - 1).unwrap_or(u8::MAX));
    bytes.extend(name.bytes().take(256));
}

/// Reads the bytes of a name.
pub(crate) fn read_name<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Truncated> {
    let length = usize::from(reader.u8()?) + 1;
    reader.bytes(length)
}

/// Links are written in one way only, with the normal form of a name.
pub(super) fn checked_name(bytes: &[u8]) -> Result<String, LinkError> {
    let name = std::str::from_utf8(bytes).map_err(|_| LinkError::NameEncoding)?;
    let normal = check_name(name)?;
    if normal == name { Ok(normal) } else { Err(LinkError::NameEncoding) }
}
