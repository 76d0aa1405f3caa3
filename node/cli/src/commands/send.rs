//! `qpq send`: a message into the durable outbox, and on request waiting for how far it gets.

use std::io::{self, IsTerminal, Read};
use std::time::Duration;

use clap::ValueEnum;
use qpq_proto::limits::TEXT_BYTES_MAX;
use qpq_proto::v1;

use crate::connect::Daemon;
use crate::context::{Context, required};
use crate::durations::{self, describe, wire_ms};
use crate::exit::Error;
use crate::follow::Deadline;
use crate::printable::printable;
use crate::views::message::SendView;

/// To whom and what.
#[derive(Debug, clap::Args)]
pub(crate) struct SendArgs {
    /// @name of a contact or '#name' of a group.
    pub(crate) to: String,
    /// The text, at most 16,384 bytes; `-`, or nothing, reads it from standard input.
    pub(crate) text: Vec<String>,
    /// Wait until the recipient's node has stored it, or the recipient's device has decrypted and committed it; in a
    /// group, those of all. Without this, success means that it is in this node's durable outbox.
    #[arg(long, value_name = "STATE")]
    pub(crate) wait: Option<WaitState>,
    /// How long to wait at most, such as 30s or 5m.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = durations::parse, requires = "wait")]
    pub(crate) timeout: Duration,
}

/// How far a message must get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WaitState {
    /// The recipient's node has stored it.
    Sent,
    /// The recipient's device has decrypted and committed it.
    Delivered,
}

impl WaitState {
    /// The word on the wire.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Delivered => "delivered",
        }
    }
}

/// Sends, and waits if asked to.
pub(crate) async fn run(context: &Context, args: SendArgs) -> Result<(), Error> {
    send(context, args, false).await
}

/// The same, and the message is given to those who carry at once.
pub(crate) async fn by_mesh(context: &Context, args: SendArgs) -> Result<(), Error> {
    send(context, args, true).await
}

async fn send(context: &Context, args: SendArgs, carried: bool) -> Result<(), Error> {
    let text = match args.text.as_slice() {
        [] => read_text(&mut io::stdin().lock(), io::stdin().is_terminal(), context)?,
        [dash] if dash == "-" => read_text(&mut io::stdin().lock(), io::stdin().is_terminal(), context)?,
        words => words.join(" "),
    };
    let daemon = context.daemon().await?;
    let request = v1::SendMessageRequest { to: args.to, text, carried, ..Default::default() };
    let sent = daemon.send_message(&request).await.map_err(|error| Error::from(error).about(&request.to))?;
    let message = required(sent.message, "the message")?;
    let Some(state) = args.wait else {
        return context.output.show(&SendView::queued(message));
    };
    let waited = wait(&daemon, message, state, Deadline::after(args.timeout)).await?;
    let outcome = outcome(&waited, state, args.timeout);
    context.output.show(&waited)?;
    outcome
}

/// Waits until the message has reached the state or cannot any more, or the deadline is over.
async fn wait(
    daemon: &Daemon,
    message: v1::Message,
    state: WaitState,
    deadline: Deadline,
) -> Result<SendView, Error> {
    let id = message.id.clone();
    let mut view = SendView::queued(message);
    loop {
        let timeout_ms = wire_ms(deadline.left().min(WAIT_PER_CALL));
        let request = v1::WaitMessageRequest { id: id.clone(), state: state.name().to_owned(), timeout_ms };
        let answer = daemon.wait_message(&request).await?;
        view.state = required(answer.message, "the message")?.state;
        view.reached = Some(answer.reached);
        view.waiting_for = answer.waiting_for;
        if answer.reached || is_final(&view.state) || deadline.left().is_zero() {
            return Ok(view);
        }
    }
}

/// What the state in the end means for the exit code.
fn outcome(view: &SendView, wanted: WaitState, timeout: Duration) -> Result<(), Error> {
    if view.reached == Some(true) {
        return Ok(());
    }
    let state = printable(&view.state);
    if is_final(&view.state) {
        return Err(Error::Negative(format!("the message is {state}: qpq trace {} says why", view.id)));
    }
    let (wanted, timeout) = (wanted.name(), describe(timeout));
    Err(Error::TimedOut(format!(
        "not {wanted} within {timeout}, only {state}; it stays in the outbox and goes on"
    )))
}

fn is_final(state: &str) -> bool {
    matches!(state, "expired" | "failed")
}

/// The text from standard input, without one line end at its end, and never more than a message holds.
pub(crate) fn read_text(
    input: &mut impl Read,
    is_terminal: bool,
    context: &Context,
) -> Result<String, Error> {
    if is_terminal {
        context.output.note("Type the message, then Ctrl-D on an empty line.");
    }
    let limit = u64::try_from(TEXT_BYTES_MAX + 3).unwrap_or(u64::MAX); // one byte too many, and a line end
    let mut text = String::new();
    input.take(limit).read_to_string(&mut text).map_err(|source| match source.kind() {
        io::ErrorKind::InvalidData => {
            Error::Usage("the text on standard input is not UTF-8, or too long".to_owned())
        }
        _ => Error::System { what: "reading standard input", source },
    })?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    match text.len() {
        0 => Err(Error::Usage("the text is empty".to_owned())),
        1..=TEXT_BYTES_MAX => Ok(text.to_owned()),
        _ => Err(Error::Usage(format!("the text is longer than {TEXT_BYTES_MAX} bytes"))),
    }
}

const WAIT_PER_CALL: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;
    use crate::output::Output;
    use crate::views::message::sample_message;

    fn read(bytes: &[u8]) -> Result<String, Error> {
        let context = Context { data_dir: None, socket: None, output: Output::new(false), assume_yes: false };
        read_text(&mut &bytes[..], false, &context)
    }

    #[test]
    fn text_from_standard_input() {
        for (bytes, text) in
            [(&b"hi"[..], "hi"), (b"hi\n", "hi"), (b"hi\r\n", "hi"), (b"a\n\nb\n\n", "a\n\nb\n")]
        {
            assert_eq!(read(bytes).unwrap(), text);
        }
        let longest = "x".repeat(TEXT_BYTES_MAX);
        assert_eq!(read(longest.as_bytes()).unwrap(), longest);
    }

    #[test]
    fn what_is_no_text() {
        for bytes in [
            Vec::new(),
            b"\n".to_vec(),
            vec![0xff, 0xfe],
            vec![b'x'; TEXT_BYTES_MAX + 1],
            vec![b'x'; 1 << 20],
        ] {
            assert_eq!(read(&bytes).unwrap_err().exit(), Exit::Usage, "{} bytes", bytes.len());
        }
    }

    #[test]
    fn outcomes() {
        for (state, reached, exit) in [
            ("delivered", true, None),
            ("sent", false, Some(Exit::TimedOut)),
            ("queued", false, Some(Exit::TimedOut)),
            ("expired", false, Some(Exit::Negative)),
            ("failed", false, Some(Exit::Negative)),
        ] {
            let message = v1::Message { state: state.into(), own: true, ..sample_message() };
            let view = SendView { reached: Some(reached), ..SendView::queued(message) };
            let outcome = outcome(&view, WaitState::Delivered, Duration::from_secs(30));
            assert_eq!(outcome.err().map(|error| error.exit()), exit, "{state}");
        }
    }
}
