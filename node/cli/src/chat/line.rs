//! What a line at the prompt means.

use std::borrow::Cow;

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
    Open(Cow<'a, str>),
    /// A text to send.
    Say {
        /// `@name` or `#name`; the current conversation if absent.
        to: Option<Cow<'a, str>>,
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
        let (name, text) = split_name(line);
        match (name.len(), text.is_empty()) {
            (1, _) => Self::Say { to: None, text: line }, // a lone sigil is text
            (_, true) => Self::Open(name),
            (_, false) => Self::Say { to: Some(name), text },
        }
    }
}

/// The first name of a line, and what follows. A name with blanks stands in double quotes: `@"bob the builder"`.
pub(super) fn split_name(line: &str) -> (Cow<'_, str>, &str) {
    let line = line.trim_start();
    let sigil_bytes = usize::from(line.starts_with(['@', '#']));
    let (sigil, name) = line.split_at(sigil_bytes);
    if let Some((quoted, rest)) = name.strip_prefix('"').and_then(|quoted| quoted.split_once('"')) {
        return (Cow::Owned(format!("{sigil}{quoted}")), rest.trim_start());
    }
    let (word, rest) = split_word(line);
    (Cow::Borrowed(word), rest)
}

/// Every name of a line.
pub(super) fn names(line: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let (name, tail) = split_name(rest);
        names.push(name.into_owned());
        rest = tail.trim();
    }
    names
}

/// A name as it must be typed to be read as one.
pub(super) fn quote_name(name: &str) -> Cow<'_, str> {
    if !name.contains(char::is_whitespace) {
        return Cow::Borrowed(name);
    }
    let sigil_bytes = usize::from(name.starts_with(['@', '#']));
    let (sigil, bare) = name.split_at(sigil_bytes);
    Cow::Owned(format!("{sigil}\"{bare}\""))
}

fn split_word(text: &str) -> (&str, &str) {
    match text.split_once(char::is_whitespace) {
        Some((word, rest)) => (word, rest.trim()),
        None => (text, ""),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn say<'a>(to: Option<&'a str>, text: &'a str) -> Line<'a> {
        Line::Say { to: to.map(Cow::Borrowed), text }
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
            ("@\"bob the builder\" hi", say(Some("@bob the builder"), "hi")),
            ("@\"bob the builder\"", Line::Open("@bob the builder".into())),
            ("@\"unclosed name", say(Some("@\"unclosed"), "name")),
            ("@bob", Line::Open("@bob".into())),
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
    fn several_names() {
        assert_eq!(names("@bob  @\"carol smith\" dave"), ["@bob", "@carol smith", "dave"]);
        assert!(names("  ").is_empty());
    }

    #[test]
    fn names_with_blanks_are_quoted() {
        for (name, typed) in [("@bob", "@bob"), ("#our group", "#\"our group\""), ("a b", "\"a b\"")] {
            assert_eq!(quote_name(name), typed);
            assert_eq!(split_name(typed), (name.into(), ""));
        }
    }

    proptest! {
        #[test]
        fn every_line_has_a_meaning(line in any::<String>()) {
            let _ = Line::parse(&line);
        }

        #[test]
        fn what_is_quoted_is_read_back(name in "[@#][a-zäöü ]{0,9}[a-z]", text in "[a-z]{0,8}") {
            let typed = format!("{} {text}", quote_name(&name));
            prop_assert_eq!(split_name(&typed), (name.as_str().into(), text.as_str()));
        }
    }
}
