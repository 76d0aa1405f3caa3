//! What this crate needs of a QUIC connection, so that one serving loop does for iroh and for quinn.
//!
//! The two have QUIC stacks of their own with types that look alike and do not mix.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::caller::{EXPORTER_BYTES, EXPORTER_LABEL, Exporter};

/// Application error codes, of streams and of connections. They are hints for logs; nothing depends on them.
pub(crate) mod code {
    /// All is well, or the node goes away in order.
    pub(crate) const DONE: u32 = 0;
    /// The other side broke the protocol.
    pub(crate) const VIOLATION: u32 = 1;
    /// The other side was too slow, or the answer is no longer wanted.
    pub(crate) const TIMED_OUT: u32 = 2;
    /// There are too many connections, or the node is banned for a while.
    pub(crate) const REFUSED: u32 = 3;
    /// There is another connection between the two nodes that stays.
    pub(crate) const DUPLICATE: u32 = 4;
    /// No wire version in common.
    pub(crate) const VERSION: u32 = 5;
    /// The service ended it, such as for a device that was revoked.
    pub(crate) const ENDED: u32 = 6;
}

/// A connection on which either side opens a bidirectional stream per call, and a unidirectional one for events.
pub(crate) trait Streams: Clone + Send + Sync + 'static {
    /// The half that is written.
    type Send: SendHalf;
    /// The half that is read.
    type Recv: RecvHalf;

    /// Opens a stream; waits while the peer allows no more. Fails when the connection has ended.
    fn open(&self) -> impl Future<Output = Result<(Self::Send, Self::Recv), Ended>> + Send;

    /// Waits for the peer's next stream, in the order in which it opened them. Fails when the connection has ended.
    fn accept(&self) -> impl Future<Output = Result<(Self::Send, Self::Recv), Ended>> + Send;

    /// How many streams the peer may have open at once on which both write.
    fn allow_bi(&self, count: usize);

    /// Opens a stream that only we write; waits while the peer allows no more.
    fn open_uni(&self) -> impl Future<Output = Result<Self::Send, Ended>> + Send;

    /// Waits for the next stream that only the peer writes. Fails when the connection has ended.
    fn accept_uni(&self) -> impl Future<Output = Result<Self::Recv, Ended>> + Send;

    /// How many streams that only the peer writes it may have open at once; none before this is called.
    fn allow_uni(&self, count: u32);

    /// What both ends export from the TLS session.
    fn exporter(&self) -> Result<Exporter, Ended>;

    /// Ends the connection. What has not been delivered is lost.
    fn close(&self, code: u32, reason: &str);
}

/// Opens a stream that only we write, or finds out that the peer allows none at the moment.
pub(crate) async fn open_uni_now<S: Streams>(streams: &S) -> Result<Option<S::Send>, Ended> {
    let mut opening = pin!(streams.open_uni());
    std::future::poll_fn(|context| {
        Poll::Ready(match opening.as_mut().poll(context) {
            Poll::Ready(opened) => opened.map(Some),
            Poll::Pending => Ok(None),
        })
    })
    .await
}

/// Has the TLS session fill in the value. It fails only before the handshake is complete; a value that anybody knows must
/// never take its place.
fn exported<E: std::fmt::Debug>(
    export: impl FnOnce(&mut [u8], &[u8], &[u8]) -> Result<(), E>,
) -> Result<Exporter, Ended> {
    let mut value = [0; EXPORTER_BYTES];
    let exported = export(&mut value, EXPORTER_LABEL, b"");
    exported.map_err(|_| Ended("the TLS session exports nothing".to_owned()))?;
    Ok(Exporter(value))
}

/// The half of a stream that is written.
pub(crate) trait SendHalf: AsyncWrite + Unpin + Send + 'static {
    /// Marks the end. Fails silently if the peer wants no more.
    fn finish(&mut self);

    /// Gives up on the stream; what has not been delivered is lost.
    fn reset(&mut self, code: u32);

    /// Waits until the peer wants no more, or is gone.
    fn stopped(&self) -> impl Future<Output = ()> + Send;
}

/// The half of a stream that is read.
pub(crate) trait RecvHalf: AsyncRead + Unpin + Send + 'static {
    /// Tells the peer to write no more.
    fn stop(&mut self, code: u32);

    /// Whether the stream began in data that an eavesdropper can replay (0-RTT).
    fn is_replayable(&self) -> bool;
}

