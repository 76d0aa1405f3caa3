//! Names that people give, and text that others wrote, made safe to compare and to show.

use std::borrow::Cow;

use qpq_proto::limits::NAME_CHARS_MAX;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

pub use look_alikes::looks;

mod look_alikes;

/// Bytes of a name beyond which it is not looked at: more than 64 characters need in any form.
const NAME_INPUT_BYTES_MAX: usize = 1024;

/// Why text is not a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// There is nothing.
    #[error("name is empty")]
    Empty,
    /// More characters than [`NAME_CHARS_MAX`].
    #[error("name is longer than {NAME_CHARS_MAX} characters")]
    TooLong,
    /// Something else than letters, digits, `-`, `_` and `.`: names are written as `@name` and `#name`.
    #[error("name holds {}, not only letters, digits, '-', '_' and '.'", .0.escape_debug())]
    Character(char),
    /// The first character is neither a letter nor a digit: it would look like an option or a hidden file.
    #[error("name starts with {}, not with a letter or a digit", .0.escape_debug())]
    Start(char),
}

/// Checks a person-facing name and gives its normal form (NFKC), in which it is stored and shown.
///
/// # Errors
/// [`NameError`].
pub fn check_name(name: &str) -> Result<String, NameError> {
    if name.len() > NAME_INPUT_BYTES_MAX {
        return Err(NameError::TooLong);
    }
    let normal: String = name.nfkc().collect();
    let first = normal.chars().next().ok_or(NameError::Empty)?;
    if normal.chars().count() > NAME_CHARS_MAX {
        return Err(NameError::TooLong);
    }
    if let Some(refused) = normal.chars().find(|character| !is_name_character(*character)) {
        return Err(NameError::Character(refused));
    }
    if !first.is_alphanumeric() {
        return Err(NameError::Start(first));
    }
    Ok(normal)
}

/// The form in which names are compared: compatibility forms (NFKC) and case folded away.
///
/// Names that look alike in different scripts stay different; [`looks`] finds them.
pub fn fold_name(name: &str) -> String {
    name.nfkc().flat_map(fold_case).nfkc().collect()
}

/// Upper case first: it maps all forms of a letter (final sigma, sharp s) to one.
fn fold_case(character: char) -> impl Iterator<Item = char> {
    // The capital sharp s is the one letter that is upper case and yet has another upper case.
    let character = if character == '\u{1e9e}' { '\u{df}' } else { character };
    character.to_uppercase().flat_map(char::to_lowercase)
}

/// Text that a terminal shows as it is: whatever would move its cursor, change its state or reorder its
/// lines is replaced by an escape such as `\u{1b}`.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(commands_terminal) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if commands_terminal(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

fn is_name_character(character: char) -> bool {
    character.is_alphanumeric() || is_combining_mark(character) || matches!(character, '-' | '_' | '.')
}

/// C0 and C1 controls, DEL, separators of lines and paragraphs, and the controls of the bidirectional
/// algorithm (UAX 9).
fn commands_terminal(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_many_scripts_are_names() {
        for name in
            ["alice", "Bob-2", "j.d_3", "Ærøskøbing", "Δημήτρης", "Дмитрий", "山田太郎", "नमस्ते", "دانا", "0"]
        {
            assert_eq!(check_name(name), Ok(name.nfkc().collect()), "{name}");
        }
        assert_eq!(check_name("ﬁｎｎ"), Ok("finn".to_owned()));
        assert_eq!(check_name("e\u{301}va"), Ok("\u{e9}va".to_owned()));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let table = [
            ("", NameError::Empty),
            ("al ice", NameError::Character(' ')),
            (" alice", NameError::Character(' ')),
            ("alice\u{a0}", NameError::Character(' ')),
            ("@alice", NameError::Character('@')),
            ("a#b", NameError::Character('#')),
            ("a/b", NameError::Character('/')),
            ("a:b", NameError::Character(':')),
            ("a\u{1b}[2J", NameError::Character('\u{1b}')),
            ("a\u{202e}b", NameError::Character('\u{202e}')),
            ("a\u{2066}b", NameError::Character('\u{2066}')),
            ("a\u{200b}b", NameError::Character('\u{200b}')),
            ("a\u{200d}b", NameError::Character('\u{200d}')),
            ("a\nb", NameError::Character('\n')),
            ("\u{1f600}", NameError::Character('\u{1f600}')),
            ("-rf", NameError::Start('-')),
            (".hidden", NameError::Start('.')),
            ("\u{301}a", NameError::Start('\u{301}')),
        ];
        for (name, expected) in table {
            assert_eq!(check_name(name), Err(expected), "{name:?}");
        }
    }

    #[test]
    fn length_counts_after_normalization() {
        assert_eq!(check_name(&"a".repeat(64)), Ok("a".repeat(64)));
        assert_eq!(check_name(&"a".repeat(65)), Err(NameError::TooLong));
        assert_eq!(check_name(&"\u{fb01}".repeat(32)), Ok("fi".repeat(32)));
        assert_eq!(check_name(&"\u{fb01}".repeat(33)), Err(NameError::TooLong));
        assert_eq!(check_name(&"a".repeat(1 << 20)), Err(NameError::TooLong));
    }

    #[test]
    fn folding_hides_case_and_compatibility_forms() {
        for (one, other) in [
            ("Alice", "aLICE"),
            ("STRASSE", "straße"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("ﬁnn", "FINN"),
            ("\u{e9}va", "E\u{301}va"),
            ("Ǆ", "ǆ"),
        ] {
            assert_eq!(fold_name(one), fold_name(other), "{one} {other}");
        }
        // Case alone cannot tell the dotless i of Turkish from the other.
        assert_eq!(fold_name("alice"), fold_name("alıce"));
        assert_ne!(fold_name("alice"), fold_name("аlice"), "the second starts with a Cyrillic letter");
    }

    #[test]
    fn folding_twice_changes_nothing() {
        for character in '\0'..=char::MAX {
            let folded = fold_name(character.encode_utf8(&mut [0; 4]));
            assert_eq!(fold_name(&folded), folded, "{}", character.escape_unicode());
        }
    }

    #[test]
    fn terminal_commands_are_escaped() {
        assert_eq!(printable("\u{1b}[2J\u{9b}31m\u{7f}"), "\\u{1b}[2J\\u{9b}31m\\u{7f}");
        assert_eq!(printable("a\r\nb\tc"), "a\\r\\nb\\tc");
        assert_eq!(printable("\u{202e}cod.exe\u{2069}"), "\\u{202e}cod.exe\\u{2069}");
        assert!(matches!(printable("naïve 👍🏽 \\ ok"), Cow::Borrowed("naïve 👍🏽 \\ ok")));
    }

    proptest! {
        #[test]
        fn printable_text_commands_nothing(text: String) {
            let shown = printable(&text);
            prop_assert!(!shown.contains(commands_terminal));
            prop_assert_eq!(printable(&shown), shown.as_ref());
        }

        #[test]
        fn a_checked_name_is_its_own_normal_form(name in "\\PC{0,80}") {
            if let Ok(checked) = check_name(&name) {
                prop_assert_eq!(check_name(&checked), Ok(checked.clone()));
                prop_assert!(checked.len() <= 4 * NAME_CHARS_MAX);
                prop_assert_eq!(printable(&checked), checked.as_str());
            }
        }
    }
}
