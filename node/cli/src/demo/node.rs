//! One node of the demo: a process of this program.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::child::{self, NodeProcess, NotStarted};
use crate::connect::{self, Daemon, Location};
use crate::exit::Error;

/// A node with its files; running, or not.
#[derive(Debug)]
pub(super) struct Node {
    name: &'static str,
    directory: PathBuf,
    location: Location,
    process: Option<NodeProcess>,
    daemon: Option<Daemon>,
}

impl Node {
    /// A node that has not been started. All its files lie in `directory`.
    pub(super) fn new(name: &'static str, directory: &Path) -> Result<Self, Error> {
        let location =
            Location::resolve(Some(directory.join(name)), Some(directory.join(name).join("qpqd.sock")))?;
        let node = Self { name, directory: directory.to_owned(), location, process: None, daemon: None };
        // An empty settings file of its own: the person's settings are not the demo's.
        let path = node.file("toml");
        File::create(&path).map_err(|source| Error::File { path, source })?;
        Ok(node)
    }

    /// The name of the node's person.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// The methods of the node.
    pub(super) fn daemon(&self) -> Result<&Daemon, Error> {
        self.daemon.as_ref().ok_or_else(|| Error::Negative(format!("{}'s node does not run", self.name)))
    }

    /// What the node said on standard error.
    pub(super) fn log(&self) -> PathBuf {
        self.file("log")
    }

    /// Starts the process and connects to it, and gives the process's number.
    pub(super) async fn start(&mut self) -> Result<u32, Error> {
        let mut command = child::command(&self.location.data_dir)?;
        command
            .env("QPQ_CONFIG", self.file("toml"))
            .env("QPQ_KEY_FILE", self.file("key"))
            .env("QPQ_SOCKET", &self.location.socket)
            .kill_on_drop(true);
        let process =
            NodeProcess::start(command, self.open_log()?).await.map_err(|failure| match failure {
                NotStarted::Ended(_) => {
                    Error::Negative(format!("{}'s node ended while it started", self.name))
                }
                NotStarted::TimedOut => {
                    Error::TimedOut(format!("{}'s node did not start in time", self.name))
                }
                NotStarted::Impossible(error) => error,
            })?;
        let pid = process.id();
        self.process = Some(process);
        self.daemon = Some(connect::connect(&self.location).await?);
        Ok(pid)
    }

    /// Asks the process to end, and kills it if it does not.
    pub(super) async fn stop(&mut self) -> Result<(), Error> {
        self.daemon = None;
        let Some(process) = self.process.take() else { return Ok(()) };
        let killed = || format!("{}'s node did not end when asked to, and was killed", self.name);
        if process.stop().await? { Ok(()) } else { Err(Error::TimedOut(killed())) }
    }

    fn open_log(&self) -> Result<File, Error> {
        let path = self.log();
        let opened = File::options().create(true).append(true).open(&path);
        opened.map_err(|source| Error::File { path, source })
    }

    fn file(&self, extension: &str) -> PathBuf {
        self.directory.join(format!("{}.{extension}", self.name))
    }
}
