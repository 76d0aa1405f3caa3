//! What the session hears while the person types: events, and that the daemon has gone or is back.

use std::time::Duration;

use qpq_proto::v1;
use tokio::sync::mpsc;

use crate::connect::Daemon;
use crate::context::Context;
use crate::exit::Error;
use crate::follow::{Cursor, reconnect};

/// Something the session hears.
#[derive(Debug)]
pub(super) enum News {
    /// Events, in their order; none is left out or given twice, whatever becomes of the connection.
    Events(Vec<v1::Event>),
    /// There is no daemon for now.
    Gone(Error),
    /// There is one again: this one.
    Back(Daemon),
    /// There will be no more news.
    Ended(Error),
}

/// News from now on, heard in the background.
pub(super) async fn subscribe(context: &Context, daemon: &Daemon) -> Result<mpsc::Receiver<News>, Error> {
    let (sender, receiver) = mpsc::channel(1);
    let (context, daemon) = (context.clone(), daemon.clone());
    let cursor = Cursor::newest(&daemon).await?;
    tokio::spawn(async move {
        if let Err(error) = listen(&context, daemon, cursor, &sender).await {
            // The session may have ended.
            let _ = sender.send(News::Ended(error)).await;
        }
    });
    Ok(receiver)
}

/// Hands on what happens until the session ends.
async fn listen(
    context: &Context,
    mut daemon: Daemon,
    mut cursor: Cursor,
    sender: &mpsc::Sender<News>,
) -> Result<(), Error> {
    loop {
        let news = match cursor.poll(&daemon, POLL).await {
            Ok(answer) => News::Events(answer.events),
            Err(error) if error.is_absence() => News::Gone(error),
            Err(error) => return Err(error),
        };
        let is_gone = matches!(news, News::Gone(_));
        if sender.send(news).await.is_err() {
            return Ok(());
        }
        if is_gone {
            daemon = reconnect(context).await?;
            if sender.send(News::Back(daemon.clone())).await.is_err() {
                return Ok(());
            }
        }
    }
}

const POLL: Duration = Duration::from_secs(60);
