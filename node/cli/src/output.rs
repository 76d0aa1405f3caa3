//! Where everything that `qpq` says goes: data to standard output, messages and progress to standard error.
//!
//! With `--json` every object carries its `schema`; what comes as a stream is one object a line. Within a schema's
//! version fields are only ever added.

#[cfg(feature = "terminal")]
use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::exit::Error;
use crate::printable::{is_obeyed, printable};
use crate::times::Zone;

/// Something a command shows, for people and for programs.
pub(crate) trait Show: Serialize {
    /// Name and version of the JSON object, such as `qpq.id/1`.
    const SCHEMA: &'static str;

    /// What a person reads: lines without the last line end. Must pass everything foreign through `printable`.
    fn human(&self, style: &Style) -> String;
}

/// How human text is dressed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    /// Colours and bold print are welcome.
    pub(crate) colour: bool,
    /// Signs such as a check mark can be shown, and stand for words.
    #[cfg_attr(not(feature = "terminal"), expect(dead_code, reason = "the prompt shows it"))]
    pub(crate) signs: bool,
    /// Where times are read.
    pub(crate) zone: Zone,
}

impl Style {
    /// Bold, where that can be shown.
    pub(crate) fn bold(&self, text: &str) -> String {
        self.dress("1", text)
    }

    /// Faint, where that can be shown.
    pub(crate) fn faint(&self, text: &str) -> String {
        self.dress("2", text)
    }

    /// Coloured by how bad it is: green `ok`, yellow `warn` and `warning`, red `fail` and `error`.
    pub(crate) fn severity(&self, word: &str) -> String {
        match word {
            "ok" => self.dress("32", word),
            "warn" | "warning" => self.dress("33", word),
            "fail" | "error" => self.dress("31", word),
            other => printable(other).into_owned(),
        }
    }

    /// A sign in green if it is a good one, in red otherwise; the words where signs cannot be shown.
    #[cfg(feature = "terminal")]
    pub(crate) fn sign<'a>(&self, is_good: bool, sign: &'a str, words: &'a str) -> Cow<'a, str> {
        match (self.signs, is_good) {
            (false, _) => Cow::Borrowed(words),
            (true, true) => Cow::Owned(self.dress("32", sign)),
            (true, false) => Cow::Owned(self.dress("31", sign)),
        }
    }

    fn dress(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// The two streams, and how they are written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
    style: Style,
}

impl Output {
    /// Output for this process; colours only to a terminal, and not if `NO_COLOR` is set, signs only to a terminal
    /// that shows them.
    pub(crate) fn new(json: bool) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let able = !dumb && io::stdout().is_terminal();
        let locale = LOCALE_VARIABLES.map(|name| std::env::var(name).unwrap_or_default());
        let signs = able && is_utf8(&locale);
        Self { json, style: Style { colour: able && !refused, signs, zone: Zone::Local } }
    }

    /// Whether programs read it.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// How human text is dressed.
    pub(crate) fn style(&self) -> &Style {
        &self.style
    }

    /// Shows one thing on standard output.
    pub(crate) fn show<T: Show>(&self, shown: &T) -> Result<(), Error> {
        if self.json { self.write(&to_json(shown)?) } else { self.write(&shown.human(&self.style)) }
    }

    /// Writes a line, or several, to standard output as they are.
    pub(crate) fn write(&self, text: &str) -> Result<(), Error> {
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.write_all(b"\n"))
            .and_then(|()| stdout.flush())
            .map_err(output_error)
    }

    /// Says something beside the data, on standard error. Whether anybody reads it does not matter.
    pub(crate) fn note(&self, text: &str) {
        // A closed standard error is no reason to stop.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Says why the command failed, and what helps, on standard error.
    pub(crate) fn error(&self, error: &Error) {
        if error.is_silent() {
            return;
        }
        let message = error.to_string();
        let view = ErrorView { message: &message, exit: error.exit() as u8, fix: error.fix() };
        if self.json {
            // Without a JSON form the plain one is the best that is left.
            self.note(&to_json(&view).unwrap_or_else(|_| view.human(&self.style)));
        } else {
            self.note(&view.human(&self.style));
        }
    }
}

