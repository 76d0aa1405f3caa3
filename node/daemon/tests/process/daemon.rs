//! Running real daemons, each in a home of its own, on the loopback interface only.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};

use qpq_net::socket::SocketClient;
use qpq_proto::Client;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Where a daemon keeps everything: data, key and settings.
pub(crate) struct Home {
    directory: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a temporary directory") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.path("data")
    }

    /// The daemon's command, which sees nothing of the environment of the tests.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_qpqd"));
        command
            .env_clear()
            .env("HOME", self.directory.path())
            .env("QPQ_LISTEN", "127.0.0.1:0")
            .env("QPQ_DISCOVERY", "off")
            .env("QPQ_PROFILE", "router")
            .arg("--data-dir")
            .arg(self.data_dir())
            .stdin(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    /// Starts the daemon and waits until it is ready.
    pub(crate) fn start(&self) -> Daemon {
        Daemon::start(self.command())
    }

    /// Runs a command that is expected to end by itself: its exit code and what it says, with `~` for the home.
    pub(crate) fn run(&self, command: &mut Command) -> (i32, String) {
        let output = command.output().expect("the daemon can be run");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let home = self.directory.path().display().to_string();
        (output.status.code().expect("an exit code"), said.replace(&home, "~"))
    }
}

/// A daemon that is ready. It is killed when it is dropped.
pub(crate) struct Daemon {
    child: Child,
    stderr: BufReader<ChildStderr>,
    /// The line with which it said so.
    pub(crate) ready: String,
    /// What it said before.
    pub(crate) before: Vec<String>,
}

impl Daemon {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the daemon can be run");
        let stderr = BufReader::new(child.stderr.take().expect("standard error is piped"));
        let mut daemon = Self { child, stderr, ready: String::new(), before: Vec::new() };
        while daemon.ready.is_empty() {
            let line = read_line(&mut daemon.stderr);
            let line = line.unwrap_or_else(|| panic!("the daemon ended: {:?}", daemon.before));
            if line.starts_with("ready ") {
                daemon.ready = line;
            } else {
                daemon.before.push(line);
            }
        }
        daemon
    }

    /// The value of `key=value` in the line that tells of readiness.
    pub(crate) fn value(&self, key: &str) -> &str {
        let word = self.ready.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        word.unwrap_or_else(|| panic!("no {key} in {}", self.ready))
    }

    pub(crate) async fn client(&self) -> Client<SocketClient> {
        Client::new(
            SocketClient::connect(Path::new(self.value("socket"))).await.expect("the socket is there"),
        )
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process has an id");
        kill_process(pid, signal).expect("it is ours");
    }

    /// Waits for a line that holds a text.
    pub(crate) fn wait_for_line(&mut self, text: &str) -> String {
        loop {
            let line =
                read_line(&mut self.stderr).unwrap_or_else(|| panic!("the daemon did not say {text:?}"));
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Waits for its end: how it ended, and what it said since it was ready.
    pub(crate) fn wait(mut self) -> (ExitStatus, Vec<String>) {
        let said = std::iter::from_fn(|| read_line(&mut self.stderr)).collect();
        (self.child.wait().expect("it is our child"), said)
    }

    /// Tells it to stop and waits; it must end well.
    pub(crate) fn stop(self) {
        self.signal(Signal::TERM);
        let (status, said) = self.wait();
        assert_eq!(status.code(), Some(0), "{said:?}");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            // What it said explains the failure of the test.
            while let Some(line) = read_line(&mut self.stderr) {
                eprintln!("qpqd: {line}");
            }
        }
    }
}

fn read_line(stderr: &mut BufReader<ChildStderr>) -> Option<String> {
    let mut line = String::new();
    match stderr.read_line(&mut line) {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(line.trim_end().to_owned()),
    }
}
