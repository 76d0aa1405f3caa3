//! Bytes as groups of characters that people can copy: base32 (RFC 4648) with a check character in each
//! group.
//!
//! A group has 13 characters and a check character, the last one as many as are left over. The check
//! character is Luhn's, modulo 32: it catches any single mistyped character, and nearly any two that were
//! exchanged.

use data_encoding::BASE32_NOPAD;

use super::LinkError;

/// Writes groups, joined by dashes.
pub(crate) fn write(bytes: &[u8]) -> String {
    let text = BASE32_NOPAD.encode(bytes);
    let mut written = String::with_capacity(text.len() / DATA_CHARS * (GROUP_CHARS + 1) + GROUP_CHARS);
    for group in text.as_bytes().chunks(DATA_CHARS) {
        if !written.is_empty() {
            written.push('-');
        }
        let values = group.iter().map(|symbol| value(char::from(*symbol)).unwrap_or(0)).collect::<Vec<_>>();
        written.extend(group.iter().map(|symbol| char::from(*symbol)));
        written.push(symbol(check_value(&values)));
    }
    written
}

/// Reads groups, wherever the dashes are.
pub(crate) fn read(text: &str) -> Result<Vec<u8>, LinkError> {
    let mut values = Vec::with_capacity(text.len());
    for character in text.chars().filter(|character| !is_ignored(*character)) {
        let index = values.len() / GROUP_CHARS + 1;
        values.push(value(character).ok_or(LinkError::Character { index, character })?);
    }
    let mut symbols = String::with_capacity(values.len());
    for (index, group) in values.chunks(GROUP_CHARS).enumerate() {
        let mistyped = LinkError::Group { index: index + 1 };
        let (check, data) = group.split_last().ok_or(mistyped)?;
        if data.is_empty() || check_value(data) != *check {
            return Err(mistyped);
        }
        symbols.extend(data.iter().map(|value| symbol(*value)));
    }
    // Only the end of the text can be no multiple of eight bits or have bits left over.
    BASE32_NOPAD.decode(symbols.as_bytes()).map_err(|_| LinkError::TooShort)
}

/// Luhn's check character modulo 32: the value that makes the sum of all, every other one doubled, vanish.
fn check_value(values: &[u8]) -> u8 {
    let sum: u32 = values
        .iter()
        .rev()
        .enumerate()
        .map(|(position, value)| {
            let addend = if position % 2 == 0 { 2 * u32::from(*value) } else { u32::from(*value) };
            addend / 32 + addend % 32
        })
        .sum();
    u8::try_from((32 - sum % 32) % 32).expect("below 32")
}

/// The value of a character, as it may have been copied by hand.
fn value(character: char) -> Option<u8> {
    let character = match character.to_ascii_uppercase() {
        '0' => 'O',
        '1' => 'I',
        '8' => 'B',
        other => other,
    };
    let position = SYMBOLS.iter().position(|symbol| char::from(*symbol) == character)?;
    u8::try_from(position).ok()
}

fn symbol(value: u8) -> char {
    char::from(SYMBOLS[usize::from(value) % SYMBOLS.len()])
}

/// Blanks, line breaks, and every dash that a program makes of the one that was typed.
fn is_ignored(character: char) -> bool {
    character.is_whitespace()
        || matches!(
            character,
            '-' | '\u{ad}' | '\u{200b}' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{feff}'
        )
}

const SYMBOLS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const DATA_CHARS: usize = 13;
const GROUP_CHARS: usize = DATA_CHARS + 1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn groups_have_fourteen_characters() {
        let written = write(&[0x5a; 20]);
        let lengths = written.split('-').map(str::len).collect::<Vec<_>>();
        assert_eq!(lengths, [14, 14, 7], "{written}");
        assert_eq!(write(&[]), "");
        assert_eq!(read(""), Ok(vec![]));
    }

    #[test]
    fn a_check_character_alone_is_no_group() {
        let written = write(&[1; 20]);
        assert_eq!(read(&written[..16]), Err(LinkError::Group { index: 2 }));
    }

    #[test]
    fn every_character_that_cannot_be_read_is_located() {
        let written = write(&[1; 20]);
        for (position, index) in [(0, 1), (13, 1), (15, 2), (33, 3)] {
            let mut mistyped = written.clone();
            mistyped.replace_range(position..=position, "9");
            assert_eq!(read(&mistyped), Err(LinkError::Character { index, character: '9' }));
        }
    }

    #[test]
    fn leftover_bits_must_be_zero() {
        // One character holds five bits: not a byte.
        assert_eq!(read(&format!("A{}", symbol(check_value(&[0])))), Err(LinkError::TooShort));
        // Two hold ten, of which the last two would be lost.
        assert_eq!(read(&format!("AB{}", symbol(check_value(&[0, 1])))), Err(LinkError::TooShort));
    }

    proptest! {
        #[test]
        fn round_trip(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(read(&write(&bytes)), Ok(bytes));
        }

        #[test]
        fn a_mistyped_character_is_located(
            bytes in proptest::collection::vec(any::<u8>(), 1..100),
            position: prop::sample::Index,
            other in 0_u8..32,
        ) {
            let mut characters = write(&bytes).chars().filter(|c| *c != '-').collect::<Vec<_>>();
            let position = position.index(characters.len());
            prop_assume!(characters[position] != symbol(other));
            characters[position] = symbol(other);
            let mistyped = characters.into_iter().collect::<String>();
            prop_assert_eq!(read(&mistyped), Err(LinkError::Group { index: position / GROUP_CHARS + 1 }));
        }

        #[test]
        fn garbage_never_panics(text: String) {
            let _ = read(&text);
        }
    }
}
