//! A node that says what a test wants: the real socket, frames and method table, with written answers. The whole
//! product, real daemons included, is tested in the `qpq-tests` crate; here it is how `qpq` takes each answer.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use qpq_net::socket::{SocketServer, serve};
use qpq_net::{Answer, Caller, Service};
use qpq_proto::limits::{Limits, WIRE_VERSION};
use qpq_proto::services::{Owner, Peers, dispatch_owner, dispatch_peers};
use qpq_proto::{Failure, Method, v1};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// What the node answers. A method without an answer here is `NotFound`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    /// Answers every call but `Health` with this.
    pub(crate) failure: Option<Failure>,
    /// Speaks this wire version alone, instead of ours.
    pub(crate) wire_version: Option<u32>,
    /// State in which messages are, and remain.
    pub(crate) message_state: &'static str,
    /// The change that every group method answers.
    pub(crate) change: v1::GroupChange,
    /// The messages there are.
    pub(crate) messages: Vec<v1::Message>,
    /// The events there are.
    pub(crate) events: Vec<v1::Event>,
    /// The outcome of the one check.
    pub(crate) check: &'static str,
    /// What was asked, by method name and, where a test looks, what for.
    pub(crate) asked: Vec<String>,
}

/// A node that runs, and ends when dropped.
pub(crate) struct Scripted {
    directory: TempDir,
    script: Arc<Mutex<Script>>,
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
        let mut node = Self { directory, script: Arc::default(), server: None, runtime: None };
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
        let service: Arc<dyn Service> = Arc::new(Node(Arc::clone(&self.script)));
        self.server = Some(runtime.block_on(serve(&self.socket(), service, Limits::ROUTER)).unwrap());
        self.runtime = Some(runtime);
    }

    /// A command for this node, without a terminal.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_qpq"));
        command.arg("--socket").arg(self.socket()).args(words);
        command.env_remove("QPQ_DATA_DIR").env_remove("QPQ_SOCKET").env_remove("QPQ_PASSPHRASE");
        command.env("XDG_CONFIG_HOME", self.directory.path());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn qpq(&self, words: &[&str], input: &str) -> Ended {
        let mut command = self.command(words);
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

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("qpqd.sock")
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.script.lock().unwrap().asked.clone()
    }
}

/// A message from bob.
pub(crate) fn message(cursor: u64, text: &str) -> v1::Message {
    v1::Message {
        id: vec![1; 16],
        conversation: "@bob".into(),
        from: "bob".into(),
        from_identity: vec![2; 32],
        text: text.into(),
        sent_at_ms: 1_795_257_065_120,
        stored_at_ms: 1_795_257_065_320,
        state: "received".into(),
        cursor,
        ..Default::default()
    }
}

struct Node(Arc<Mutex<Script>>);

impl Service for Node {
    fn call(&self, _caller: Caller, method: Method, payload: Bytes) -> Answer<'_> {
        let mut script = self.0.lock().unwrap();
        let result = match (method, script.failure.clone()) {
            (Method::Health, _) => dispatch_peers(&mut *script, &mut (), method, payload),
            (_, Some(failure)) => Err(failure),
            _ => dispatch_owner(&mut *script, &mut (), method, payload),
        };
        if method == Method::ReadEvents && script.asked.last().is_some_and(|asked| asked == WAITS) {
            return Box::pin(std::future::pending()); // nothing ever happens again
        }
        Box::pin(async move { result })
    }
}

impl Peers<()> for Script {
    fn health(&mut self, (): &mut (), _: v1::HealthRequest) -> Result<v1::HealthResponse, Failure> {
        let version = self.wire_version.unwrap_or(WIRE_VERSION);
        Ok(v1::HealthResponse {
            version: "9.9.9".into(),
            wire_version_min: version,
            wire_version_max: version,
            ..Default::default()
        })
    }
}

impl Owner<()> for Script {
    fn show_identity(
        &mut self,
        (): &mut (),
        _: v1::ShowIdentityRequest,
    ) -> Result<v1::ShowIdentityResponse, Failure> {
        Ok(v1::ShowIdentityResponse { identity: vec![1; 32], name: "alice".into(), ..Default::default() })
    }

    fn node_status(
        &mut self,
        (): &mut (),
        _: v1::NodeStatusRequest,
    ) -> Result<v1::NodeStatusResponse, Failure> {
        Ok(v1::NodeStatusResponse { version: env!("CARGO_PKG_VERSION").into(), ..Default::default() })
    }

