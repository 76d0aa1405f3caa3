//! Where the chat prints: above the prompt of a terminal, or to plain standard output.

use std::sync::mpsc;
use std::thread;

use rustyline::ExternalPrinter;
use serde::Serialize;

use super::incoming::describe;
use super::marks::Shown;
use crate::exit::Error;
use crate::output::{Output, Show, Style};
use crate::printable::printable;
use crate::views::event::EventView;

/// Where and how to print.
#[derive(Debug)]
pub(super) struct Screen {
    output: Output,
    /// Prints above the prompt, if there is one. It may block for as long as the person types, so a thread does it.
    above_prompt: Option<mpsc::Sender<String>>,
}

impl Screen {
    /// Standard output without a prompt.
    pub(super) fn plain(output: Output) -> Self {
        Self { output, above_prompt: None }
    }

    /// A terminal on which a line is being edited.
    pub(super) fn terminal(output: Output, mut printer: impl ExternalPrinter + Send + 'static) -> Self {
        let (sender, lines) = mpsc::channel::<String>();
        thread::spawn(move || {
            for line in lines {
                // A terminal that is gone ends the input too; nothing is left to do here.
                if printer.print(line + "\n").is_err() {
                    return;
                }
            }
        });
        Self { output, above_prompt: Some(sender) }
    }

    /// Whether programs read it.
    pub(super) fn is_json(&self) -> bool {
        self.output.is_json()
    }

    /// How text is dressed.
    pub(super) fn style(&self) -> &Style {
        self.output.style()
    }

    /// Says something to the person.
    pub(super) fn say(&self, text: &str) -> Result<(), Error> {
        if self.output.is_json() { self.output.show(&SayView { text }) } else { self.print(text) }
    }

    /// Shows something that has a JSON form.
    pub(super) fn show<T: Show>(&self, shown: &T) -> Result<(), Error> {
        if self.output.is_json() { self.output.show(shown) } else { self.print(&shown.human(self.style())) }
    }

    /// Shows an event.
    pub(super) fn event(&self, shown: Shown) -> Result<(), Error> {
        if self.output.is_json() {
            return self.output.show(&EventView::from(shown.event));
        }
        self.print(&describe(&shown.event, shown.before, self.style()))
    }

    /// Says what went wrong: beside the conversation on a terminal, on standard error otherwise.
    pub(super) fn complain(&self, error: &Error) -> Result<(), Error> {
        if self.above_prompt.is_none() {
            self.output.error(error);
            return Ok(());
        }
        let fix = error.fix().map(|fix| format!("  (try: {})", printable(fix))).unwrap_or_default();
        self.print(&format!("! {}{fix}", printable(&error.to_string())))
    }

    fn print(&self, text: &str) -> Result<(), Error> {
        match &self.above_prompt {
            Some(printer) => printer.send(text.to_owned()).map_err(|_| Error::OutputClosed),
            None => self.output.write(text),
        }
    }
}

/// Something said to the person.
#[derive(Debug, Serialize)]
struct SayView<'a> {
    text: &'a str,
}

impl Show for SayView<'_> {
    const SCHEMA: &'static str = "qpq.chat/1";

    fn human(&self, _style: &Style) -> String {
        self.text.to_owned()
    }
}
