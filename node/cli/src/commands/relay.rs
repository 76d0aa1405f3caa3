//! `qpq relay`: what this node does for those whom it serves, and the relays that serve it.

pub(crate) mod account;

mod administration;
mod audit;
pub(crate) mod names;
mod report;
mod reports;
mod views;

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;
use qpq_proto::v1;
use serde::Serialize;

use self::administration::AdministrationCommand;
use crate::context::Context;
use crate::durations;
use crate::exit::Error;
use crate::output::{Show, Style};
use crate::printable::printable;
use crate::views::{count, hex};
use account::{AccountArgs, parse_invitation};

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
    /// Say whether this node is a relay, where it listens, and by which pin its certificate is known.
    Status,
    /// Make an invitation, with which people may register on this relay.
    Invite {
        /// How many accounts may be registered with it.
        #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
        uses: u32,
        /// How long it can be used, such as 12h or 7d.
        #[arg(long, value_name = "TIME", default_value = "7d", value_parser = durations::parse)]
        expires: Duration,
    },
    /// Make an account at a relay, which then keeps your messages while this node is away.
    Register {
        #[command(flatten)]
        account: AccountArgs,
        /// An invitation, 64 hexadecimal digits; that of the link if it has one.
        #[arg(long, value_name = "TOKEN", value_parser = parse_invitation)]
        invitation: Option<[u8; 32]>,
    },
    /// Log in at a relay at which you have an account.
    Login(AccountArgs),
    /// Give the mailbox at a relay up.
    Leave {
        /// The link to the relay, or the start of its pin.
        #[arg(value_name = "LINK")]
        relay: String,
    },
    /// List the relays that keep messages for you.
    List,
    /// Ask a relay who is behind a name, and check its answer against its log.
    Find(names::FindArgs),
    /// Report a message to the administrators of a relay: they read it and whom it is from, and nobody else does.
    Report(report::ReportArgs),
    /// Write down what a relay was caught at, as a proof to show to others.
    Proof {
        /// The link to the relay, its host, or the start of its pin.
        #[arg(value_name = "LINK")]
        relay: String,
        /// The file to write; standard output without it.
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Check a proof against a relay. No node is needed.
    CheckProof {
        /// The file, or - for standard input.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// About those who use this relay.
    #[command(flatten)]
    Administration(AdministrationCommand),
}

/// Does it.
pub(crate) async fn run(context: &Context, args: RelayArgs) -> Result<(), Error> {
    match args.command {
        RelayCommand::Status => status(context).await,
        RelayCommand::Invite { uses, expires } => invite(context, uses, expires).await,
        RelayCommand::Register { account, invitation } => {
            account::register(context, account.link, account.account, invitation).await
        }
        RelayCommand::Login(args) => account::log_in(context, args.link, args.account).await,
        RelayCommand::Leave { relay } => account::leave(context, relay).await,
        RelayCommand::List => account::list(context).await,
        RelayCommand::Find(args) => names::find(context, args).await,
        RelayCommand::Report(args) => report::run(context, args).await,
        RelayCommand::Proof { relay, output } => names::proof(context, relay, output).await,
        RelayCommand::CheckProof { file } => names::check_proof(context, &file),
        RelayCommand::Administration(command) => administration::run(context, command).await,
    }
}

async fn status(context: &Context) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let status = daemon.node_status(&v1::NodeStatusRequest {}).await?;
    context.output.show(&StatusView {
        on: status.roles.iter().any(|role| role == "relay"),
        address: status.listener_address,
        pin: hex(&status.listener_pin),
        link: status.relay_link,
        packets: status.passes_packets,
        packet_nodes: status.packet_nodes,
    })
}

async fn invite(context: &Context, uses: u32, expires: Duration) -> Result<(), Error> {
    let lifetime_s = u32::try_from(expires.as_secs()).unwrap_or(u32::MAX).max(1);
    let daemon = context.daemon().await?;
    let request = v1::CreateRelayInvitationRequest { uses, lifetime_s };
    let made = daemon.create_relay_invitation(&request).await?;
    context.output.show(&InvitationView {
        invitation: hex(&made.token),
        link: made.link,
        uses,
        expires_at_ms: made.expires_at_ms,
    })
}

/// Whether the node is a relay, and how it is reached.
#[derive(Debug, Serialize)]
struct StatusView {
    on: bool,
    address: String,
    pin: String,
    link: String,
    /// Whether packets are passed on between nodes.
    packets: bool,
    /// Nodes that can be reached so at present.
    packet_nodes: u32,
}

impl Show for StatusView {
    const SCHEMA: &'static str = "qpq.relay-status/1";

    fn human(&self, _style: &Style) -> String {
        let role = match self.on {
            true => "This node is a relay.",
            false => "This node is no relay: `qpq role relay on` makes it one.",
        };
        let mut lines = role.to_owned();
        if !self.address.is_empty() {
            lines += &format!("\n  listens at  {}\n  pin         {}", printable(&self.address), self.pin);
        }
        if !self.link.is_empty() {
            lines += &format!("\n  link        {}", printable(&self.link));
        }
        if self.on {
            let nodes = count(self.packet_nodes.into(), "node");
            let packets = match self.packets {
                true => format!("passed on, for {nodes} at present"),
                false => "not passed on".to_owned(),
            };
            lines += &format!("\n  packets     {packets}");
        }
        lines
    }
}

/// An invitation that was made.
#[derive(Debug, Serialize)]
struct InvitationView {
    invitation: String,
    link: String,
    uses: u32,
    expires_at_ms: u64,
}

impl Show for InvitationView {
    const SCHEMA: &'static str = "qpq.relay-invitation/1";

    fn human(&self, _style: &Style) -> String {
        match self.link.is_empty() {
            true => self.invitation.clone(),
            false => printable(&self.link).into_owned(),
        }
    }
}
