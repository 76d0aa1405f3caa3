//! Writing the events of one connection on its stream.

use std::future::pending;

use crate::rpc::write_frame;
use crate::streams::{SendHalf, Streams, code, open_uni_now};

use super::Subscription;

/// Sends what is queued for a connection, until the connection is to end, and returns the reason for that. When the
/// connection is gone, it waits for ever.
pub(crate) async fn send<S: Streams>(subscription: &Subscription, streams: &S) -> String {
    tokio::select! {
        reason = subscription.ended() => reason,
        reason = send_all(subscription, streams) => reason,
    }
}

async fn send_all<S: Streams>(subscription: &Subscription, streams: &S) -> String {
    let mut stream = None;
    loop {
        subscription.filled().await;
        // Of an idle connection nothing of this is in memory.
        stream = Box::pin(send_queued(subscription, streams, stream)).await;
    }
}

/// Sends what is in the queue, and returns the stream for the next time.
async fn send_queued<S: Streams>(
    subscription: &Subscription,
    streams: &S,
    stream: Option<S::Send>,
) -> Option<S::Send> {
    let mut stream = match stream {
        Some(stream) => stream,
        None => open(subscription, streams).await,
    };
    while let Some(frame) = subscription.take() {
        if write_frame(&mut stream, frame).await.is_err() {
            // The other end wants no more of this stream; it gets another one.
            stream.reset(code::DONE);
            return None;
        }
    }
    Some(stream)
}

/// Opens the stream. As long as the other end permits none, its events are dropped, and it costs no memory.
async fn open<S: Streams>(subscription: &Subscription, streams: &S) -> S::Send {
    let opened = match open_uni_now(streams).await {
        Ok(Some(stream)) => return stream,
        Ok(None) => {
            subscription.mute();
            let opened = streams.open_uni().await;
            subscription.listen();
            opened
        }
        Err(ended) => Err(ended),
    };
    match opened {
        Ok(stream) => stream,
        // Whoever serves the connection notices, too.
        Err(_) => pending().await,
    }
}
