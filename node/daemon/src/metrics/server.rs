//! The HTTP endpoint of the metrics and of the node's health: `GET /metrics` and `GET /health`, one request a
//! connection, and nothing else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use qpq_net::Pushes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::service::NodeState;

/// The endpoint cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("metrics_listen: cannot listen on {address}: {source}")]
pub(crate) struct MetricsError {
    address: SocketAddr,
    source: std::io::Error,
}

/// The endpoint, while it serves.
#[derive(Debug)]
pub(crate) struct MetricsServer {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl MetricsServer {
    /// Starts to listen.
    pub(crate) async fn start(
        listen: SocketAddr,
        state: Arc<NodeState>,
        pushes: Pushes,
    ) -> Result<Self, MetricsError> {
        let failed = |source| MetricsError { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        if !address.ip().is_loopback() {
            tracing::warn!("metrics and health are open to everybody who can reach {address}");
        }
        Ok(Self { address, serving: tokio::spawn(serve(listener, state, pushes)) })
    }

    /// What the line of readiness says about it.
    pub(crate) fn ready(&self) -> String {
        format!(" metrics={}", self.address)
    }
}

impl Drop for MetricsServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, state: Arc<NodeState>, pushes: Pushes) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // The system is short of something; whoever connects next may find it again.
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (state, pushes) = (Arc::clone(&state), pushes.clone());
        tokio::spawn(async move {
            // Whoever does not ask or read in time, or goes, is not missed.
            let _ = timeout(PATIENCE, exchange(stream, &state, &pushes)).await;
            drop(place);
        });
    }
}

async fn exchange(mut stream: TcpStream, state: &NodeState, pushes: &Pushes) -> std::io::Result<()> {
    let mut request = Vec::with_capacity(REQUEST_BYTES_MAX);
    let asked = loop {
        let read = stream.read_buf(&mut request).await?;
        match target(&request) {
            Target::Unfinished if read == 0 => return Ok(()),
            Target::Unfinished if request.len() < REQUEST_BYTES_MAX => {}
            other => break other,
        }
    };
    let text = || state.metrics.text(pushes.connections(), state.clock.uptime_ms());
    let response = respond(&asked, state.drain.is_draining(), text);
    stream.write_all(response.encode().as_bytes()).await?;
    stream.shutdown().await
}

fn respond(asked: &Target, is_draining: bool, metrics: impl FnOnce() -> String) -> Response {
    match asked {
        Target::Metrics => Response { status: "200 OK", content_type: METRICS_TYPE, body: metrics() },
        Target::Health if is_draining => Response::text("503 Service Unavailable", "draining\n"),
        Target::Health => Response::text("200 OK", "serving\n"),
        Target::Other => Response::text("404 Not Found", "there are /metrics and /health\n"),
        Target::WrongMethod => Response::text("405 Method Not Allowed", "only GET\n"),
        Target::Unfinished | Target::Malformed => Response::text("400 Bad Request", "this is no request\n"),
    }
}

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    Metrics,
    Health,
    Other,
    WrongMethod,
    Unfinished,
    Malformed,
}

fn target(bytes: &[u8]) -> Target {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Partial) => return Target::Unfinished,
        Ok(httparse::Status::Complete(_)) => {}
        Err(_) => return Target::Malformed,
    }
    let path = request.path.unwrap_or_default();
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    match (request.method, path) {
        (Some("GET"), "/metrics") => Target::Metrics,
        (Some("GET"), "/health") => Target::Health,
        (Some("GET"), _) => Target::Other,
        _ => Target::WrongMethod,
    }
}

struct Response {
    status: &'static str,
    content_type: &'static str,
    body: String,
}

impl Response {
    fn text(status: &'static str, body: &str) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8", body: body.to_owned() }
    }

    fn encode(&self) -> String {
        let Self { status, content_type, body } = self;
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\
             cache-control: no-store\r\nconnection: close\r\n\r\n{body}"
        )
    }
}

const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const REQUEST_BYTES_MAX: usize = 4_096;
const HEADERS_MAX: usize = 32;
const CONNECTIONS_MAX: usize = 16;
const PATIENCE: Duration = Duration::from_secs(5);
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for() {
        for (request, expected) in [
            ("GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n", Target::Metrics),
            ("GET /health?now HTTP/1.0\r\n\r\n", Target::Health),
            ("GET / HTTP/1.1\r\n\r\n", Target::Other),
            ("GET /metrics/ HTTP/1.1\r\n\r\n", Target::Other),
            ("POST /metrics HTTP/1.1\r\n\r\n", Target::WrongMethod),
            ("GET /metrics HTTP/1.1\r\nhost: a\r\n", Target::Unfinished),
            ("", Target::Unfinished),
            ("\u{1}\r\n\r\n", Target::Malformed),
            ("GET /metrics\r\n\r\n", Target::Malformed),
        ] {
            assert_eq!(target(request.as_bytes()), expected, "{request:?}");
        }
        let many = format!("GET /health HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(HEADERS_MAX + 1));
        assert_eq!(target(many.as_bytes()), Target::Malformed);
    }

    #[test]
    fn health_is_no_more_once_the_node_drains() {
        let status =
            |asked: Target, is_draining| respond(&asked, is_draining, || "numbers".to_owned()).status;
        assert_eq!(status(Target::Health, false), "200 OK");
        assert_eq!(status(Target::Health, true), "503 Service Unavailable");
        assert_eq!(status(Target::Metrics, true), "200 OK", "what it counted can be read to the end");
        assert_eq!(status(Target::Unfinished, false), "400 Bad Request");
        assert_eq!(respond(&Target::Metrics, false, || "numbers".to_owned()).body, "numbers");
    }

    #[test]
    fn a_response_says_how_long_it_is_and_ends_the_connection() {
        let response = Response::text("200 OK", "serving\n").encode();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("\r\ncontent-length: 8\r\n"),
            "{head}"
        );
        assert!(head.ends_with("connection: close"));
        assert_eq!(body, "serving\n");
    }
}
