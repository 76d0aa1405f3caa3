//! Words that do not belong into the tree, each with what to write instead.

use crate::assert_none;
use crate::tree::{Source, rust_sources, sources};

/// What no Rust file may contain. Split so that this file does not contain it either.
const BANNED: &[(&str, &str)] = &[
    (concat!("todo", "!("), "write it, or leave the caller out"),
    (concat!("unimplemented", "!("), "write it, or leave the caller out"),
    (concat!("#[ig", "nore"), "make the test fast enough to run, or a bench"),
    (concat!("thread::", "sleep"), "await the condition: a channel with recv_timeout, or virtual time"),
    (concat!("time::sleep(Duration", "::from_secs"), "await the condition, or tokio::time::pause"),
    (concat!("dbg", "!("), "remove it, or tracing::debug!"),
    (concat!("HACK", ":"), "say why it must be so"),
    (concat!("FIX", "ME"), "fix it"),
    (concat!("TO", "DO"), "do it, or leave the sentence out"),
];

/// Folders that exist on some machines only. Split for the same reason.
const MACHINE_PATHS: [&str; 5] = [
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/wo", "rk/"),
    concat!("/Use", "rs/"),
    concat!("/m", "nt/"),
];

/// The home directory of a person called "a", which examples and tests may name.
const MADE_UP_HOME: &str = concat!("/ho", "me/a");

#[test]
fn no_banned_word_stands_in_the_code() {
    let mut offences = Vec::new();
    for file in rust_sources() {
        for (word, replacement) in BANNED {
            let places = lines_with(&file, |line| line.contains(word));
            offences.extend(places.map(|place| format!("{place}: {word}: {replacement}")));
        }
    }
    assert_none("some words do not belong into the code", &offences);
}

#[test]
fn no_file_names_a_path_of_one_machine() {
    let mut offences = Vec::new();
    for file in sources() {
        let places = lines_with(&file, |line| MACHINE_PATHS.iter().any(|path| names_path(line, path)));
        offences.extend(places.map(|place| format!("{place}: use a relative path, $HOME or ~")));
    }
    assert_none("no file names a path of one machine", &offences);
}

/// Whether the path starts in this line, is not the middle of a longer one, and is no made-up example.
fn names_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let inside =
            before.is_some_and(|character| character.is_alphanumeric() || "._-~}$*".contains(character));
        !inside && !is_made_up(&line[at..])
    })
}

fn is_made_up(path: &str) -> bool {
    path.strip_prefix(MADE_UP_HOME).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
}

fn lines_with(file: &Source, offends: impl Fn(&str) -> bool) -> impl Iterator<Item = String> {
    let lines = file.text.lines().enumerate();
    lines.filter(move |(_, line)| offends(line)).map(|(index, _)| format!("{}:{}", file.path, index + 1))
}
