//! `qpq relay`: what this node does for those whom it serves.

use std::time::Duration;

use clap::Subcommand;
use qpq_proto::v1;
use serde::Serialize;

use crate::context::Context;
use crate::durations;
use crate::exit::Error;
use crate::output::{Show, Style};
use crate::views::hex;

/// What to do.
#[derive(Debug, clap::Args)]
pub(crate) struct RelayArgs {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: RelayCommand,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum RelayCommand {
    /// Make an invitation, with which people may register on this relay.
    Invite {
        /// How many accounts may be registered with it.
        #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
        uses: u32,
        /// How long it can be used, such as 12h or 7d.
        #[arg(long, value_name = "TIME", default_value = "7d", value_parser = durations::parse)]
        expires: Duration,
    },
}

/// Does it.
pub(crate) async fn run(context: &Context, args: RelayArgs) -> Result<(), Error> {
    let RelayCommand::Invite { uses, expires } = args.command;
    let lifetime_s = u32::try_from(expires.as_secs()).unwrap_or(u32::MAX).max(1);
    let daemon = context.daemon().await?;
    let request = v1::CreateRelayInvitationRequest { uses, lifetime_s };
    let made = daemon.create_relay_invitation(&request).await?;
    context.output.show(&InvitationView {
        invitation: hex(&made.token),
        uses,
        expires_at_ms: made.expires_at_ms,
    })
}

/// An invitation that was made.
#[derive(Debug, Serialize)]
struct InvitationView {
    invitation: String,
    uses: u32,
    expires_at_ms: u64,
}

impl Show for InvitationView {
    const SCHEMA: &'static str = "qpq.relay-invitation/1";

    fn human(&self, _style: &Style) -> String {
        self.invitation.clone()
    }
}
