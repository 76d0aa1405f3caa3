//! Text from other people, made harmless for a terminal.
//!
//! A name or a message may contain anything. Written to a terminal as it is, it could move the cursor, recolour or
//! clear the screen, change the window's title, or reorder what stands beside it so that it seems to come from
//! somebody else. Whatever a terminal would obey rather than show is therefore written as a visible escape such as
//! `\u{1b}`.

use std::borrow::Cow;

/// One line of text as it may be shown: controls, line ends and directional overrides become visible escapes.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_obeyed(character) {
            shown.extend(escape(character));
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// Text of several lines: as [`printable`], but its line ends stay, and every further line is indented, so that
/// none can pass for a message of its own.
pub(crate) fn printable_block(text: &str, indent: usize) -> String {
    let mut lines =
        text.trim_end_matches('\n').split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    let mut shown = printable(lines.next().unwrap_or_default()).into_owned();
    for line in lines {
        shown.push('\n');
        shown.extend(std::iter::repeat_n(' ', indent));
        shown.push_str(&printable(line));
    }
    shown
}

/// Whether a terminal would act on the character, or hide it, instead of showing it.
pub(crate) fn is_obeyed(character: char) -> bool {
    character.is_control() // C0, delete and C1
        || matches!(character,
            '\u{00ad}'                  // soft hyphen
            | '\u{061c}'                // Arabic letter mark
            | '\u{180e}'                // Mongolian vowel separator
            | '\u{200b}'                // zero width space; the joiners stay, scripts and emoji need them
            | '\u{200e}'..='\u{200f}'   // directional marks
            | '\u{2028}'..='\u{202e}'   // line and paragraph separators, embeddings and overrides
            | '\u{2060}'..='\u{206f}'   // invisible operators, isolates, deprecated formats
            | '\u{feff}'                // byte order mark
            | '\u{fff9}'..='\u{fffb}'   // interlinear annotation
            | '\u{e0000}'..='\u{e007f}' // tags
        )
}

fn escape(character: char) -> impl Iterator<Item = char> {
    match character {
        '\n' | '\r' | '\t' => character.escape_default().to_string(),
        _ => character.escape_unicode().to_string(),
    }
    .into_bytes()
    .into_iter()
    .map(char::from)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn controls_become_visible() {
        for (text, shown) in [
            ("plain", "plain"),
            ("Grüße 👩‍👩‍👧 \u{645}\u{6cc}\u{200c}\u{62e}", "Grüße 👩‍👩‍👧 \u{645}\u{6cc}\u{200c}\u{62e}"),
            ("\x1b[2Jgone", "\\u{1b}[2Jgone"),
            ("\x1b]0;title\x07", "\\u{1b}]0;title\\u{7}"),
            ("c1 \u{9b}31m", "c1 \\u{9b}31m"),
            ("a\nb\r\tc", "a\\nb\\r\\tc"),
            ("\u{202e}evil", "\\u{202e}evil"),
            ("\u{2067}isolate", "\\u{2067}isolate"),
            ("zero\u{200b}width", "zero\\u{200b}width"),
            ("tag\u{e0041}", "tag\\u{e0041}"),
        ] {
            assert_eq!(printable(text), shown, "{text:?}");
        }
    }

    #[test]
    fn harmless_text_is_not_copied() {
        assert!(matches!(printable("nothing to do"), Cow::Borrowed(_)));
    }

    #[test]
    fn further_lines_are_indented() {
        assert_eq!(printable_block("one\r\n10:00 bob: two\n", 4), "one\n    10:00 bob: two");
        assert_eq!(printable_block("", 4), "");
        assert_eq!(printable_block("a\rb", 2), "a\\rb");
    }

    proptest! {
        #[test]
        fn nothing_obeyed_is_left(text in any::<String>()) {
            prop_assert!(!printable(&text).chars().any(is_obeyed));
            let block = printable_block(&text, 2);
            prop_assert!(!block.chars().any(|character| character != '\n' && is_obeyed(character)));
        }
    }
}
