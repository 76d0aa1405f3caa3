//! `qpq status`: how the node is, health last.

use std::io::{self, IsTerminal};
use std::time::Duration;

use qpq_proto::v1;

use crate::connect::Daemon;
use crate::context::Context;
use crate::exit::Error;
use crate::follow::{Cursor, await_return};
use crate::output::Show;
use view::StatusView;

mod view;

/// Once, or again and again.
#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    /// Keep showing it, anew whenever something happens.
    #[arg(long)]
    pub(crate) watch: bool,
}

/// Shows how the node is.
pub(crate) async fn run(context: &Context, args: StatusArgs) -> Result<(), Error> {
    let mut daemon = context.daemon().await?;
    if !args.watch {
        return context.output.show(&StatusView::from(daemon.node_status(&v1::NodeStatusRequest {}).await?));
    }
    let mut cursor = Cursor::newest(&daemon).await?;
    loop {
        if let Err(error) = watch(context, &daemon, &mut cursor).await {
            daemon = await_return(context, error).await?;
        }
    }
}

/// Shows the status and waits until it may be another.
async fn watch(context: &Context, daemon: &Daemon, cursor: &mut Cursor) -> Result<(), Error> {
    let view = StatusView::from(daemon.node_status(&v1::NodeStatusRequest {}).await?);
    if context.output.is_json() || !io::stdout().is_terminal() {
        context.output.show(&view)?;
    } else {
        context.output.write(&format!("{CLEAR}{}", view.human(context.output.style())))?;
    }
    // Peers come and go without an event, so look now and then anyway.
    cursor.poll(daemon, LOOK_AGAIN).await?;
    Ok(())
}

const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Home, then erase what is below: less flicker than erasing first.
const CLEAR: &str = "\x1b[H\x1b[J";
