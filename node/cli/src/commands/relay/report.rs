//! `qpq relay report`: tells the administrators of a relay of a message, and waits for what a relay was asked for.

use std::time::Duration;

use qpq_proto::v1;
use serde::Serialize;

use crate::commands::trace::{TracedId, parse_id_argument};
use crate::connect::Daemon;
use crate::context::Context;
use crate::durations::{self, wire_ms};
use crate::exit::Error;
use crate::follow::Deadline;
use crate::output::{Show, Style};
use crate::views::{count, hex};

/// What to report, and to whom.
#[derive(Debug, clap::Args)]
pub(crate) struct ReportArgs {
    /// The message's id, as `read --json` prints it.
    #[arg(value_parser = parse_id_argument)]
    message: TracedId,
    /// Why, for the administrators to read.
    #[arg(long, default_value = "")]
    reason: String,
    /// Disclose so many messages before it as well, at most 16.
    #[arg(long, value_name = "NUMBER", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=16))]
    before: u32,
    /// Which relay: its link, its host, or the start of its pin. Needless where there is one only.
    #[arg(long, value_name = "LINK")]
    relay: Option<String>,
    /// How long to wait at most, such as 30s or 5m.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = durations::parse)]
    timeout: Duration,
}

pub(super) async fn run(context: &Context, args: ReportArgs) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let ReportArgs { message, reason, before, relay, timeout } = args;
    let relay = relay.unwrap_or_default();
    let request = v1::ReportToRelayRequest { message_id: message.0, relay, reason, before };
    let begun = daemon.report_to_relay(&request).await?;
    let handed_in = wait(&daemon, begun.errand, timeout).await?;
    context
        .output
        .show(&ReportedView { id: hex(&handed_in.report_id), administrators: handed_in.administrators })
}

/// Waits until what a relay was asked for is done.
pub(super) async fn wait(
    daemon: &Daemon,
    errand: u64,
    timeout: Duration,
) -> Result<v1::WaitRelayErrandResponse, Error> {
    let deadline = Deadline::after(timeout);
    loop {
        let timeout_ms = wire_ms(deadline.left().min(WAIT_PER_CALL));
        let waited = daemon.wait_relay_errand(&v1::WaitRelayErrandRequest { errand, timeout_ms }).await?;
        if waited.done {
            return Ok(waited);
        }
        if deadline.left().is_zero() {
            let timeout = durations::describe(timeout);
            return Err(Error::TimedOut(format!("the relay did not answer within {timeout}")));
        }
    }
}

/// A report that was handed in.
#[derive(Debug, Serialize)]
struct ReportedView {
    id: String,
    /// How many can open it.
    administrators: u32,
}

impl Show for ReportedView {
    const SCHEMA: &'static str = "qpq.reported/1";

    fn human(&self, _style: &Style) -> String {
        let who = count(self.administrators.into(), "administrator");
        format!("Reported: {who} of the relay can read it. The report is {}.", self.id)
    }
}

const WAIT_PER_CALL: Duration = Duration::from_secs(60);
