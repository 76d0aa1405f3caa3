//! Reading the events that the other end of a connection pushes.

use std::time::Duration;

use bytes::Bytes;
use qpq_proto::frame::{Header, PUSH_HEADER_BYTES, PushHeader};
use qpq_proto::limits::{Limits, PUSH_PAYLOAD_BYTES_MAX};
use qpq_proto::v1::PushEvent;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;

use crate::rpc::{ReadError, Violation, read_exact, read_payload};
use crate::streams::{RecvHalf, Streams, code};

/// Events that were read and not yet taken; then reading waits, and with it the other end.
const EVENTS_READ_MAX: usize = 4;

/// The events that come over one connection, from the moment at which this was asked for.
#[derive(Debug)]
pub struct Events(mpsc::Receiver<Pushed>);

/// An event that the other end of a connection pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// What kind.
    pub event: PushEvent,
    /// The event, at most [`PUSH_PAYLOAD_BYTES_MAX`] bytes, unexamined.
    pub payload: Bytes,
}

impl Events {
    /// Waits for the next event; `None` when the connection has ended. Nothing is lost if the wait is given up.
    ///
    /// Whoever takes them too slowly gets a `Lagged` in place of those that the other end dropped meanwhile.
    pub async fn next(&mut self) -> Option<Pushed> {
        self.0.recv().await
    }

    /// Reads the events of this connection. The other end may have one stream open for them.
    pub(crate) fn read<S: Streams>(streams: S, limits: &Limits) -> Self {
        let patience = Duration::from_millis(limits.call_timeout_ms);
        let (sender, receiver) = mpsc::channel(EVENTS_READ_MAX);
        streams.allow_uni(1);
        tokio::spawn(async move {
            tokio::select! {
                () = read_streams(&streams, &sender, patience) => {}
                () = sender.closed() => {}
            }
            // Whatever stream is open is dropped by now.
            streams.allow_uni(0);
        });
        Self(receiver)
    }
}

/// Reads stream after stream: the other end opens another one when the last has ended.
async fn read_streams<S: Streams>(streams: &S, sender: &mpsc::Sender<Pushed>, patience: Duration) {
    while let Ok(mut stream) = streams.accept_uni().await {
        match read_stream(&mut stream, sender, patience).await {
            Ok(()) | Err(ReadError::Lost(_)) => {}
            Err(error) => {
                tracing::warn!(%error, "ending a connection whose events are broken");
                streams.close(code::VIOLATION, &error.to_string());
                return;
            }
        }
    }
}

/// Reads the events of one stream to its end.
async fn read_stream<R: RecvHalf>(
    stream: &mut R,
    sender: &mpsc::Sender<Pushed>,
    patience: Duration,
) -> Result<(), ReadError> {
    loop {
        let mut encoded = [0; PUSH_HEADER_BYTES];
        if stream.read(&mut encoded[..1]).await? == 0 {
            return Ok(());
        }
        read_exact(stream, &mut encoded[1..]).await?;
        let header = PushHeader::decode(&encoded).map_err(Violation::from)?;
        if header.payload_bytes > PUSH_PAYLOAD_BYTES_MAX {
            return Err(Violation::EventTooLong.into());
        }
        let payload = read_payload(stream, header.payload_bytes, patience).await?;
        // What a later version pushes is read and left.
        let Ok(event) = header.event else { continue };
        if sender.send(Pushed { event, payload }).await.is_err() {
            return Ok(());
        }
    }
}
