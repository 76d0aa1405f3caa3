//! `qpq` at a terminal: a pseudoterminal whose other end is the test.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::Child;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use qpq_proto::v1::event::Kind;
use qpq_proto::{Method, v1};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::node::Scripted;
use crate::script::{Script, message};

/// A program at a terminal.
struct Terminal {
    keyboard: File,
    output: Receiver<String>,
    /// Everything that was written so far.
    shown: String,
    child: Child,
}

impl Terminal {
    fn run(node: &Scripted, words: &[&str], variables: &[(&str, &str)]) -> Self {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        let name = ptsname(&keyboard, Vec::new()).unwrap().into_string().unwrap();
        let side = || OpenOptions::new().read(true).write(true).open(&name).unwrap();
        let mut command = node.command(words);
        command.env_remove("LC_ALL").env_remove("LC_CTYPE").env("LANG", "C.UTF-8").env("TERM", "xterm");
        command.envs(variables.iter().copied());
        let child = command.stdin(side()).stdout(side()).stderr(side()).spawn().unwrap();
        let keyboard = File::from(keyboard);
        let output = listen(keyboard.try_clone().unwrap());
        Self { keyboard, output, shown: String::new(), child }
    }

    fn type_in(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until this text stands behind what was waited for before, and returns what came up to it.
    fn until(&mut self, text: &str) -> String {
        while !self.shown.contains(text) {
            match self.output.recv_timeout(LONGEST) {
                Ok(more) => self.shown.push_str(&more),
                Err(error) => panic!("{error}: no {text:?} in {:?}", self.shown),
            }
        }
        let end = self.shown.find(text).unwrap() + text.len();
        self.shown.drain(..end).collect()
    }

    /// Waits for the end: how it ended, and what was written since.
    fn end(mut self) -> (i32, String) {
        let code = self.child.wait().unwrap().code().unwrap();
        while let Ok(more) = self.output.recv() {
            self.shown.push_str(&more);
        }
        (code, self.shown)
    }
}

fn listen(mut screen: File) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let (mut piece, mut rest) = ([0; 1_024], Vec::new());
        // At the end the system says that there is no terminal any more.
        while let Ok(length @ 1..) = screen.read(&mut piece) {
            rest.extend_from_slice(&piece[..length]);
            let whole = match std::str::from_utf8(&rest) {
                Ok(text) => text.len(),
                Err(error) => error.valid_up_to(),
            };
            let text = String::from_utf8(rest.drain(..whole).collect()).unwrap();
            if sender.send(text).is_err() {
                return;
            }
        }
    });
    receiver
}

/// A node on which the message that is sent is delivered at once.
fn delivering() -> Scripted {
    let sent = v1::Message { own: true, state: "queued".into(), ..message(1, "hello") };
    let delivered = v1::Message { state: "delivered".into(), recipients: 1, delivered: 1, ..sent.clone() };
    let answer = v1::SendMessageResponse { message: Some(sent) };
    let script = Script::default().answering(Method::SendMessage, &answer);
    Scripted::start(script.happening(Method::SendMessage, Kind::State(delivered)))
}

#[test]
fn what_is_delivered_is_marked_as_the_terminal_allows() {
    for (variables, mark) in [
        (&[][..], "\u{1b}[32m✓\u{1b}[0m \u{1b}[2m@bob: hello\u{1b}[0m"),
        (&[("NO_COLOR", "1")], "10:31:05 ✓ @bob: hello"),
        (&[("NO_COLOR", "1"), ("LANG", "C")], "10:31:05 * delivered to @bob: hello"),
        (&[("NO_COLOR", "1"), ("LANG", "C"), ("LC_ALL", "de_DE.utf8")], "10:31:05 ✓ @bob: hello"),
        (&[("NO_COLOR", "1"), ("LC_CTYPE", "C")], "10:31:05 * delivered to @bob: hello"),
    ] {
        let node = delivering();
        let mut terminal = Terminal::run(&node, &["chat"], variables);
        terminal.until("You are alice.");
        terminal.type_in("@bob hello\r");
        terminal.until(mark);
        terminal.type_in("/quit\r");
        assert_eq!(terminal.end().0, 0, "{variables:?}");
    }
}

/// Emacs and the like have terminals that obey nothing.
#[test]
fn a_dumb_terminal_is_chatted_at_and_sent_no_sequences() {
    let node = delivering();
    let mut terminal = Terminal::run(&node, &["chat"], &[("TERM", "dumb")]);
    let mut shown = terminal.until("You are alice.");
    terminal.type_in("@bob hello\n");
    shown += &terminal.until("10:31:05 * delivered to @bob: hello");
    terminal.type_in("/nonsense\n");
    shown += &terminal.until("there is no command /nonsense");
    terminal.type_in("/quit\n");
    let (code, rest) = terminal.end();
    shown += &rest;
    assert_eq!(code, 0, "a person has seen what went wrong");
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
    assert_eq!(node.request::<v1::SendMessageRequest>(Method::SendMessage).text, "hello");
}

#[test]
fn the_prompt_shows_where_plain_text_goes_and_completes() {
    let node = Scripted::start(Script::default());
    let mut terminal = Terminal::run(&node, &["chat"], &[]);
    terminal.until("You are alice.");
    terminal.type_in("/swi\t");
    terminal.until("/switch ");
    terminal.type_in("b\t");
    terminal.until("@bob ");
    terminal.type_in("\r");
    terminal.until("@bob> ");
    terminal.type_in("hello\r");
    terminal.until("hello");
    terminal.until("@bob> ");
    terminal.type_in("/nonsense\r");
    terminal.until("! there is no command /nonsense; /help lists them");
    terminal.until("@bob> ");
    // The end of the input.
    terminal.type_in("\u{4}");
    assert_eq!(terminal.end().0, 0);
    let asked: v1::SendMessageRequest = node.request(Method::SendMessage);
    assert_eq!((asked.to.as_str(), asked.text.as_str()), ("@bob", "hello"));
}

#[test]
fn who_sits_at_a_terminal_is_asked_before_something_is_destroyed() {
    let removing = || Script::default().answering(Method::RemoveContact, &v1::RemoveContactResponse {});
    for (answer, code, said, removed) in [
        ("y\n", 0, "@bob is forgotten", 1),
        ("Yes\n", 0, "@bob is forgotten", 1),
        ("n\n", 1, "nothing was changed", 0),
        ("\n", 1, "nothing was changed", 0),
        ("yesterday\n", 1, "nothing was changed", 0),
    ] {
        let node = Scripted::start(removing());
        let mut terminal = Terminal::run(&node, &["contact", "remove", "@bob"], &[]);
        terminal.until("what waits for them? [y/N] ");
        terminal.type_in(answer);
        terminal.until(said);
        assert_eq!(terminal.end().0, code, "{answer:?}");
        let asked: Vec<v1::RemoveContactRequest> = node.requests(Method::RemoveContact);
        assert_eq!(asked.len(), removed, "{answer:?}");
    }
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    for (variables, is_coloured) in [
        (&[][..], true),
        (&[("NO_COLOR", "")], true),
        (&[("NO_COLOR", "1")], false),
        (&[("TERM", "dumb")], false),
    ] {
        let node = Scripted::start(Script::default());
        let terminal = Terminal::run(&node, &["contact", "list"], variables);
        let (code, shown) = terminal.end();
        assert_eq!((code, shown.contains("\u{1b}[1m@bob")), (0, is_coloured), "{variables:?}: {shown:?}");
    }
}

/// Far longer than anything takes.
const LONGEST: Duration = Duration::from_secs(30);
