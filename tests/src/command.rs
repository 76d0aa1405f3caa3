//! Running one program to its end, or reading a stream of JSON lines from it.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::DEADLINE;

/// What a program left behind.
#[derive(Debug, Clone)]
pub struct Output {
    /// The command, for messages.
    pub command: String,
    /// Its exit code; -1 if a signal ended it.
    pub status: i32,
    /// Its data.
    pub stdout: String,
    /// Its messages.
    pub stderr: String,
}

impl Output {
    /// Fails unless the program ended with this code.
    #[track_caller]
    pub fn expect_status(self, status: i32) -> Self {
        let Self { command, status: actual, stdout, stderr } = &self;
        assert_eq!(*actual, status, "exit code of `{command}`\nstdout: {stdout}\nstderr: {stderr}");
        self
    }

    /// The one JSON object on standard output.
    #[track_caller]
    pub fn json(&self) -> Value {
        let lines = self.json_lines();
        let [value] = lines.as_slice() else {
            panic!(
                "`{}` printed {} objects where one was expected:\n{}",
                self.command,
                lines.len(),
                self.stdout
            )
        };
        value.clone()
    }

    /// The JSON objects on standard output, one a line.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        self.stdout.lines().filter(|line| !line.is_empty()).map(|line| parse(&self.command, line)).collect()
    }
}

/// Runs a program to its end; kills it and fails if that does not come in time.
#[track_caller]
pub(crate) fn run(command: &mut Command, input: &[u8]) -> Output {
    let shown = shown(command);
    let mut child =
        spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()), &shown);
    let mut stdin = child.stdin.take().expect("stdin is piped");
    // A program that does not read its input closes the pipe; that is its right.
    let _ = stdin.write_all(input);
    drop(stdin);
    let stdout = collect(child.stdout.take().expect("stdout is piped"));
    let stderr = collect(child.stderr.take().expect("stderr is piped"));
    let deadline = Instant::now() + DEADLINE;
    let texts =
        [stdout, stderr].map(|text| text.recv_timeout(deadline.saturating_duration_since(Instant::now())));
    let [Ok(stdout), Ok(stderr)] = texts else {
        end(&mut child);
        panic!("`{shown}` was not done after {DEADLINE:?}");
    };
    let status = child.wait().unwrap_or_else(|error| panic!("`{shown}`: {error}"));
    Output { command: shown, status: status.code().unwrap_or(-1), stdout, stderr }
}

/// A program that prints JSON lines for as long as it runs. It is killed when this is dropped.
#[derive(Debug)]
pub struct Lines {
    command: String,
    child: Child,
    lines: Receiver<String>,
}

impl Lines {
    #[track_caller]
    pub(crate) fn start(command: &mut Command) -> Self {
        let shown = shown(command);
        let mut child =
            spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()), &shown);
        let lines = lines_of(child.stdout.take().expect("stdout is piped"));
        Self { command: shown, child, lines }
    }

    /// The next line, or none if there is none within the time or the program has ended.
    pub fn next_within(&self, time: Duration) -> Option<Value> {
        self.lines.recv_timeout(time).ok().map(|line| parse(&self.command, &line))
    }

    /// Waits for a line, at most so long, and takes with it all that are there already.
    pub(crate) fn wait(&self, time: Duration) -> Result<(), RecvTimeoutError> {
        self.lines.recv_timeout(time)?;
        self.lines.try_iter().for_each(drop);
        Ok(())
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// The lines of a stream as they come; disconnected at its end.
pub(crate) fn lines_of(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n') {
            let Ok(line) = line else { return };
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Kills a child and takes its exit status away.
pub(crate) fn end(child: &mut Child) {
    // It may have ended by itself.
    let _ = child.kill();
    let _ = child.wait();
}

/// Everything a stream holds, once it has ended.
fn collect(mut stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error is still worth showing.
        let _ = stream.read_to_end(&mut bytes);
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

#[track_caller]
fn spawn(command: &mut Command, shown: &str) -> Child {
    command.spawn().unwrap_or_else(|error| panic!("`{shown}` cannot be started: {error}"))
}

fn shown(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let name = program.rsplit('/').next().unwrap_or(&program).to_owned();
    let words = command.get_args().map(|word| word.to_string_lossy().into_owned());
    std::iter::once(name).chain(words).collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn parse(command: &str, line: &str) -> Value {
    let value: Value = serde_json::from_str(line)
        .unwrap_or_else(|error| panic!("`{command}` printed no JSON ({error}): {line}"));
    assert!(value["schema"].is_string(), "`{command}` printed an object without a schema: {line}");
    value
}
