//! A node that this program starts and ends: a process of this same program, which ends with it however that ends.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, getpid, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;

use crate::exit::Error;

/// The hidden first argument that makes this program a node.
pub(crate) const DAEMON_COMMAND: &str = "__daemon";

/// Is a node until its standard input closes, so that it never outlives the program that started it.
pub(crate) fn run_daemon(args: Vec<OsString>) -> ExitCode {
    thread::spawn(|| {
        // An error means the same as the end: nobody holds the other side.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        // The daemon takes this for the usual request to end; there is nobody to report a failure to.
        let _ = kill_process(getpid(), Signal::TERM);
    });
    qpqd::run(args.into_iter().skip(2))
}

/// The command that starts a node over this data directory. No setting of the person's is taken over but what is logged.
pub(crate) fn command(data_dir: &Path) -> Result<Command, Error> {
    let program = std::env::current_exe().map_err(failed)?;
    let mut command = Command::new(program);
    command.arg(DAEMON_COMMAND).arg("--data-dir").arg(data_dir);
    for (variable, _) in std::env::vars_os() {
        let name = variable.to_string_lossy();
        let is_setting = name.starts_with("QPQ_") && !LOG_VARIABLES.contains(&name.as_ref());
        if is_setting || FOREIGN_VARIABLES.contains(&name.as_ref()) {
            command.env_remove(&variable);
        }
    }
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0); // Ctrl-C goes to this program alone, which ends its nodes in order
    Ok(command)
}

/// A node that runs.
#[derive(Debug)]
pub(crate) struct NodeProcess(Child);

/// A node does not start.
#[derive(Debug)]
pub(crate) enum NotStarted {
    /// It has ended, with this as its last words.
    Ended(String),
    /// It was not ready in time.
    TimedOut,
    /// It cannot be started at all.
    Impossible(Error),
}

impl NodeProcess {
    /// Starts it, and waits until it is ready. What it says goes into the log.
    pub(crate) async fn start(mut command: Command, mut log: File) -> Result<Self, NotStarted> {
        let mut process = command.spawn().map_err(failed).map_err(NotStarted::Impossible)?;
        let stderr = process.stderr.take().ok_or(Error::Incomplete("standard error of a node"));
        let mut lines = BufReader::new(stderr.map_err(NotStarted::Impossible)?).lines();
        match timeout(START_TIMEOUT, await_ready(&mut lines, &mut log)).await {
            Ok(Ok(())) => {}
            Ok(Err(last_words)) => return Err(NotStarted::Ended(last_words)),
            Err(_) => return Err(NotStarted::TimedOut),
        }
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let _ = writeln!(log, "{line}"); // a log that cannot be written is no reason to stop
            }
        });
        Ok(Self(process))
    }

    /// The process's number.
    pub(crate) fn id(&self) -> u32 {
        self.0.id().unwrap_or_default()
    }

    /// Asks it to end, and kills it if it does not: false then.
    pub(crate) async fn stop(self) -> Result<bool, Error> {
        let Self(mut process) = self;
        let pid = process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        // Waiting closes the pipe, which the process takes for a second wish to end, and then it hurries.
        let _stdin = process.stdin.take();
        if let Some(pid) = pid {
            // It may have ended by itself just now.
            let _ = kill_process(pid, Signal::TERM);
        }
        if timeout(STOP_TIMEOUT, process.wait()).await.is_ok() {
            return Ok(true);
        }
        process.kill().await.map_err(|source| Error::System { what: "killing a node", source })?;
        Ok(false)
    }
}

/// Reads what a node says until it is ready; its last words if it ends before.
async fn await_ready(lines: &mut Lines<BufReader<ChildStderr>>, log: &mut File) -> Result<(), String> {
    let mut last_words = String::new();
    while let Ok(Some(line)) = lines.next_line().await {
        let _ = writeln!(log, "{line}");
        if line.starts_with("ready") {
            return Ok(());
        }
        last_words = line;
    }
    Err(last_words)
}

fn failed(source: io::Error) -> Error {
    Error::System { what: "starting a node", source }
}

const START_TIMEOUT: Duration = Duration::from_secs(30);
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// The person's settings are not such a node's, but what is logged may be wanted in more detail.
const LOG_VARIABLES: &[&str] = &["QPQ_LOG", "QPQ_LOG_FORMAT"];
/// Set by a service manager for this program, not for its nodes.
const FOREIGN_VARIABLES: &[&str] =
    &["NOTIFY_SOCKET", "STATE_DIRECTORY", "CONFIGURATION_DIRECTORY", "LISTEN_FDS"];
