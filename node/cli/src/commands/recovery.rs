//! `qpq recovery`: codes on paper, by which somebody comes back who has lost every device.

mod views;

use std::time::Duration;

use clap::Subcommand;
use qpq_proto::v1;
use zeroize::Zeroize;

use self::views::{CodesView, RecoveredView, RecoveryView, RevokedView, advice_after_use};
use crate::connect::Daemon;
use crate::context::Context;
use crate::durations::{self, wire_ms};
use crate::exit::Error;
use crate::follow::Deadline;
use crate::prompt::{CodeArgs, recovery_code};
use crate::views::count;

/// What to do with recovery codes.
#[derive(Debug, Subcommand)]
pub(crate) enum RecoveryCommand {
    /// Make eight codes, in place of those before, and print them, once.
    Setup {
        /// How long to wait at most until the relays keep what belongs to them, such as 30s or 5m.
        #[arg(long, value_name = "TIME", default_value = "60s", value_parser = durations::parse)]
        timeout: Duration,
    },
    /// List which codes can be used, and how far the relays are.
    List,
    /// Take a code back that was lost or seen.
    Revoke {
        /// Its number.
        #[arg(value_parser = clap::value_parser!(u32).range(1..=8))]
        number: u32,
    },
    /// Come back with a code, on a node without an identity, which becomes your new and only device.
    Use {
        /// The link to a relay at which you had an account, as `qpq relay status` prints it there.
        link: String,
        #[command(flatten)]
        code: CodeArgs,
        /// How long to wait at most, such as 30s or 5m.
        #[arg(long, value_name = "TIME", default_value = "60s", value_parser = durations::parse)]
        timeout: Duration,
    },
}

/// Does it.
pub(crate) async fn run(context: &Context, command: RecoveryCommand) -> Result<(), Error> {
    match command {
        RecoveryCommand::Setup { timeout } => set_up(context, timeout).await,
        RecoveryCommand::List => {
            let shown = context.daemon().await?.show_recovery(&v1::ShowRecoveryRequest::default()).await?;
            context.output.show(&RecoveryView::from(shown))
        }
        RecoveryCommand::Revoke { number } => revoke(context, number).await,
        RecoveryCommand::Use { link, code, timeout } => use_code(context, link, &code, timeout).await,
    }
}

async fn set_up(context: &Context, timeout: Duration) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let before = daemon.show_recovery(&v1::ShowRecoveryRequest::default()).await?;
    if !before.codes.is_empty() {
        context.confirm("Replace the recovery codes, so that those on paper are good for nothing")?;
    }
    let made = daemon.set_up_recovery(&v1::SetUpRecoveryRequest {}).await?;
    // Shown first: codes that nobody has seen replace none.
    let set = made.set.clone();
    context.output.show(&CodesView::from(made))?;
    daemon.confirm_recovery(&v1::ConfirmRecoveryRequest { set }).await?;
    let shown = wait_until_kept(&daemon, timeout).await?;
    let codes = shown.codes.len() as u64;
    let keeps = |relay: &&v1::RecoveryRelayState| u64::from(relay.stored) == codes;
    let keeping = shown.relays.iter().filter(keeps).count() as u64;
    if keeping == 0 {
        let message = "no relay keeps them yet, so they are good for nothing so far: `qpq recovery list` shows how it \
                       goes on";
        return Err(Error::TimedOut(message.to_owned()));
    }
    context.output.note(&format!("{} can bring you back with them.", count(keeping, "relay")));
    for relay in shown.relays.iter().filter(|relay| !keeps(relay)) {
        context.output.note(&views::relay_line(relay));
    }
    Ok(())
}

/// Waits until the relays have done what they will do now.
async fn wait_until_kept(daemon: &Daemon, timeout: Duration) -> Result<v1::ShowRecoveryResponse, Error> {
    let deadline = Deadline::after(timeout);
    loop {
        let timeout_ms = wire_ms(deadline.left().min(WAIT_PER_CALL));
        let shown = daemon.show_recovery(&v1::ShowRecoveryRequest { timeout_ms }).await?;
        if shown.settled || deadline.left().is_zero() {
            return Ok(shown);
        }
    }
}

async fn revoke(context: &Context, number: u32) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    context.confirm(&format!("Take recovery code {number} back, so that it is good for nothing"))?;
    let revoked = daemon.revoke_recovery_code(&v1::RevokeRecoveryCodeRequest { number }).await?;
    context.output.show(&RevokedView { number, left: revoked.left })
}

async fn use_code(context: &Context, link: String, code: &CodeArgs, timeout: Duration) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let code = recovery_code(code)?;
    let mut request = v1::UseRecoveryCodeRequest { link, code: code.to_string() };
    let begun = daemon.use_recovery_code(&request).await;
    request.code.zeroize();
    begun?;
    let deadline = Deadline::after(timeout);
    let used = loop {
        let timeout_ms = wire_ms(deadline.left().min(WAIT_PER_CALL));
        let used = daemon.wait_recovery_use(&v1::WaitRecoveryUseRequest { timeout_ms }).await?;
        if used.restored {
            break used;
        }
        if deadline.left().is_zero() {
            let timeout = durations::describe(timeout);
            return Err(Error::TimedOut(format!("the relay has not answered within {timeout}")));
        }
    };
    let advice = advice_after_use(&used);
    context.output.show(&RecoveredView::from(used))?;
    context.output.note(&advice);
    Ok(())
}

const WAIT_PER_CALL: Duration = Duration::from_secs(60);
