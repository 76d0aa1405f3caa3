//! One daemon process, its directory, and the commands that are given to it.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::command::run;
use crate::process::{Log, Process};
use crate::{DEADLINE, Lines, Output, daemon_binary, line_binary};

/// How a node differs from the usual one.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Finds others by multicast DNS, and listens on every interface; the usual node listens on 127.0.0.1 only.
    pub discovery: bool,
    /// Seconds by which the node's clock is wrong.
    pub clock_offset_s: i64,
    /// Further variables of the daemon's environment.
    pub environment: Vec<(String, String)>,
    /// Another daemon than the one under test, with an emulator and its arguments in front; none for the usual one.
    pub daemon: Vec<OsString>,
    /// A program and its arguments that start the daemon, such as `nsenter`; none if it is started directly.
    pub wrapper: Vec<String>,
}

/// A node: a directory that outlives the daemon's process, and that process while it runs.
#[derive(Debug)]
pub struct Node {
    name: String,
    folder: TempDir,
    options: Options,
    process: Option<Process>,
    /// What `QPQ_LISTEN` is set to: any port at the first start, then the same one.
    listen: String,
    log: Log,
}

impl Node {
    /// Starts a node that listens on 127.0.0.1 and does not look for others.
    #[track_caller]
    pub fn start(name: &str) -> Self {
        Self::start_with(name, Options::default())
    }

    /// Starts a node.
    #[track_caller]
    pub fn start_with(name: &str, options: Options) -> Self {
        let mut node = Self::new(name, options);
        node.run_again();
        node
    }

    /// Makes a node's directory and starts nothing.
    #[track_caller]
    pub fn new(name: &str, options: Options) -> Self {
        let folder = tempfile::Builder::new().prefix("qpq-").tempdir();
        let folder = folder.unwrap_or_else(|error| panic!("no temporary directory: {error}"));
        let listen = if options.discovery { "0.0.0.0:0" } else { "127.0.0.1:0" }.to_owned();
        Self { name: name.to_owned(), folder, options, process: None, listen, log: Log::default() }
    }

