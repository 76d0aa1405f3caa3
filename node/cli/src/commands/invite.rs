//! `qpq invite`: links by which people become contacts.

use std::time::Duration;

use clap::Subcommand;
use qpq_proto::v1;
use serde::Serialize;

use crate::context::Context;
use crate::durations;
use crate::exit::Error;
use crate::output::{Show, Style};
use crate::views::invitation::{InvitationsView, LinkView};
use crate::views::parse_id;

/// The link to make, or what to do with those there are.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct InviteArgs {
    /// Draw the link as a QR code too.
    #[arg(long)]
    pub(crate) qr: bool,
    /// Make a link for any number of people; each of their requests must then be accepted.
    #[arg(long)]
    pub(crate) reusable: bool,
    /// How long the link can be used, such as 12h or 7d (the default; a reusable one does not expire).
    #[arg(long, value_name = "TIME", value_parser = durations::parse)]
    pub(crate) expires: Option<Duration>,
    /// What to do with the invitations there are.
    #[command(subcommand)]
    pub(crate) command: Option<InviteCommand>,
}

/// What to do with the invitations there are.
#[derive(Debug, Subcommand)]
pub(crate) enum InviteCommand {
    /// List the invitations that can still be used.
    List,
    /// Make an invitation unusable.
    Revoke {
        /// Its id, as `qpq invite list` shows it.
        #[arg(value_parser = parse_id_argument)]
        id: InvitationId,
    },
}

/// The 16 bytes of an invitation's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InvitationId(pub(crate) Vec<u8>);

/// Makes, lists or revokes.
pub(crate) async fn run(context: &Context, args: InviteArgs) -> Result<(), Error> {
    match args.command {
        None => create(context, args).await,
        Some(InviteCommand::List) => list(context).await,
        Some(InviteCommand::Revoke { id }) => revoke(context, id).await,
    }
}

async fn create(context: &Context, args: InviteArgs) -> Result<(), Error> {
    let lifetime_s = lifetime_s(args.expires)?;
    let daemon = context.daemon().await?;
    let request = v1::CreateInvitationRequest { reusable: args.reusable, lifetime_s };
    let view = LinkView::contact(daemon.create_invitation(&request).await?, args.reusable);
    show_link(context, view, args.qr)
}

async fn list(context: &Context) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let listed = daemon.list_invitations(&v1::ListInvitationsRequest {}).await?;
    context.output.show(&InvitationsView::from(listed.invitations))
}

async fn revoke(context: &Context, id: InvitationId) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let shown = RevokedView { id: crate::views::hex(&id.0) };
    daemon.revoke_invitation(&v1::RevokeInvitationRequest { invitation: id.0 }).await?;
    context.output.show(&shown)
}

/// Shows a link: the link itself is data, the advice is not.
pub(crate) fn show_link(context: &Context, view: LinkView, qr: bool) -> Result<(), Error> {
    let view = if qr { view.with_qr()? } else { view };
    context.output.show(&view)?;
    if !context.output.is_json() {
        context.output.note(&view.advice(context.output.style()));
    }
    Ok(())
}

/// Seconds for the wire, where 0 asks for the default.
pub(crate) fn lifetime_s(expires: Option<Duration>) -> Result<u64, Error> {
    match expires.map(|lifetime| lifetime.as_secs()) {
        None => Ok(0),
        Some(0) => Err(Error::Usage("--expires: at least one second".to_owned())),
        Some(seconds) => Ok(seconds),
    }
}

fn parse_id_argument(text: &str) -> Result<InvitationId, &'static str> {
    parse_id(text).map(InvitationId)
}

/// An invitation that can no longer be used.
#[derive(Debug, Serialize)]
struct RevokedView {
    id: String,
}

impl Show for RevokedView {
    const SCHEMA: &'static str = "qpq.revoked/1";

    fn human(&self, _style: &Style) -> String {
        format!("{} can no longer be used", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes() {
        assert_eq!(lifetime_s(None).unwrap(), 0);
        assert_eq!(lifetime_s(Some(Duration::from_secs(7 * 86_400))).unwrap(), 604_800);
        assert!(lifetime_s(Some(Duration::from_millis(10))).is_err());
    }

    #[test]
    fn ids_are_checked_before_anything_is_asked() {
        assert_eq!(parse_id_argument(&"ab".repeat(16)), Ok(InvitationId(vec![0xab; 16])));
        assert!(parse_id_argument("ab").is_err());
    }
}