/// Why a command failed.
#[derive(Debug, Serialize)]
struct ErrorView<'a> {
    message: &'a str,
    exit: u8,
    fix: Option<&'a str>,
}

impl Show for ErrorView<'_> {
    const SCHEMA: &'static str = "qpq.error/1";

    fn human(&self, _style: &Style) -> String {
        let mut text = format!("qpq: {}", printable(self.message));
        if let Some(fix) = self.fix {
            text.push_str("\n     try: ");
            text.push_str(&printable(fix));
        }
        text
    }
}

/// One line of JSON with its schema first. Characters that a terminal would obey are escaped, as JSON permits.
pub(crate) fn to_json<T: Show>(shown: &T) -> Result<String, Error> {
    #[derive(Serialize)]
    struct Document<'a, T> {
        schema: &'static str,
        #[serde(flatten)]
        body: &'a T,
    }
    let mut line = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut line, Harmless);
    Document { schema: T::SCHEMA, body: shown }
        .serialize(&mut serializer)
        .map_err(|error| Error::System { what: "writing JSON", source: error.into() })?;
    Ok(String::from_utf8_lossy(&line).into_owned())
}

/// JSON on one line, in which nothing is left that a terminal would obey.
struct Harmless;

impl serde_json::ser::Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(is_obeyed) {
            let (harmless, tail) = rest.split_at(at);
            writer.write_all(harmless.as_bytes())?;
            let mut characters = tail.chars();
            if let Some(obeyed) = characters.next() {
                for unit in obeyed.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
            rest = characters.as_str();
        }
        writer.write_all(rest.as_bytes())
    }
}

/// Whether a locale, as its variables tell it, has characters beyond ASCII. The first that is set counts.
fn is_utf8(locale: &[String]) -> bool {
    let set = locale.iter().find(|value| !value.is_empty());
    set.is_some_and(|value| value.to_ascii_lowercase().replace('-', "").contains("utf8"))
}

/// What a failed write to standard output means.
pub(crate) fn output_error(source: io::Error) -> Error {
    match source.kind() {
        io::ErrorKind::BrokenPipe => Error::OutputClosed,
        _ => Error::System { what: "writing to standard output", source },
    }
}

/// Rows whose columns stand under each other, two blanks apart; the last column is not padded.
pub(crate) fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(shown_width(cell));
        }
    }
    let lines: Vec<String> = rows.iter().map(|row| pad(row, &widths)).collect();
    lines.join("\n")
}

fn pad<const N: usize>(row: &[String; N], widths: &[usize; N]) -> String {
    let mut line = String::new();
    for (cell, width) in row.iter().zip(widths) {
        line.push_str(cell);
        let missing = width.saturating_sub(shown_width(cell)) + 2;
        line.extend(std::iter::repeat_n(' ', missing));
    }
    line.truncate(line.trim_end().len());
    line
}

/// Characters that take a place, without the escape sequences of [`Style`].
fn shown_width(cell: &str) -> usize {
    let mut width = 0;
    let mut in_escape = false;
    for character in cell.chars() {
        match character {
            '\x1b' => in_escape = true,
            'm' if in_escape => in_escape = false,
            _ if !in_escape => width += 1,
            _ => {}
        }
    }
    width
}

/// The variables that tell the characters of the locale, the strongest first.
const LOCALE_VARIABLES: [&str; 3] = ["LC_ALL", "LC_CTYPE", "LANG"];

#[cfg(test)]
pub(crate) const PLAIN: Style = Style { colour: false, signs: false, zone: Zone::Universal };

#[cfg(test)]
mod tests;
