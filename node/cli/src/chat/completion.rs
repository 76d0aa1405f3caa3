//! Completion at the prompt: slash commands, and the names of contacts and groups.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};

use super::slash::SLASH_COMMANDS;
use crate::printable::is_obeyed;

/// The names known now, with their sigils; shared between the session and the thread that reads lines.
#[derive(Debug, Clone, Default)]
pub(super) struct Names(Arc<Mutex<BTreeSet<String>>>);

impl Names {
    /// Forgets the old names and learns these. Names that a terminal would obey are not offered.
    pub(super) fn replace(&self, names: impl Iterator<Item = String>) {
        let names = names.filter(|name| !name.contains(is_obeyed)).collect();
        *self.lock() = names;
    }

    /// The name as it is written, whatever the case in which it was typed.
    pub(super) fn find(&self, typed: &str) -> Option<String> {
        let typed = typed.to_lowercase();
        self.lock().iter().find(|name| name.to_lowercase() == typed).cloned()
    }

    /// The names that begin so.
    fn starting_with(&self, beginning: &str) -> Vec<String> {
        let beginning = beginning.to_lowercase();
        self.lock().iter().filter(|name| name.to_lowercase().starts_with(&beginning)).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner) // a set is whole at any time
    }
}

/// What rustyline asks while a line is edited.
#[derive(Debug)]
pub(super) struct Prompter {
    /// The names known now.
    pub(super) names: Names,
}

impl Completer for Prompter {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, candidates) = candidates(&line[..pos], &self.names);
        let pair = |text: String| Pair { display: text.clone(), replacement: format!("{text} ") };
        Ok((start, candidates.into_iter().map(pair).collect()))
    }
}

impl Helper for Prompter {}
impl Highlighter for Prompter {}
impl Validator for Prompter {}
impl Hinter for Prompter {
    type Hint = String;
}

/// Where the word before the cursor begins, and what it may become.
fn candidates(before: &str, names: &Names) -> (usize, Vec<String>) {
    let start = before
        .rfind(char::is_whitespace)
        .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    let word = &before[start..];
    if start == 0 && word.starts_with('/') {
        let commands =
            SLASH_COMMANDS.iter().filter(|slash| slash.exists()).map(|slash| format!("/{}", slash.name));
        return (start, commands.filter(|command| command.starts_with(word)).collect());
    }
    if word.starts_with(['@', '#']) {
        return (start, names.starting_with(word));
    }
    // After a slash command a name may be begun without its sigil.
    if before.starts_with('/') && !word.is_empty() {
        return (start, names.starting_with(&format!("@{word}")));
    }
    (start, Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let names = Names::default();
        names.replace(["@bob", "@Bobby", "@carol", "#picnic", "@evil\x1b"].map(str::to_owned).into_iter());
        names
    }

    #[test]
    fn what_completes_to_what() {
        for (before, start, wanted) in [
            ("/cr", 0, &["/create-group"][..]),
            ("/sea", 0, &[]),
            ("/un", 0, &["/unblock"]),
            ("@b", 0, &["@Bobby", "@bob"]),
            ("#", 0, &["#picnic"]),
            ("/invite @ca", 8, &["@carol"]),
            ("/block ca", 7, &["@carol"]),
            ("hello @c", 6, &["@carol"]),
            ("hello c", 6, &[]),
            ("@e", 0, &[]),
            ("", 0, &[]),
        ] {
            assert_eq!(
                candidates(before, &names()),
                (start, wanted.iter().map(|name| name.to_string()).collect())
            );
        }
    }

    #[test]
    fn wide_blanks_do_not_split_characters() {
        assert_eq!(candidates("a\u{3000}@c", &names()), (4, vec!["@carol".to_owned()]));
    }

    #[test]
    fn names_are_found_and_replaced() {
        let names = names();
        assert_eq!(names.find("@BOBBY").as_deref(), Some("@Bobby"));
        assert_eq!(names.find("@evil\x1b"), None);
        names.replace(std::iter::once("@dave".to_owned()));
        assert_eq!((names.find("@bob"), names.find("@dave")), (None, Some("@dave".to_owned())));
    }
}