/// The connection has ended; the text says why, for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Ended(pub(crate) String);

impl Streams for iroh::endpoint::Connection {
    type Send = iroh::endpoint::SendStream;
    type Recv = iroh::endpoint::RecvStream;

    async fn open(&self) -> Result<(Self::Send, Self::Recv), Ended> {
        self.open_bi().await.map_err(|error| Ended(error.to_string()))
    }

    async fn accept(&self) -> Result<(Self::Send, Self::Recv), Ended> {
        self.accept_bi().await.map_err(|error| Ended(error.to_string()))
    }

    fn allow_bi(&self, count: usize) {
        self.set_max_concurrent_bi_streams(u32::try_from(count).unwrap_or(u32::MAX).into());
    }

    async fn open_uni(&self) -> Result<Self::Send, Ended> {
        Self::open_uni(self).await.map_err(|error| Ended(error.to_string()))
    }

    async fn accept_uni(&self) -> Result<Self::Recv, Ended> {
        Self::accept_uni(self).await.map_err(|error| Ended(error.to_string()))
    }

    fn allow_uni(&self, count: u32) {
        self.set_max_concurrent_uni_streams(count.into());
    }

    fn exporter(&self) -> Result<Exporter, Ended> {
        exported(|value, label, context| self.export_keying_material(value, label, context))
    }

    fn close(&self, code: u32, reason: &str) {
        Self::close(self, code.into(), reason.as_bytes());
    }
}

impl SendHalf for iroh::endpoint::SendStream {
    fn finish(&mut self) {
        // The only error is that the stream has ended already.
        let _ = Self::finish(self);
    }

    fn reset(&mut self, code: u32) {
        let _ = Self::reset(self, code.into());
    }

    fn stopped(&self) -> impl Future<Output = ()> + Send {
        let stopped = Self::stopped(self);
        async {
            let _ = stopped.await;
        }
    }
}

impl RecvHalf for iroh::endpoint::RecvStream {
    fn stop(&mut self, code: u32) {
        let _ = Self::stop(self, code.into());
    }

    fn is_replayable(&self) -> bool {
        self.is_0rtt()
    }
}

#[cfg(feature = "direct")]
mod direct {
    use super::{Ended, Exporter, RecvHalf, SendHalf, Streams, exported};

    impl Streams for quinn::Connection {
        type Send = quinn::SendStream;
        type Recv = quinn::RecvStream;

        async fn open(&self) -> Result<(Self::Send, Self::Recv), Ended> {
            self.open_bi().await.map_err(|error| Ended(error.to_string()))
        }

        async fn accept(&self) -> Result<(Self::Send, Self::Recv), Ended> {
            self.accept_bi().await.map_err(|error| Ended(error.to_string()))
        }

        fn allow_bi(&self, count: usize) {
            self.set_max_concurrent_bi_streams(u32::try_from(count).unwrap_or(u32::MAX).into());
        }

        async fn open_uni(&self) -> Result<Self::Send, Ended> {
            Self::open_uni(self).await.map_err(|error| Ended(error.to_string()))
        }

        async fn accept_uni(&self) -> Result<Self::Recv, Ended> {
            Self::accept_uni(self).await.map_err(|error| Ended(error.to_string()))
        }

        fn allow_uni(&self, count: u32) {
            self.set_max_concurrent_uni_streams(count.into());
        }

        fn exporter(&self) -> Result<Exporter, Ended> {
            exported(|value, label, context| self.export_keying_material(value, label, context))
        }

        fn close(&self, code: u32, reason: &str) {
            Self::close(self, code.into(), reason.as_bytes());
        }
    }

    impl SendHalf for quinn::SendStream {
        fn finish(&mut self) {
            let _ = Self::finish(self);
        }

        fn reset(&mut self, code: u32) {
            let _ = Self::reset(self, code.into());
        }

        fn stopped(&self) -> impl Future<Output = ()> + Send {
            let stopped = Self::stopped(self);
            async {
                let _ = stopped.await;
            }
        }
    }

    impl RecvHalf for quinn::RecvStream {
        fn stop(&mut self, code: u32) {
            let _ = Self::stop(self, code.into());
        }

        fn is_replayable(&self) -> bool {
            self.is_0rtt()
        }
    }
}
