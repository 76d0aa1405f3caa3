//! One node of the demo: a process of this program.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;

use super::DAEMON_COMMAND;
use crate::connect::{self, Daemon, Location};
use crate::exit::Error;

/// A node with its files; running, or not.
#[derive(Debug)]
pub(super) struct Node {
    name: &'static str,
    directory: PathBuf,
    location: Location,
    process: Option<Child>,
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
        let mut process = self.spawn()?;
        let pid = process.id().unwrap_or_default();
        let stderr = process.stderr.take().ok_or(Error::Incomplete("standard error of a node"))?;
        self.process = Some(process);
        let mut log = self.open_log()?;
        let mut lines = BufReader::new(stderr).lines();
        match timeout(START_TIMEOUT, await_ready(&mut lines, &mut log)).await {
            Ok(true) => {}
            Ok(false) => return Err(Error::Negative(format!("{}'s node ended while it started", self.name))),
            Err(_) => return Err(Error::TimedOut(format!("{}'s node did not start in time", self.name))),
        }
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let _ = writeln!(log, "{line}"); // a log that cannot be written is no reason to stop
            }
        });
        self.daemon = Some(connect::connect(&self.location).await?);
        Ok(pid)
    }

    /// Asks the process to end, and kills it if it does not.
    pub(super) async fn stop(&mut self) -> Result<(), Error> {
        self.daemon = None;
        let Some(mut process) = self.process.take() else { return Ok(()) };
        let pid = process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        // Waiting closes the pipe, which the process takes for a second wish to end, and then it hurries.
        let _stdin = process.stdin.take();
        if let Some(pid) = pid {
            // It may have ended by itself just now.
            let _ = kill_process(pid, Signal::TERM);
        }
        if timeout(STOP_TIMEOUT, process.wait()).await.is_ok() {
            return Ok(());
        }
        process.kill().await.map_err(|source| Error::System { what: "killing a node", source })?;
        Err(Error::TimedOut(format!("{}'s node did not end when asked to, and was killed", self.name)))
    }

    fn spawn(&self) -> Result<Child, Error> {
        let failed = |source| Error::System { what: "starting a node", source };
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        command.arg(DAEMON_COMMAND).arg("--data-dir").arg(&self.location.data_dir);
        for (variable, _) in std::env::vars_os() {
            let name = variable.to_string_lossy();
            let is_setting = name.starts_with("QPQ_") && !LOG_VARIABLES.contains(&name.as_ref());
            if is_setting || FOREIGN_VARIABLES.contains(&name.as_ref()) {
                command.env_remove(&variable);
            }
        }
        command
            .env("QPQ_CONFIG", self.file("toml"))
            .env("QPQ_KEY_FILE", self.file("key"))
            .env("QPQ_SOCKET", &self.location.socket)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0) // Ctrl-C goes to the demo alone, which ends its nodes in order
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)
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

/// Reads what a node says until it is ready; false if it ends before.
async fn await_ready(lines: &mut Lines<BufReader<ChildStderr>>, log: &mut File) -> bool {
    while let Ok(Some(line)) = lines.next_line().await {
        let _ = writeln!(log, "{line}");
        if line.starts_with("ready") {
            return true;
        }
    }
    false
}

const START_TIMEOUT: Duration = Duration::from_secs(30);
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// The person's settings are not the demo's, but what is logged may be wanted in more detail.
const LOG_VARIABLES: &[&str] = &["QPQ_LOG", "QPQ_LOG_FORMAT"];
/// Set by a service manager for this program, not for its nodes.
const FOREIGN_VARIABLES: &[&str] =
    &["NOTIFY_SOCKET", "STATE_DIRECTORY", "CONFIGURATION_DIRECTORY", "LISTEN_FDS"];
