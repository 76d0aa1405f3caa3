//! People without a daemon: commands that each start a node of their own for as long as they last.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::command::run;
use crate::{Output, line_binary};

/// A person who uses a relay and has a home of its own.
#[derive(Debug)]
pub struct LightPerson {
    name: String,
    home: TempDir,
    link: String,
}

impl LightPerson {
    /// Somebody who has nothing yet but the link to a relay.
    #[track_caller]
    pub fn new(name: &str, link: &str) -> Self {
        let home = tempfile::Builder::new().prefix("qpq-").tempdir();
        let home = home.unwrap_or_else(|error| panic!("no directory for {name}: {error}"));
        Self { name: name.to_owned(), home, link: link.to_owned() }
    }

    /// The person's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The person's home.
    pub fn folder(&self) -> &Path {
        self.home.path()
    }

    /// Where the node's files are.
    pub fn data_dir(&self) -> PathBuf {
        self.folder().join(".local/share/qpq-light")
    }

    /// Uses another link to the relay from now on.
    pub fn relink(&mut self, link: &str) {
        link.clone_into(&mut self.link);
    }

    /// Runs `qpq --relay LINK --json` with these words to its end.
    #[track_caller]
    pub fn qpq(&self, words: &[&str]) -> Output {
        run(&mut self.command(words), b"")
    }

    /// Runs a command that must succeed, and gives the JSON object it printed.
    #[track_caller]
    pub fn ok(&self, words: &[&str]) -> Value {
        self.qpq(words).expect_status(0).json()
    }

    /// Starts a command and does not wait for it; it reads what the child is given on standard input.
    #[track_caller]
    pub fn start(&self, words: &[&str]) -> Child {
        let mut command = self.command(words);
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        started.unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// The texts of a conversation, in this node's order.
    #[track_caller]
    pub fn texts(&self, conversation: &str) -> Vec<String> {
        let read = self.qpq(&["read", conversation, "--since", "0"]).expect_status(0).json_lines();
        read.iter().filter_map(|message| message["text"].as_str().map(str::to_owned)).collect()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(line_binary());
        command.env_clear().env("HOME", self.folder()).env("NO_COLOR", "1");
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.current_dir(self.folder()).args(["--relay", &self.link, "--json"]).args(words);
        command
    }
}
