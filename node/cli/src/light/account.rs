//! `qpq --relay LINK register` and `login`: an account for somebody who has nothing here yet.

use qpq_proto::v1;

use crate::commands::relay::account::{self, Account, parse_invitation};
use crate::context::Context;
use crate::exit::Error;
use crate::printable::printable;

/// Which account is made.
#[derive(Debug, clap::Args)]
pub(crate) struct LightRegisterArgs {
    #[command(flatten)]
    account: Account,
    /// An invitation, 64 hexadecimal digits; that of the link if it has one.
    #[arg(long, value_name = "TOKEN", value_parser = parse_invitation)]
    invitation: Option<[u8; 32]>,
}

/// Which account is used.
#[derive(Debug, clap::Args)]
pub(crate) struct LightLoginArgs {
    #[command(flatten)]
    account: Account,
}

/// Makes an identity if there is none, and an account at the relay.
pub(super) async fn register(context: &Context, link: String, args: LightRegisterArgs) -> Result<(), Error> {
    make_identity(context, &args.account.username).await?;
    account::register(context, link, args.account, args.invitation).await
}

/// Logs in at the relay.
pub(super) async fn log_in(context: &Context, link: String, args: LightLoginArgs) -> Result<(), Error> {
    account::log_in(context, link, args.account).await
}

async fn make_identity(context: &Context, name: &str) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    if !daemon.node_status(&v1::NodeStatusRequest {}).await?.identities.is_empty() {
        return Ok(());
    }
    let made = daemon.create_identity(&v1::CreateIdentityRequest { name: name.to_owned() }).await?;
    let data_dir = context.location()?.data_dir;
    context.output.note(&format!(
        "You are {} from now on; the identity is in {}. Nobody can restore it but you: qpq --relay LINK backup create \
         FILE",
        printable(&made.name),
        data_dir.display()
    ));
    Ok(())
}
