//! What the daemon's messages look like to people and to programs, where several commands show the same thing.
//!
//! Keys and ids are lower-case hexadecimal, times Unix milliseconds, and a name carries its sigil where it is the
//! name of a conversation.

pub(crate) mod change;
pub(crate) mod contact;
pub(crate) mod conversation;
pub(crate) mod event;
pub(crate) mod invitation;
pub(crate) mod mesh;
pub(crate) mod message;
pub(crate) mod post;
pub(crate) mod topic;

use std::fmt::Write;

/// Bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A number and what is counted.
pub(crate) fn count(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// A message id, or another UUID, in its usual form with hyphens; anything else in plain hexadecimal.
pub(crate) fn uuid(bytes: &[u8]) -> String {
    let text = hex(bytes);
    if text.len() != 32 {
        return text;
    }
    [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
}

/// The beginning of a key, enough to tell a few apart at a glance.
pub(crate) fn short(bytes: &[u8]) -> String {
    let text = hex(bytes);
    match text.get(..SHORT_CHARS) {
        Some(beginning) if text.len() > SHORT_CHARS => format!("{beginning}…"),
        _ => text,
    }
}

/// Reads 16 bytes in hexadecimal, with or without hyphens.
pub(crate) fn parse_id(text: &str) -> Result<Vec<u8>, &'static str> {
    let digits: Vec<u32> = text
        .chars()
        .filter(|character| *character != '-')
        .map(|character| character.to_digit(16))
        .collect::<Option<_>>()
        .ok_or("an id is written in hexadecimal digits")?;
    if digits.len() != 32 {
        return Err("an id has 32 hexadecimal digits, with or without hyphens");
    }
    Ok(digits.chunks_exact(2).filter_map(|pair| u8::try_from(pair[0] * 16 + pair[1]).ok()).collect())
}

/// The name of an MLS cipher suite, by its code point.
pub(crate) fn suite_name(suite: u32) -> String {
    match suite {
        0 => "none yet".to_owned(),
        0x0001 => "X25519 (classical)".to_owned(),
        0x004d..=0x004f => "X25519 + ML-KEM-768 (post-quantum hybrid)".to_owned(),
        other => format!("0x{other:04x}"),
    }
}

const SHORT_CHARS: usize = 10;

#[cfg(test)]
mod hostile;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_with_and_without_hyphens() {
        let id: Vec<u8> = (0..16).collect();
        assert_eq!(hex(&id), "000102030405060708090a0b0c0d0e0f");
        assert_eq!(uuid(&id), "00010203-0405-0607-0809-0a0b0c0d0e0f");
        assert_eq!(parse_id(&hex(&id)), Ok(id.clone()));
        assert_eq!(parse_id(&uuid(&id).to_uppercase()), Ok(id));
    }

    #[test]
    fn what_is_no_id() {
        for text in ["", "00", "0001020304050607080900a0b0c0d0e0", "zz0102030405060708090a0b0c0d0e0f", "é"] {
            let parsed = parse_id(text);
            assert!(parsed.is_err() || text.len() == 32, "{text}: {parsed:?}");
        }
        assert!(parse_id("000102030405060708090a0b0c0d0e0f00").is_err());
    }

    #[test]
    fn keys_are_shortened() {
        assert_eq!(short(&[0xab; 32]), "ababababab…");
        assert_eq!(short(&[0xab; 2]), "abab");
        assert_eq!(uuid(&[1]), "01");
    }

    #[test]
    fn one_of_something_is_not_several() {
        assert_eq!([0, 1, 2].map(|number| count(number, "member")), ["0 members", "1 member", "2 members"]);
    }

    #[test]
    fn suites_are_named() {
        assert!(suite_name(0x004f).contains("ML-KEM"));
        assert_eq!(suite_name(0x1234), "0x1234");
    }
}
