//! A node that says what a test wants: the real socket, frames and method table, with written answers. The whole
//! product, real daemons included, is tested in the `qpq-tests` crate; here it is how `qpq` takes each answer.

use std::fmt::Debug;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use qpq_net::socket::{SocketServer, serve};
use qpq_net::{Answer, Caller, Service};
use qpq_proto::limits::Limits;
use qpq_proto::services::{dispatch_owner, dispatch_peers};
use qpq_proto::{Failure, Method, v1};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::script::Script;

/// A node that runs, and ends when dropped.
pub(crate) struct Scripted {
    directory: TempDir,
    script: Arc<Mutex<Script>>,
    happened: Arc<Notify>,
    // Dropped in this order: the server needs its runtime.
    server: Option<SocketServer>,
    runtime: Option<Runtime>,
}

/// What `qpq` left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Exit code.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

impl Scripted {
    /// Starts it.
    pub(crate) fn start(script: Script) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut node =
            Self { directory, script: Arc::default(), happened: Arc::default(), server: None, runtime: None };
        node.run(script);
        node
    }

    /// Ends it and starts it anew, with other answers.
    pub(crate) fn restart(&mut self, script: Script) {
        self.server = None;
        // Until nothing of it listens any more.
        self.runtime.take().unwrap().shutdown_timeout(Duration::from_secs(5));
        self.run(script);
    }

    fn run(&mut self, script: Script) {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        self.script = Arc::new(Mutex::new(script));
        let node = Node { script: Arc::clone(&self.script), happened: Arc::clone(&self.happened) };
        let service: Arc<dyn Service> = Arc::new(node);
        self.server = Some(runtime.block_on(serve(&self.socket(), service, Limits::ROUTER)).unwrap());
        self.runtime = Some(runtime);
    }

    /// A command for this node, without a terminal.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = qpq(self.directory.path());
        command.arg("--socket").arg(self.socket()).args(words);
        command
    }

    /// Runs a command to its end.
    pub(crate) fn qpq(&self, words: &[&str], input: &str) -> Ended {
        run(self.command(words), input)
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("qpqd.sock")
    }

    /// Something happens, by itself, after a change of the script.
    pub(crate) fn happens(&self, event: v1::Event, change: impl FnOnce(&mut Script)) {
        let mut script = self.script.lock().unwrap();
        change(&mut script);
        script.events.push(event);
        drop(script);
        self.happened.notify_waiters();
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.script.lock().unwrap().asked.clone()
    }

    /// The requests for a method so far.
    pub(crate) fn requests<R: Message + Default>(&self, method: Method) -> Vec<R> {
        let script = self.script.lock().unwrap();
        let of_method = script.requests.iter().filter(|(asked, _)| *asked == method);
        of_method.map(|(_, payload)| R::decode(payload.clone()).unwrap()).collect()
    }

    /// The one request for a method.
    pub(crate) fn request<R: Message + Default + Debug>(&self, method: Method) -> R {
        let [request] = <[R; 1]>::try_from(self.requests(method)).unwrap_or_else(|other| panic!("{other:?}"));
        request
    }
}

/// `qpq` with a home of its own, in universal time.
pub(crate) fn qpq(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qpq"));
    for variable in FOREIGN_VARIABLES {
        command.env_remove(variable);
    }
    command.env("HOME", home).env("XDG_CONFIG_HOME", home).env("TZ", "UTC0");
    command
}

/// Runs a command to its end, without a terminal.
pub(crate) fn run(mut command: Command, input: &str) -> Ended {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that does not read its input may have ended.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Ended {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// What a command prints for people and for programs, when all goes well: its lines, and the JSON as it is.
pub(crate) fn both(script: &Script, words: &[&str]) -> (String, String) {
    let [for_people, for_programs] = [&[][..], &["--json"]].map(|flags| {
        let node = Scripted::start(script.clone());
        let ended = node.qpq(&[flags, words].concat(), "");
        assert_eq!(ended.code, 0, "{words:?}: {}", ended.stderr);
        ended.stdout.trim_end_matches('\n').to_owned()
    });
    (for_people, for_programs)
}

/// A line of JSON.
pub(crate) fn json(line: &str) -> Value {
    serde_json::from_str(line.trim()).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// The service, told of what happens.
struct Node {
    script: Arc<Mutex<Script>>,
    happened: Arc<Notify>,
}

impl Service for Node {
    fn call(&self, _caller: Caller, method: Method, payload: Bytes) -> Answer<'_> {
        let mut script = self.script.lock().unwrap();
        let answer = script.called(method, &payload);
        let failure = script.failure.clone().filter(|_| method != Method::Health).map(Err);
        let result = match (method, failure.or(answer)) {
            (_, Some(answer)) => answer,
            (Method::Health, None) => dispatch_peers(&mut *script, &mut (), method, payload),
            (Method::ReadEvents, None) => return Box::pin(self.read_events(payload)),
            _ => dispatch_owner(&mut *script, &mut (), method, payload),
        };
        self.happened.notify_waiters();
        Box::pin(async move { result })
    }
}

impl Node {
    /// The events there are, or the first to come within the time that the request allows.
    async fn read_events(&self, payload: Bytes) -> Result<Bytes, Failure> {
        let request = v1::ReadEventsRequest::decode(payload).unwrap();
        let deadline = Instant::now() + Duration::from_millis(request.timeout_ms.into());
        loop {
            let mut happened = pin!(self.happened.notified());
            happened.as_mut().enable();
            let response = self.script.lock().unwrap().events_after(request.since);
            if !response.events.is_empty() || timeout_at(deadline, happened).await.is_err() {
                return Ok(response.encode_to_vec().into());
            }
        }
    }
}

/// What the machine of the test has set.
const FOREIGN_VARIABLES: &[&str] = &[
    "QPQ_CONFIG",
    "QPQ_DATA_DIR",
    "QPQ_SOCKET",
    "QPQ_PASSPHRASE",
    "QPQ_PASSWORD",
    "XDG_DATA_HOME",
    "STATE_DIRECTORY",
    "CONFIGURATION_DIRECTORY",
    "NO_COLOR",
];
