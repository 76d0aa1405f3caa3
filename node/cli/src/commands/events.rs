//! `qpq events`: what happens on the node, one event a line, with a cursor to go on from.

use std::time::Duration;

use super::parse_cursor;
use crate::context::Context;
use crate::exit::Error;
use crate::follow::{Cursor, await_return};
use crate::views::event::{EventView, LaggedView};

/// Which events.
#[derive(Debug, clap::Args)]
pub(crate) struct EventsArgs {
    /// Only events after this cursor; 0 begins with the oldest kept. Without it, only what happens from now on.
    #[arg(long, value_name = "CURSOR", value_parser = parse_cursor)]
    pub(crate) since: Option<u64>,
    /// Print what there is and end, instead of waiting for more; begins with the oldest kept without --since.
    #[arg(long)]
    pub(crate) no_follow: bool,
}

/// Prints events.
pub(crate) async fn run(context: &Context, args: EventsArgs) -> Result<(), Error> {
    let mut daemon = context.daemon().await?;
    let mut cursor = match args.since {
        Some(since) => Cursor::after(since),
        None if args.no_follow => Cursor::after(0),
        None => Cursor::newest(&daemon).await?,
    };
    let timeout = if args.no_follow { Duration::ZERO } else { Duration::from_secs(60) };
    loop {
        let answer = match cursor.poll(&daemon, timeout).await {
            Err(error) if !args.no_follow => {
                daemon = await_return(context, error).await?;
                continue;
            }
            answered => answered?,
        };
        if answer.lagged > 0 {
            context.output.show(&LaggedView { lagged: answer.lagged })?;
        }
        let is_end = answer.events.is_empty();
        for event in answer.events {
            context.output.show(&EventView::from(event))?;
        }
        if is_end && args.no_follow {
            return Ok(());
        }
    }
}
