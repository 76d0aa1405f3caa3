//! `qpq trace`: what happened to a message, step by step, and why it is not further.

use std::borrow::Cow;

use qpq_proto::v1;
use serde::Serialize;

use crate::context::{Context, required};
use crate::exit::Error;
use crate::output::{Show, Style, columns};
use crate::printable::printable;
use crate::views::message::MessageView;
use crate::views::parse_id;

/// Which message.
#[derive(Debug, clap::Args)]
pub(crate) struct TraceArgs {
    /// The message's id, as `send` and `read --json` print it.
    #[arg(value_parser = parse_id_argument)]
    pub(crate) message: TracedId,
}

/// The 16 bytes of a message's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TracedId(pub(crate) Vec<u8>);

/// Shows it.
pub(crate) async fn run(context: &Context, args: TraceArgs) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let traced = daemon.trace_message(&v1::TraceMessageRequest { id: args.message.0 }).await?;
    context.output.show(&TraceView {
        message: required(traced.message, "the message")?.into(),
        steps: traced.steps.into_iter().map(StepView::from).collect(),
        recipients: traced.recipients.into_iter().map(RecipientView::from).collect(),
    })
}

pub(crate) fn parse_id_argument(text: &str) -> Result<TracedId, &'static str> {
    parse_id(text).map(TracedId)
}

/// A message's way.
#[derive(Debug, Serialize)]
struct TraceView {
    message: MessageView,
    steps: Vec<StepView>,
    recipients: Vec<RecipientView>,
}

/// One step of it.
#[derive(Debug, Serialize)]
struct StepView {
    at_ms: u64,
    what: String,
    detail: String,
}

/// How far it got with one recipient.
#[derive(Debug, Serialize)]
struct RecipientView {
    name: String,
    state: String,
    at_ms: u64,
    reason: String,
    attempts: u32,
}

impl From<v1::TraceStep> for StepView {
    fn from(step: v1::TraceStep) -> Self {
        Self { at_ms: step.at_ms, what: step.what, detail: step.detail }
    }
}

impl From<v1::TraceRecipient> for RecipientView {
    fn from(recipient: v1::TraceRecipient) -> Self {
        Self {
            name: recipient.name,
            state: recipient.state,
            at_ms: recipient.at_ms,
            reason: recipient.reason,
            attempts: recipient.attempts,
        }
    }
}

impl StepView {
    fn row(&self, style: &Style) -> [String; 3] {
        let time = style.zone.time_of_day_ms(self.at_ms);
        [
            format!("  {}", style.faint(&time)),
            printable(&self.what).into_owned(),
            printable(&self.detail).into_owned(),
        ]
    }
}

impl RecipientView {
    fn row(&self, style: &Style) -> [String; 4] {
        let state = format!("{} {}", printable(&self.state), style.zone.time_of_day(self.at_ms));
        let name = style.bold(&format!("@{}", printable(&self.name)));
        [format!("  {name}"), state, self.tried(), self.why().into_owned()]
    }

    /// How often it was tried, as far as that tells anything.
    fn tried(&self) -> String {
        match (self.attempts, self.state.as_str()) {
            (0, "queued") => "not tried yet".to_owned(),
            // It arrived without an attempt of its own, as part of something else.
            (0, _) => String::new(),
            (1, _) => "tried once".to_owned(),
            (many, _) => format!("tried {many} times"),
        }
    }

    /// Why it is not further.
    fn why(&self) -> Cow<'_, str> {
        match (self.reason.as_str(), self.state.as_str()) {
            ("", "sent") => "stored on the recipient's node, not opened there yet".into(),
            (reason, _) => printable(reason),
        }
    }
}

impl Show for TraceView {
    const SCHEMA: &'static str = "qpq.trace/1";

    fn human(&self, style: &Style) -> String {
        let mut lines = vec![self.message.human(style)];
        if !self.steps.is_empty() {
            lines.push(columns(&self.steps.iter().map(|step| step.row(style)).collect::<Vec<_>>()));
        }
        if !self.recipients.is_empty() {
            lines.push(style.bold("recipients"));
            lines.push(columns(&self.recipients.iter().map(|each| each.row(style)).collect::<Vec<_>>()));
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{PLAIN, to_json};
    use crate::views::message::sample_message;

    fn sample() -> TraceView {
        let step = |at_ms, what: &str, detail: &str| v1::TraceStep {
            at_ms,
            what: what.into(),
            detail: detail.into(),
        };
        let recipient = v1::TraceRecipient {
            name: "bob".into(),
            state: "queued".into(),
            at_ms: 1_795_257_065_120,
            reason: "offline since 10:20".into(),
            attempts: 3,
        };
        let message = v1::Message { own: true, state: "queued".into(), ..sample_message() };
        TraceView {
            message: message.into(),
            steps: vec![
                step(1_795_257_065_120, "queued", "in the outbox").into(),
                step(1_795_257_065_123, "sealed", "epoch 4").into(),
            ],
            recipients: vec![recipient.into()],
        }
    }

    #[test]
    fn json_of_a_trace() {
        let json: serde_json::Value = serde_json::from_str(&to_json(&sample()).unwrap()).unwrap();
        assert_eq!(json["schema"], "qpq.trace/1");
        assert_eq!(json["message"]["state"], "queued");
        assert_eq!(json["steps"][1]["what"], "sealed");
        assert_eq!(json["recipients"][0]["reason"], "offline since 10:20");
    }

    #[test]
    fn what_arrived_is_not_called_untried() {
        let row = |state: &str, attempts, reason: &str| {
            let [_, _, tried, why] = RecipientView {
                name: "bob".into(),
                state: state.into(),
                at_ms: 0,
                reason: reason.into(),
                attempts,
            }
            .row(&PLAIN);
            (tried, why)
        };
        let said = |tried: &str, why: &str| (tried.to_owned(), why.to_owned());
        assert_eq!(row("queued", 0, "not met yet"), said("not tried yet", "not met yet"));
        assert_eq!(row("delivered", 0, ""), said("", ""));
        assert_eq!(
            row("sent", 1, ""),
            said("tried once", "stored on the recipient's node, not opened there yet")
        );
        assert_eq!(row("sent", 2, "their disk is full"), said("tried 2 times", "their disk is full"));
    }

    #[test]
    fn a_trace_for_people() {
        assert_eq!(
            sample().human(&PLAIN),
            "2026-11-21 10:31:05  @bob  bob: hello  [queued]
  10:31:05.120  queued  in the outbox
  10:31:05.123  sealed  epoch 4
recipients
  @bob  queued 10:31:05  tried 3 times  offline since 10:20"
        );
    }
}
