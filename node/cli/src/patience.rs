//! How long `qpq` waits for an answer of the daemon. Whoever does not answer in time, stopped or no daemon at all, is
//! told from one that has gone.

use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use qpq_net::socket::SocketClient;
use qpq_proto::{CallError, Method, Transport, TransportErrorKind, v1};
use tokio::time::timeout;

/// A connection on which every call has a time limit.
#[derive(Debug, Clone)]
pub(crate) struct Patient(SocketClient);

impl Patient {
    /// Calls over this connection.
    pub(crate) fn new(socket: SocketClient) -> Self {
        Self(socket)
    }
}

impl Transport for Patient {
    async fn call(&self, method: Method, payload: Bytes) -> Result<Bytes, CallError> {
        let limit = limit_of(method, &payload);
        match timeout(limit, self.0.call(method, payload)).await {
            Ok(answered) => answered,
            Err(_) => {
                let silence = format!("nothing came within {} seconds", limit.as_secs());
                Err(CallError::transport(TransportErrorKind::TimedOut, silence))
            }
        }
    }
}

/// How long the answer to a call may take: what the call itself asks the daemon to wait, and some more.
fn limit_of(method: Method, payload: &Bytes) -> Duration {
    match method {
        Method::Health => HEALTH_LIMIT,
        Method::ReadEvents => {
            wait(v1::ReadEventsRequest::decode(payload.clone()).map(|asked| asked.timeout_ms))
        }
        Method::WaitMessage => {
            wait(v1::WaitMessageRequest::decode(payload.clone()).map(|asked| asked.timeout_ms))
        }
        Method::WaitChange => {
            wait(v1::WaitChangeRequest::decode(payload.clone()).map(|asked| asked.timeout_ms))
        }
        Method::WaitMailboxRelay => {
            wait(v1::WaitMailboxRelayRequest::decode(payload.clone()).map(|asked| asked.timeout_ms))
        }
        Method::ShowRecovery => {
            wait(v1::ShowRecoveryRequest::decode(payload.clone()).map(|asked| asked.timeout_ms))
        }
        Method::WaitRecoveryUse => {
            wait(v1::WaitRecoveryUseRequest::decode(payload.clone()).map(|asked| asked.timeout_ms))
        }
        Method::WaitUser => wait(v1::WaitUserRequest::decode(payload.clone()).map(|asked| asked.timeout_ms)),
        Method::WaitRelayErrand => {
            wait(v1::WaitRelayErrandRequest::decode(payload.clone()).map(|asked| asked.timeout_ms))
        }
        Method::CreateBackup | Method::VerifyBackup | Method::RestoreBackup => BACKUP_LIMIT,
        _ => ORDINARY_LIMIT,
    }
}

/// How long the answer may take where the daemon is asked to wait.
fn wait(asked_ms: Result<u32, prost::DecodeError>) -> Duration {
    // This program encoded the request just now; what is none is not waited for.
    ORDINARY_LIMIT + Duration::from_millis(asked_ms.unwrap_or(0).into()).min(POLL_MAX)
}

/// The daemon answers this one by itself, without its database.
const HEALTH_LIMIT: Duration = Duration::from_secs(5);
/// Far more than a busy daemon on a slow disk needs: a call that is given up may have been carried out.
const ORDINARY_LIMIT: Duration = Duration::from_secs(15);
/// A backup is as long as all that was ever said, and its passphrase is costly to try.
const BACKUP_LIMIT: Duration = Duration::from_secs(30 * 60);
/// The longest that the daemon lets a call wait.
pub(crate) const POLL_MAX: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use tokio::net::UnixListener;

    use super::*;

    #[test]
    fn who_asks_the_daemon_to_wait_waits_longer() {
        let read = |timeout_ms| {
            let request = v1::ReadEventsRequest { timeout_ms, ..Default::default() };
            limit_of(Method::ReadEvents, &request.encode_to_vec().into())
        };
        assert_eq!(read(0), ORDINARY_LIMIT);
        assert_eq!(read(2_000), ORDINARY_LIMIT + Duration::from_secs(2));
        assert_eq!(read(u32::MAX), ORDINARY_LIMIT + POLL_MAX);
        assert!(limit_of(Method::Health, &Bytes::new()) < limit_of(Method::NodeStatus, &Bytes::new()));
        assert_eq!(limit_of(Method::WaitChange, &Bytes::from_static(b"\xff")), ORDINARY_LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_an_error_in_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("silent.sock");
        let _listener = UnixListener::bind(&path).unwrap();
        let patient = Patient::new(SocketClient::connect(&path).await.unwrap());
        let error = patient.call(Method::NodeStatus, Bytes::new()).await.unwrap_err();
        assert!(
            matches!(&error, CallError::Transport { kind: TransportErrorKind::TimedOut, .. }),
            "{error:?}"
        );
    }

    #[test]
    fn every_method_has_its_limit_and_no_wait_outlasts_the_daemon_s() {
        use Method::{
            CreateBackup, Diagnose, MarkRead, RestoreBackup, SendMessage, VerifyBackup, WaitMessage,
        };
        let minute = Duration::from_secs(60);
        for (method, limit) in [
            (Method::Health, HEALTH_LIMIT),
            (SendMessage, ORDINARY_LIMIT),
            (MarkRead, ORDINARY_LIMIT),
            (Diagnose, ORDINARY_LIMIT),
            (CreateBackup, BACKUP_LIMIT),
            (VerifyBackup, BACKUP_LIMIT),
            (RestoreBackup, BACKUP_LIMIT),
        ] {
            assert_eq!(limit_of(method, &Bytes::new()), limit, "{method:?}");
        }
        let waited = |timeout_ms| {
            let message = v1::WaitMessageRequest { timeout_ms, ..Default::default() };
            let change = v1::WaitChangeRequest { timeout_ms, ..Default::default() };
            [
                limit_of(WaitMessage, &message.encode_to_vec().into()),
                limit_of(Method::WaitChange, &change.encode_to_vec().into()),
            ]
        };
        assert_eq!(waited(30_000), [ORDINARY_LIMIT + minute / 2; 2]);
        assert_eq!(waited(u32::MAX), [ORDINARY_LIMIT + minute; 2]);
    }

    /// The answer to a call that was given up is not taken for that of the next.
    #[tokio::test(start_paused = true)]
    async fn silence_costs_one_call_its_own_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("silent.sock");
        let _listener = UnixListener::bind(&path).unwrap();
        let patient = Patient::new(SocketClient::connect(&path).await.unwrap());
        for (method, limit) in [(Method::Health, HEALTH_LIMIT), (Method::CreateBackup, BACKUP_LIMIT)] {
            let begun = tokio::time::Instant::now();
            let error = patient.call(method, Bytes::new()).await.unwrap_err();
            assert_eq!(begun.elapsed().as_secs(), limit.as_secs());
            let wanted = format!("timed out: nothing came within {} seconds", limit.as_secs());
            assert_eq!(error.to_string(), wanted);
        }
    }
}
