//! What a line at the prompt means.

/// A line, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// Blanks, or nothing.
    Nothing,
    /// `/name rest`.
    Command {
        /// Without the slash.
        name: &'a str,
        /// What follows, without blanks around it.
        rest: &'a str,
    },
    /// `@name` or `#name` alone: plain text goes there from now on.
    Open(&'a str),
    /// A text to send.
    Say {
        /// `@name` or `#name`; the current conversation if absent.
        to: Option<&'a str>,
        /// The text, as it was typed.
        text: &'a str,
    },
}

impl<'a> Line<'a> {
    /// Takes a line apart. A text that begins with a sigil or a slash is written with a second slash: `//etc/fstab`
    /// sends `/etc/fstab`.
    pub(super) fn parse(line: &'a str) -> Self {
        let line = line.trim();
        if line.is_empty() {
            return Self::Nothing;
        }
        if let Some(text) = line.strip_prefix("//") {
            return Self::Say { to: None, text: &line[line.len() - text.len() - 1..] };
        }
        if let Some(command) = line.strip_prefix('/') {
            let (name, rest) = split_word(command);
            return Self::Command { name, rest };
        }
        if !line.starts_with(['@', '#']) {
            return Self::Say { to: None, text: line };
        }
        let (name, text) = split_word(line);
        match (name.len(), text.is_empty()) {
            (1, _) => Self::Say { to: None, text: line }, // a lone sigil is text
            (_, true) => Self::Open(name),
            (_, false) => Self::Say { to: Some(name), text },
        }
    }
}

/// The first word of a line, and what follows without blanks around it. No name holds a blank.
pub(super) fn split_word(text: &str) -> (&str, &str) {
    match text.trim_start().split_once(char::is_whitespace) {
        Some((word, rest)) => (word, rest.trim()),
        None => (text.trim_start(), ""),
    }
}

/// Every word of a line.
pub(super) fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn say<'a>(to: Option<&'a str>, text: &'a str) -> Line<'a> {
        Line::Say { to, text }
    }

    #[test]
    fn lines() {
        for (line, meaning) in [
            ("", Line::Nothing),
            ("  \t ", Line::Nothing),
            ("hello there", say(None, "hello there")),
            ("  hello  ", say(None, "hello")),
            ("@bob hi", say(Some("@bob"), "hi")),
            ("#picnic  who brings cake?", say(Some("#picnic"), "who brings cake?")),
            ("@bob", Line::Open("@bob")),
            ("@", say(None, "@")),
            ("# a heading", say(None, "# a heading")),
            ("/quit", Line::Command { name: "quit", rest: "" }),
            ("/dm bob  hi there ", Line::Command { name: "dm", rest: "bob  hi there" }),
            ("/", Line::Command { name: "", rest: "" }),
            ("//etc/fstab", say(None, "/etc/fstab")),
            ("mail@example.org", say(None, "mail@example.org")),
        ] {
            assert_eq!(Line::parse(line), meaning, "{line:?}");
        }
    }

    #[test]
    fn words_of_a_line() {
        assert_eq!(words(" @bob  dave\t#picnic "), ["@bob", "dave", "#picnic"]);
        assert_eq!(split_word("  bob  hi there "), ("bob", "hi there"));
        assert_eq!(split_word(""), ("", ""));
    }

    proptest! {
        #[test]
        fn every_line_has_a_meaning(line in any::<String>()) {
            let _ = Line::parse(&line);
        }

        #[test]
        fn a_text_arrives_as_it_was_typed(name in "[@#][a-z0-9][a-z0-9._-]{0,9}", text in "[^\\s][ -~]{0,20}[^\\s]") {
            let typed = format!("{name} {text}");
            prop_assert_eq!(Line::parse(&typed), say(Some(&name), &text));
        }
    }
}