    fn diagnose(&mut self, (): &mut (), _: v1::DiagnoseRequest) -> Result<v1::DiagnoseResponse, Failure> {
        let check = v1::Check { name: "clock".into(), outcome: self.check.into(), ..Default::default() };
        Ok(v1::DiagnoseResponse { checks: vec![check] })
    }

    fn read_events(
        &mut self,
        (): &mut (),
        request: v1::ReadEventsRequest,
    ) -> Result<v1::ReadEventsResponse, Failure> {
        let events: Vec<_> =
            self.events.iter().filter(|event| event.cursor > request.since).cloned().collect();
        if events.is_empty() && request.timeout_ms > 0 {
            self.asked.push(WAITS.into());
        }
        let next = events.last().map_or(request.since, |event| event.cursor);
        Ok(v1::ReadEventsResponse { events, next, lagged: 0 })
    }

    fn list_contacts(
        &mut self,
        (): &mut (),
        _: v1::ListContactsRequest,
    ) -> Result<v1::ListContactsResponse, Failure> {
        let bob = v1::Contact { name: "bob".into(), state: "accepted".into(), ..Default::default() };
        Ok(v1::ListContactsResponse { contacts: vec![bob] })
    }

    fn list_conversations(
        &mut self,
        (): &mut (),
        _: v1::ListConversationsRequest,
    ) -> Result<v1::ListConversationsResponse, Failure> {
        Ok(v1::ListConversationsResponse::default())
    }

    fn verify_contact(
        &mut self,
        (): &mut (),
        request: v1::VerifyContactRequest,
    ) -> Result<v1::VerifyContactResponse, Failure> {
        let verification =
            if request.action() == v1::VerifyAction::Compare { "mismatched" } else { "unverified" };
        let contact =
            v1::Contact { name: request.name, verification: verification.into(), ..Default::default() };
        Ok(v1::VerifyContactResponse { safety_number: "12345".repeat(12), contact: Some(contact) })
    }

    fn read_messages(
        &mut self,
        (): &mut (),
        request: v1::ReadMessagesRequest,
    ) -> Result<v1::ReadMessagesResponse, Failure> {
        let after = |message: &&v1::Message| message.cursor > request.since;
        let limit = usize::try_from(request.limit).unwrap();
        let messages: Vec<_> = self.messages.iter().filter(after).take(limit).cloned().collect();
        let next = messages.last().map_or(request.since, |message| message.cursor);
        Ok(v1::ReadMessagesResponse { messages, next })
    }

    fn mark_read(
        &mut self,
        (): &mut (),
        request: v1::MarkReadRequest,
    ) -> Result<v1::MarkReadResponse, Failure> {
        self.asked.push(format!("MarkRead {} {}", request.conversation, request.cursor));
        Ok(v1::MarkReadResponse {})
    }

    fn send_message(
        &mut self,
        (): &mut (),
        request: v1::SendMessageRequest,
    ) -> Result<v1::SendMessageResponse, Failure> {
        self.asked.push(format!("SendMessage {} {}", request.to, request.text));
        let sent =
            v1::Message { own: true, conversation: request.to, state: "queued".into(), ..message(9, "") };
        Ok(v1::SendMessageResponse { message: Some(sent) })
    }

    fn wait_message(
        &mut self,
        (): &mut (),
        request: v1::WaitMessageRequest,
    ) -> Result<v1::WaitMessageResponse, Failure> {
        let waited = v1::Message { own: true, state: self.message_state.into(), ..message(9, "") };
        let reached = self.message_state == request.state;
        Ok(v1::WaitMessageResponse { message: Some(waited), reached, waiting_for: vec!["bob".into()] })
    }

    fn remove_group_member(
        &mut self,
        (): &mut (),
        _: v1::RemoveGroupMemberRequest,
    ) -> Result<v1::RemoveGroupMemberResponse, Failure> {
        Ok(v1::RemoveGroupMemberResponse { change: Some(self.change.clone()) })
    }

    fn wait_change(
        &mut self,
        (): &mut (),
        _: v1::WaitChangeRequest,
    ) -> Result<v1::WaitChangeResponse, Failure> {
        self.asked.push("WaitChange".into());
        Ok(v1::WaitChangeResponse { change: Some(self.change.clone()) })
    }
}

const WAITS: &str = "ReadEvents waits";
