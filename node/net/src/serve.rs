//! Serving the streams of one QUIC connection.
//!
//! Each stream that the other side opens is one call and gets a task of its own. The connection ends when the peer
//! misbehaves again and again; a single fault costs it one call.

use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use qpq_proto::v1::HealthRequest;
use qpq_proto::{Failure, Method};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;

use crate::push::{self, Subscription};
use crate::rpc::{ConnectionServer, NO_REQUEST_ID, ReadError, Request, Violation};
use crate::streams::{Ended, RecvHalf, SendHalf, Streams, code};

/// Faults for which a connection is ended.
const FAULTS_MAX: usize = 3;

/// How much more is permitted to a peer that has used what it was permitted.
const GROWTH: usize = 4;

/// Calls that somebody makes who logs in and then waits. Whoever makes more is permitted more at once: each time a part of
/// what is permitted is used up, the peer is sent a packet that says how much it may go on, and of little, a part is one.
const FEW_CALLS: usize = 16;

/// How long a refusal may take to arrive.
const DELIVERY: Duration = Duration::from_secs(1);

/// What serves one connection.
pub(crate) struct Serving<S> {
    pub(crate) streams: S,
    pub(crate) server: ConnectionServer,
    /// Over it the service pushes events to the other side, and ends the connection.
    pub(crate) subscription: Subscription,
    /// Calls that the other side may have under way at once in the beginning, as it was told in the handshake.
    pub(crate) calls_at_first: usize,
    /// Calls that it may have under way at once when it has made use of that.
    pub(crate) calls_max: usize,
    pub(crate) activity: Activity,
}

/// Why serving has ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ServeError {
    /// The connection is gone.
    #[error(transparent)]
    Ended(#[from] Ended),
    /// The other side broke the protocol or stalled more often than is forgiven, or in its first call.
    #[error("the peer broke the protocol: {0}")]
    Misbehaved(String),
    /// The first call did not come in time.
    #[error("the peer made no call")]
    Silent,
    /// The service ended it.
    #[error("ended by the node: {0}")]
    Unwanted(String),
}

/// How one call went, as far as the connection is concerned.
enum Outcome {
    Served,
    Fault(String),
}

impl<S: Streams> Serving<S> {
    /// Serves the first call on a connection that the other side dialled, which must be `Health`, and returns what the
    /// dialler said about itself.
    pub(crate) async fn greet(&self, time: Duration) -> Result<HealthRequest, ServeError> {
        timeout(time, self.serve_first()).await.map_err(|_| ServeError::Silent)?
    }

    async fn serve_first(&self) -> Result<HealthRequest, ServeError> {
        let (mut send, mut recv) = self.streams.accept().await?;
        let misbehaved = |error: &ReadError| ServeError::Misbehaved(error.to_string());
        let read = match self.server.read_one(&mut recv).await {
            Ok(request) if request.method != Ok(Method::Health) => Err(Violation::NotHealth.into()),
            read => read,
        };
        let request = match read {
            Ok(request) => request,
            Err(error) => {
                refuse(&self.server, &mut send, &mut recv, &error).await;
                return Err(misbehaved(&error));
            }
        };
        let health = HealthRequest::decode(request.payload.clone());
        let health = health.map_err(|_| ServeError::Misbehaved("its Health does not decode".to_owned()))?;
        respond(&self.server, &mut send, request).await;
        Ok(health)
    }

    /// Serves every call that follows and pushes events, until the connection ends, the service ends it, or the peer has
    /// misbehaved too often.
    pub(crate) async fn run(&self) -> ServeError {
        tokio::select! {
            error = self.serve() => error,
            reason = push::send(&self.subscription, &self.streams) => ServeError::Unwanted(reason),
        }
    }

