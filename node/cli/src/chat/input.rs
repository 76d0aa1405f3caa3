//! Lines from the person: edited at a terminal, or plain from a pipe.
//!
//! Both block, so a thread reads them. It reads the next line only after it has been given the next prompt: what a
//! command prints comes before the prompt that follows it.

use std::io::{self, BufRead, IsTerminal, Read};
use std::sync::mpsc as blocking;
use std::thread;

use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{CompletionType, Config, Editor, ExternalPrinter};
use tokio::sync::mpsc;

use super::completion::{Names, Prompter};
use super::screen::Screen;
use crate::context::Context;

/// What came from the person.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Typed {
    /// A line without its end.
    Line(String),
    /// The input has ended, or the person wants out.
    End,
}

/// The person's lines.
#[derive(Debug)]
pub(super) struct Input {
    prompts: blocking::Sender<String>,
    lines: mpsc::Receiver<String>,
    interactive: bool,
}

impl Input {
    /// Lets the next line be read.
    pub(super) fn prompt(&self, prompt: &str) {
        // If the thread is gone, `next` says so.
        let _ = self.prompts.send(prompt.to_owned());
    }

    /// The next line. May be dropped and called again without losing one.
    pub(super) async fn next(&mut self) -> Typed {
        self.lines.recv().await.map_or(Typed::End, Typed::Line)
    }

    /// Whether a person sits at a terminal.
    pub(super) fn is_interactive(&self) -> bool {
        self.interactive
    }
}

/// Opens the terminal, or standard input and output where there is none.
pub(super) fn open(context: &Context, names: &Names) -> (Input, Screen) {
    let interactive = io::stdin().is_terminal() && io::stdout().is_terminal() && !context.output.is_json();
    let (prompts, prompts_to_show) = blocking::channel();
    let (lines_read, lines) = mpsc::channel(1);
    // A dumb terminal cannot edit lines, but has some.
    let editor = if interactive { open_editor(names.clone()).ok() } else { None };
    let screen = match editor {
        Some((mut editor, printer)) => {
            thread::spawn(move || edit_lines(&mut editor, &prompts_to_show, &lines_read));
            Screen::terminal(context.output, printer)
        }
        None => {
            thread::spawn(move || read_lines(&mut io::stdin().lock(), &prompts_to_show, &lines_read));
            Screen::plain(context.output)
        }
    };
    (Input { prompts, lines, interactive }, screen)
}

type LineEditor = Editor<Prompter, MemHistory>;

/// An editor of lines, and what prints above the line that is being edited.
fn open_editor(names: Names) -> rustyline::Result<(LineEditor, impl ExternalPrinter + Send + 'static)> {
    let config = Config::builder().completion_type(CompletionType::List).auto_add_history(true).build();
    let history = MemHistory::with_config(&config);
    let mut editor = LineEditor::with_history(config, history)?;
    let printer = editor.create_external_printer()?;
    editor.set_helper(Some(Prompter { names }));
    Ok((editor, printer))
}

fn edit_lines(editor: &mut LineEditor, prompts: &blocking::Receiver<String>, lines: &mpsc::Sender<String>) {
    for prompt in prompts {
        let line = loop {
            match editor.readline(&prompt) {
                Ok(line) => break line,
                // A resized window, or a line given up: ask again. The second Ctrl-C on an empty line is Ctrl-D.
                Err(ReadlineError::Signal(_)) => {}
                Err(_) => return,
            }
        };
        if lines.blocking_send(line).is_err() {
            return;
        }
    }
}

fn read_lines(input: &mut impl BufRead, prompts: &blocking::Receiver<String>, lines: &mpsc::Sender<String>) {
    for _ in prompts {
        // What cannot be read ends the chat as well.
        let bytes = read_line(input).unwrap_or_default();
        if bytes.is_empty() {
            return;
        }
        let line = String::from_utf8_lossy(&bytes);
        if lines.blocking_send(line.trim_end_matches(['\n', '\r']).to_owned()).is_err() {
            return;
        }
    }
}

/// The next line with its end; nothing at the end of the input. What is too much of a line is skipped.
fn read_line(input: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    input.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
    if line.last() != Some(&b'\n') {
        input.skip_until(b'\n')?;
    }
    Ok(line)
}

/// Of longer lines only the beginning is read, which the daemon finds too long as well.
const LINE_BYTES_MAX: u64 = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads everything from bytes as from a pipe.
    async fn read_all(bytes: &'static [u8]) -> Vec<Typed> {
        let (prompts, prompts_to_show) = blocking::channel();
        let (lines_read, lines) = mpsc::channel(1);
        let reader = thread::spawn(move || read_lines(&mut &bytes[..], &prompts_to_show, &lines_read));
        let mut input = Input { prompts, lines, interactive: false };
        let mut typed = Vec::new();
        loop {
            input.prompt("> ");
            typed.push(input.next().await);
            if typed.last() == Some(&Typed::End) {
                break;
            }
        }
        drop(input);
        reader.join().unwrap();
        typed
    }

    #[tokio::test]
    async fn lines_of_a_pipe() {
        let line = |text: &str| Typed::Line(text.to_owned());
        assert_eq!(
            read_all(b"one\r\ntwo\n\nlast").await,
            [line("one"), line("two"), line(""), line("last"), Typed::End]
        );
        assert_eq!(read_all(b"").await, [Typed::End]);
        assert_eq!(read_all(b"\xff\n").await, [line("\u{fffd}"), Typed::End]);
        assert_eq!(read_all(b"\n\r\n").await, [line(""), line(""), Typed::End]);
    }

    /// What follows in it must not be taken for a line of its own, least of all for a command.
    #[tokio::test]
    async fn what_is_too_much_of_a_line_is_skipped() {
        let text = |bytes: u64| vec![b'x'; usize::try_from(bytes).unwrap()];
        for longer in [0, 1, 100_000] {
            let input = [&text(LINE_BYTES_MAX + longer)[..], b"/leave #picnic\nnext"].concat();
            let typed = read_all(input.leak()).await;
            let length = |typed: &Typed| match typed {
                Typed::Line(line) => line.len() as u64,
                Typed::End => 0,
            };
            let lengths: Vec<_> = typed.iter().map(length).collect();
            assert_eq!(lengths, [LINE_BYTES_MAX, 4, 0], "{longer} bytes longer");
        }
        let exactly = [&text(LINE_BYTES_MAX - 1)[..], b"\nnext"].concat();
        assert_eq!(read_all(exactly.leak()).await.len(), 3);
    }
}