    /// The name for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The directory of everything that belongs to the node.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The daemon's data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.folder().join("data")
    }

    /// The file of the at-rest key, outside the data directory.
    pub fn key_file(&self) -> PathBuf {
        self.folder().join("at-rest.key")
    }

    /// The owner's socket.
    pub fn socket(&self) -> PathBuf {
        self.data_dir().join("qpqd.sock")
    }

    /// Makes the clock wrong by so many seconds, from the next start on.
    pub fn set_clock_offset_s(&mut self, offset_s: i64) {
        self.options.clock_offset_s = offset_s;
    }

    /// Changes the further variables of the daemon's environment, for its next start.
    pub fn set_environment(&mut self, environment: Vec<(String, String)>) {
        self.options.environment = environment;
    }

    /// Whether its daemon was started and not ended since.
    pub fn runs(&self) -> bool {
        self.process.is_some()
    }

    /// The node key in hexadecimal digits.
    #[track_caller]
    pub fn node_key(&self) -> &str {
        &self.process.as_ref().expect("the daemon runs").ready.node
    }

    /// The id of the daemon's process.
    #[track_caller]
    pub fn process_id(&self) -> u32 {
        self.process.as_ref().expect("the daemon runs").id()
    }

    /// What the daemon wrote to standard error so far.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// A daemon command for this node, to which a test may add arguments.
    pub fn daemon_command(&self) -> Command {
        let Options { wrapper, daemon, .. } = &self.options;
        let usual = [daemon_binary().as_os_str().to_owned()];
        let daemon = if daemon.is_empty() { &usual[..] } else { daemon };
        let mut words = wrapper.iter().map(OsString::from).chain(daemon.iter().cloned());
        let mut command = self.command(Path::new(&words.next().unwrap_or_default()));
        command.args(words);
        command.env("QPQ_LISTEN", &self.listen);
        command.env("QPQ_DISCOVERY", if self.options.discovery { "open" } else { "off" });
        command.env("QPQ_KEY_FILE", self.key_file());
        command.env("QPQ_TEST_CLOCK_OFFSET_S", self.options.clock_offset_s.to_string());
        if let Some(filter) = std::env::var_os("QPQ_TEST_LOG") {
            command.env("QPQ_LOG", filter);
        }
        command.envs(self.options.environment.iter().map(|(name, value)| (name, value)));
        command.arg("--data-dir").arg(self.data_dir());
        command
    }

    /// Runs the daemon to its end, for starts that must fail or that only print.
    #[track_caller]
    pub fn daemon_output(&self, words: &[&str]) -> Output {
        run(self.daemon_command().args(words), b"")
    }

    /// Starts the daemon, and waits until it says that it is ready.
    #[track_caller]
    pub fn run_again(&mut self) {
        assert!(self.process.is_none(), "{}: the daemon runs already", self.name);
        let started = Process::start(&mut self.daemon_command(), &self.log);
        let process =
            started.unwrap_or_else(|| panic!("{}: the daemon is not ready\n{}", self.name, self.log()));
        // A node that cannot be found again by discovery stays where its contacts know it to be.
        if let Some(address) = process.ready.addresses.first().filter(|_| !self.options.discovery) {
            self.listen = address.to_string();
        }
        self.process = Some(process);
    }

    /// Kills the daemon while other threads use it. [`Node::kill9`] must follow before it can run again.
    #[track_caller]
    pub fn strike(&self) {
        self.process.as_ref().expect("the daemon runs").strike();
    }

    /// Ends the daemon as a power cut would: at once, with nothing tidied up.
    #[track_caller]
    pub fn kill9(&mut self) {
        drop(self.process.take().expect("the daemon runs"));
    }

    /// Asks the daemon to end, as a service manager does, and waits for it.
    #[track_caller]
    pub fn terminate(&mut self) -> ExitStatus {
        let ended = self.process.take().expect("the daemon runs").terminate();
        ended.unwrap_or_else(|| panic!("{}: the daemon did not end on SIGTERM\n{}", self.name, self.log()))
    }

    /// Ends the daemon in an orderly way and starts it again.
    #[track_caller]
    pub fn restart(&mut self) {
        let status = self.terminate();
        assert!(status.success(), "{}: SIGTERM ended the daemon with {status}\n{}", self.name, self.log());
        self.run_again();
    }

    /// Runs `qpq --json` with these words against this node, whether or not its daemon runs.
    #[track_caller]
    pub fn qpq(&self, words: &[&str]) -> Output {
        run(self.line_command().arg("--json").args(words), b"")
    }

    /// Runs `qpq` for a person to read, with something on standard input.
    #[track_caller]
    pub fn qpq_plain(&self, words: &[&str], input: &[u8]) -> Output {
        run(self.line_command().args(words), input)
    }

    /// Runs a command that must succeed, and gives the JSON object it printed.
    #[track_caller]
    pub fn ok(&self, words: &[&str]) -> Value {
        self.qpq(words).expect_status(0).json()
    }

    /// Runs a command that must succeed, and gives the JSON objects it printed.
    #[track_caller]
    pub fn ok_lines(&self, words: &[&str]) -> Vec<Value> {
        self.qpq(words).expect_status(0).json_lines()
    }

    /// Starts a command that prints JSON lines until it is dropped.
    #[track_caller]
    pub fn follow(&self, words: &[&str]) -> Lines {
        Lines::start(self.line_command().arg("--json").args(words))
    }

    /// Waits until a condition gives something, looking again after every event of the node.
    ///
    /// Not everything has an event (a connection made has none), so it is looked at twice a second as well.
    #[track_caller]
    pub fn until<T>(&self, what: &str, condition: impl FnMut() -> Option<T>) -> T {
        self.eventually(condition)
            .unwrap_or_else(|| panic!("{}: waited in vain until {what}\n{}", self.name, self.log()))
    }

    /// As [`Node::until`], but gives nothing when the time is up, so that the test can say more.
    #[track_caller]
    pub fn eventually<T>(&self, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
        let events = self.follow(&["events", "--since", "0"]);
        let deadline = Instant::now() + DEADLINE;
        while Instant::now() < deadline {
            if let Some(found) = condition() {
                return Some(found);
            }
            if events.wait(RECHECK) == Err(RecvTimeoutError::Disconnected) {
                panic!("{}: `qpq events` has ended\n{}", self.name, self.log());
            }
        }
        None
    }

    fn line_command(&self) -> Command {
        let mut command = self.command(line_binary());
        command.arg("--data-dir").arg(self.data_dir());
        command
    }

    /// A program that sees nothing of whoever runs the test: no settings, no home.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", self.folder()).env("PATH", variable("PATH")).env("NO_COLOR", "1");
        for name in ["RUST_BACKTRACE", "LLVM_PROFILE_FILE", "LD_LIBRARY_PATH"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.current_dir(self.folder());
        command
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- log of {} ---\n{}", self.name, self.log());
        }
    }
}

fn variable(name: impl AsRef<OsStr>) -> OsString {
    std::env::var_os(name).unwrap_or_default()
}

/// How long a condition without an event may go unnoticed.
const RECHECK: Duration = Duration::from_millis(500);
