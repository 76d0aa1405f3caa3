//! The node's end of the owner's socket.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use qpq_proto::Failure;
use qpq_proto::limits::Limits;
use tokio::io::{BufReader, Interest, Ready};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

use super::listen::{ListenError, Listener};
use super::places::{Call, Place, Places};
use crate::caller::{Caller, Service};
use crate::rpc::{ConnectionServer, NO_REQUEST_ID, ReadError, Request, Server};
use crate::seldom::Seldom;

/// Listens on a Unix domain socket and brings its calls to the service, as calls of the owner's.
///
/// # Errors
/// When the socket cannot be put in place; a live one is never taken over.
pub async fn serve(
    path: &Path,
    service: Arc<dyn Service>,
    limits: Limits,
) -> Result<SocketServer, ListenError> {
    let listener = Listener::bind(path).await?;
    let (stop, stopped) = watch::channel(());
    let server = Server::for_owner(service, &limits);
    let task = tokio::spawn(accept(listener, server, limits, stopped));
    Ok(SocketServer { stop, task })
}

/// How often a program that sends no more requests is looked after.
const GONE_CHECK: Duration = Duration::from_millis(250);

/// Pause after the system could not accept a connection.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// A socket that is being served. Dropping it stops the serving; [`shutdown`](Self::shutdown) also waits.
#[derive(Debug)]
pub struct SocketServer {
    /// Closed, by being dropped, to stop.
    stop: watch::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl SocketServer {
    /// Takes no more calls, lets those in flight finish within `call_timeout_ms`, and removes the socket.
    pub async fn shutdown(self) {
        drop(self.stop);
        // The task ends by itself; that it panicked would be logged by the panic hook.
        let _ = self.task.await;
    }
}

/// What a program can make happen as often as it likes.
#[derive(Debug, Default)]
struct Reports {
    not_accepted: Seldom,
    refused: Seldom,
    crowded: Seldom,
    broken: Seldom,
}

async fn accept(listener: Listener, server: Server, limits: Limits, mut stopped: watch::Receiver<()>) {
    let mut places = Places::new(limits.socket_connections_max);
    let reports = Arc::new(Reports::default());
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.socket.accept() => accepted,
            _ = stopped.changed() => break,
            Some(_) = connections.join_next() => continue,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                if let Some(times) = reports.not_accepted.happened() {
                    tracing::warn!(%error, times, "cannot accept a connection on the socket");
                }
                // Out of descriptors, most likely; the next try makes sense when some have been given back.
                tokio::time::sleep(ACCEPT_RETRY).await;
                continue;
            }
        };
        if let Err(reason) = check_user(&stream) {
            if let Some(times) = reports.refused.happened() {
                let path = listener.path().display();
                tracing::warn!(%path, reason, times, "refused a connection on the socket");
            }
            continue;
        }
        let (place, is_crowded) = places.take();
        if is_crowded && let Some(times) = reports.crowded.happened() {
            let max = limits.socket_connections_max;
            tracing::warn!(max, times, "too many connections on the socket: ending the one least used");
        }
        let connection = Connection {
            server: server.for_connection(Caller::owner()),
            calls_max: limits.socket_calls_per_connection_max,
            drain_timeout: Duration::from_millis(limits.call_timeout_ms),
            stopped: stopped.clone(),
            place,
            reports: Arc::clone(&reports),
        };
        connections.spawn(connection.run(stream));
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Only the node's own user and root may call.
fn check_user(stream: &UnixStream) -> Result<(), &'static str> {
    const ROOT: u32 = 0;
    let peer = stream.peer_cred().map_err(|_| "the system does not say whose it is")?;
    if peer.uid() == ROOT || peer.uid() == rustix::process::geteuid().as_raw() {
        Ok(())
    } else {
        Err("it belongs to another user")
    }
}

/// A response on its way to the task that writes.
type Response = (u32, Result<Bytes, Failure>);

/// One connection. Calls run side by side, so many at most; then reading waits, and with it the program.
struct Connection {
    server: ConnectionServer,
    calls_max: usize,
    drain_timeout: Duration,
    stopped: watch::Receiver<()>,
    place: Arc<Place>,
    reports: Arc<Reports>,
}

impl Connection {
    async fn run(self, stream: UnixStream) {
        let (recv, send) = stream.into_split();
        let (responses, queue) = mpsc::channel(self.calls_max);
        let writer = write_responses(self.server.clone(), send, queue);
        let place = Arc::clone(&self.place);
        tokio::select! {
            // Whoever does not take its answers in time is not read from any more either.
            _ = async { tokio::join!(self.read_requests(recv, responses), writer) } => {}
            () = place.must_leave() => {}
        }
    }

    async fn read_requests(mut self, recv: OwnedReadHalf, responses: mpsc::Sender<Response>) {
        let mut recv = BufReader::new(recv);
        let mut calls = JoinSet::new();
        loop {
            let next = tokio::select! {
                next = self.server.read_next(&mut recv) => next,
                _ = self.stopped.changed() => break,
                () = responses.closed() => return,
            };
            match next {
                Ok(Some(request)) => {
                    while calls.len() >= self.calls_max {
                        calls.join_next().await;
                    }
                    let call = self.place.call();
                    calls.spawn(answer(self.server.clone(), request, responses.clone(), call));
                }
                // No more requests come; the answers to those that came may still be waited for.
                Ok(None) => {
                    tokio::select! {
                        () = finish(&mut calls) => return,
                        () = gone(recv.get_ref()) => return,
                        () = responses.closed() => return,
                        _ = self.stopped.changed() => break,
                    }
                }
                Err(error) => return refuse(&error, &responses, &self.reports).await,
            }
        }
        // Out of time, the calls are dropped.
        let _ = timeout(self.drain_timeout, finish(&mut calls)).await;
    }
}

async fn finish(calls: &mut JoinSet<()>) {
    while calls.join_next().await.is_some() {}
}

/// Waits until a program that sends no more requests does not wait for answers either. The system tells only those who
/// ask.
async fn gone(recv: &OwnedReadHalf) {
    let mut asks = interval(GONE_CHECK);
    loop {
        asks.tick().await;
        // A socket that takes more is always ready, one that does not take any more too.
        if recv.ready(Interest::WRITABLE).await.is_ok_and(Ready::is_write_closed) {
            return;
        }
    }
}

async fn answer(server: ConnectionServer, request: Request, responses: mpsc::Sender<Response>, call: Call) {
    let Request { id, method, payload, reservation } = request;
    let result = server.answer(method, payload).await;
    drop(reservation);
    // Before the program can know, so that one which has its answers is idle.
    drop(call);
    // An error means that the connection has ended meanwhile.
    let _ = responses.send((id, result)).await;
}

/// Says why the connection is about to end; which request was meant is not known.
async fn refuse(error: &ReadError, responses: &mpsc::Sender<Response>, reports: &Reports) {
    if let Some(times) = reports.broken.happened() {
        tracing::warn!(%error, times, "ending a connection on the socket");
    }
    if let Some(failure) = error.failure() {
        let _ = responses.send((NO_REQUEST_ID, Err(failure))).await;
    }
}

async fn write_responses(
    server: ConnectionServer,
    mut send: OwnedWriteHalf,
    mut queue: mpsc::Receiver<Response>,
) {
    while let Some((id, result)) = queue.recv().await {
        if let Err(error) = server.write(&mut send, id, result).await {
            tracing::debug!(%error, "a program on the socket does not take its answers");
            return;
        }
    }
}
