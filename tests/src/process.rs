//! A running daemon: started until it says that it is ready, ended in an orderly way or not.

use std::fmt::Write as _;
use std::io::Read;
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use crate::DEADLINE;
use crate::command::{end, lines_of};

/// What the daemons of a node wrote to standard error so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log(Arc<Mutex<String>>);

impl Log {
    /// All of it.
    pub(crate) fn text(&self) -> String {
        self.0.lock().expect(NO_PANIC).clone()
    }

    fn push(&self, line: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0.lock().expect(NO_PANIC), "{line}");
    }
}

/// A daemon that is ready.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    lines: Mutex<Receiver<String>>,
    /// What it said about itself.
    pub(crate) ready: Ready,
}

/// What the daemon says about itself once it serves.
#[derive(Debug)]
pub(crate) struct Ready {
    /// The node key in hexadecimal digits.
    pub(crate) node: String,
    /// Where peers can reach it.
    pub(crate) addresses: Vec<SocketAddr>,
}

impl Process {
    /// Starts a daemon; none if it did not become ready, about which the log says more.
    #[track_caller]
    pub(crate) fn start(command: &mut Command, log: &Log) -> Option<Self> {
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.unwrap_or_else(|error| panic!("qpqd cannot be started: {error}"));
        let lines = logged(child.stderr.take().expect("stderr is piped"), log.clone());
        match wait_for_ready(&lines) {
            Some(ready) => Some(Self { child, lines: Mutex::new(lines), ready }),
            None => {
                end(&mut child);
                None
            }
        }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGKILL and does not wait.
    #[track_caller]
    pub(crate) fn strike(&self) {
        self.signal(Signal::KILL);
    }

    /// Sends SIGTERM and waits; none if it did not end in time and was killed.
    #[track_caller]
    pub(crate) fn terminate(mut self) -> Option<ExitStatus> {
        self.signal(Signal::TERM);
        let deadline = Instant::now() + DEADLINE;
        let lines = self.lines.get_mut().expect(NO_PANIC);
        // Its standard error closes when it ends.
        while lines.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_ok() {}
        if Instant::now() >= deadline {
            return None;
        }
        Some(self.child.wait().unwrap_or_else(|error| panic!("the daemon cannot be waited for: {error}")))
    }

    #[track_caller]
    fn signal(&self, signal: Signal) {
        let sent = kill_process(Pid::from_child(&self.child), signal);
        sent.unwrap_or_else(|error| panic!("{signal:?} cannot be sent to the daemon: {error}"));
    }
}

impl Drop for Process {
    /// Ends it as a power cut would.
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn wait_for_ready(lines: &Receiver<String>) -> Option<Ready> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let line = lines.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()?;
        if let Some(ready) = parse_ready(&line) {
            return Some(ready);
        }
    }
}

/// `ready node=<64 hex digits> addresses=<address:port>,...`
fn parse_ready(line: &str) -> Option<Ready> {
    let words = line.strip_prefix("ready ")?;
    let value = |name: &str| words.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let addresses = value("addresses").unwrap_or_default();
    Some(Ready {
        node: value("node")?.to_owned(),
        addresses: addresses.split(',').filter_map(|address| address.parse().ok()).collect(),
    })
}

/// Passes on the lines of a stream, and writes them to the log first.
fn logged(stream: impl Read + Send + 'static, log: Log) -> Receiver<String> {
    let lines = lines_of(stream);
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in lines {
            log.push(&line);
            // The log goes on when nobody listens any more.
            let _ = sender.send(line);
        }
    });
    receiver
}

const NO_PANIC: &str = "no thread panics while it holds the lock";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_is_understood() {
        let ready = parse_ready("ready node=ab12 addresses=127.0.0.1:4433,[::1]:7").unwrap();
        assert_eq!(ready.node, "ab12");
        assert_eq!(ready.addresses, ["127.0.0.1:4433".parse().unwrap(), "[::1]:7".parse().unwrap()]);
        assert!(parse_ready("ready node=ab12").unwrap().addresses.is_empty());
        assert!(parse_ready("already node=ab12 addresses=").is_none());
        assert!(parse_ready("ready addresses=127.0.0.1:1").is_none());
    }
}