    async fn serve(&self) -> ServeError {
        let mut calls = JoinSet::new();
        let mut faults = 0;
        let (mut permitted, mut accepted_before) = (self.calls_at_first, 0);
        loop {
            tokio::select! {
                accepted = self.streams.accept(), if calls.len() < self.calls_max => match accepted {
                    Ok((send, recv)) => {
                        accepted_before += 1;
                        let is_busy = calls.len() + 1 >= permitted || accepted_before >= FEW_CALLS;
                        if is_busy && permitted < self.calls_max {
                            permitted = (GROWTH * permitted).min(self.calls_max);
                            self.streams.allow_bi(permitted);
                        }
                        let active = self.activity.enter();
                        let server = self.server.clone();
                        calls.spawn(async move {
                            let outcome = serve_one(server, send, recv).await;
                            drop(active);
                            outcome
                        });
                    }
                    Err(ended) => return ended.into(),
                },
                Some(outcome) = calls.join_next() => {
                    let Some(fault) = fault(outcome) else { continue };
                    tracing::debug!(peer = %self.server.caller().peer, fault, "a peer broke the protocol");
                    faults += 1;
                    if faults >= FAULTS_MAX {
                        return ServeError::Misbehaved(fault);
                    }
                }
            }
        }
    }
}

fn fault(outcome: Result<Outcome, JoinError>) -> Option<String> {
    match outcome {
        Ok(Outcome::Fault(fault)) => Some(fault),
        // A panic of ours is no fault of the peer's.
        Ok(Outcome::Served) | Err(_) => None,
    }
}

async fn serve_one<W: SendHalf, R: RecvHalf>(server: ConnectionServer, mut send: W, mut recv: R) -> Outcome {
    let read = match server.read_one(&mut recv).await {
        Ok(request) if recv.is_replayable() && request.method != Ok(Method::Health) => {
            Err(Violation::Replayable.into())
        }
        read => read,
    };
    match read {
        Ok(request) => respond(&server, &mut send, request).await,
        Err(error) => {
            refuse(&server, &mut send, &mut recv, &error).await;
            match error {
                ReadError::Violation(_) | ReadError::Stalled => Outcome::Fault(error.to_string()),
                ReadError::Exhausted | ReadError::Lost(_) => Outcome::Served,
            }
        }
    }
}

/// Has the request answered and writes the answer, unless the caller loses interest.
async fn respond<W: SendHalf>(server: &ConnectionServer, send: &mut W, request: Request) -> Outcome {
    let Request { id, method, payload, reservation } = request;
    let result = tokio::select! {
        result = server.answer(method, payload) => result,
        () = send.stopped() => {
            send.reset(code::DONE);
            return Outcome::Served;
        }
    };
    drop(reservation);
    write(server, send, id, result).await
}

/// Tells the other side what is wrong with its request, if there is something to tell, and reads no further.
async fn refuse<W: SendHalf, R: RecvHalf>(
    server: &ConnectionServer,
    send: &mut W,
    recv: &mut R,
    error: &ReadError,
) {
    recv.stop(code::VIOLATION);
    match error.failure() {
        Some(failure) => {
            write(server, send, NO_REQUEST_ID, Err(failure)).await;
            // The connection may be closed next, and with it goes what has not arrived.
            let _ = timeout(DELIVERY, send.stopped()).await;
        }
        None => send.reset(code::TIMED_OUT),
    }
}

async fn write<W: SendHalf>(
    server: &ConnectionServer,
    send: &mut W,
    id: u32,
    result: Result<bytes::Bytes, Failure>,
) -> Outcome {
    match server.write(send, id, result).await {
        Ok(()) => send.finish(),
        Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
            send.reset(code::TIMED_OUT);
            return Outcome::Fault("it does not take its answers".to_owned());
        }
        // The caller has lost interest, or the connection is gone.
        Err(_) => send.reset(code::DONE),
    }
    Outcome::Served
}

/// How many calls are under way on a connection, in both directions.
#[derive(Debug, Clone)]
pub(crate) struct Activity(Arc<watch::Sender<usize>>);

/// One call; it is over when this is dropped.
#[derive(Debug)]
pub(crate) struct Active(Arc<watch::Sender<usize>>);

impl Activity {
    /// With no call under way.
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    /// A call begins.
    pub(crate) fn enter(&self) -> Active {
        self.0.send_modify(|calls| *calls += 1);
        Active(Arc::clone(&self.0))
    }

    /// Waits until no call is under way.
    pub(crate) async fn idle(&self) {
        // The sender is alive as long as `self`, so that the wait cannot fail.
        let _ = self.0.subscribe().wait_for(|calls| *calls == 0).await;
    }

    /// Whether no call is under way.
    pub(crate) fn is_idle(&self) -> bool {
        *self.0.borrow() == 0
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.send_modify(|calls| *calls -= 1);
    }
}

#[cfg(test)]
mod tests;
