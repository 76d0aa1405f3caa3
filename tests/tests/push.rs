//! Devices that are not connected are woken over HTTP, wherever their endpoints may be.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use qpq_net::direct::DirectClient;
use qpq_proto::v1::PushKind;
use qpq_proto::{Client, Status};
use qpq_tests::{Node, Options, RelayAddress, RelayUser, delivery};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tokio::runtime::Runtime;

/// A push server on this machine.
struct PushServer {
    port: u16,
    /// Its certificate, in a file.
    certificate: tempfile::NamedTempFile,
    /// The request lines that came, in lower case.
    requests: Receiver<String>,
}

impl PushServer {
    /// One that answers 201, and 410 for what is gone.
    fn start() -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let mut certificate = tempfile::NamedTempFile::new().unwrap();
        certificate.write_all(made.cert.pem().as_bytes()).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(qpq_net::tls::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (came, requests) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // Whoever connects is noted, also one that asks for nothing.
                let line = answer(stream.unwrap(), Arc::clone(&config));
                if came.send(line).is_err() {
                    return;
                }
            }
        });
        Self { port, certificate, requests }
    }

    fn endpoint(&self, path: &str) -> Vec<u8> {
        format!("https://localhost:{}{path}", self.port).into_bytes()
    }

    /// A relay at which everybody may register, which trusts this push server.
    fn relay(&self, more: &[(&str, &str)]) -> Node {
        let node = Node::start_with("relay", self.options(more));
        node.ok(&["role", "relay", "on"]);
        node
    }

    fn options(&self, more: &[(&str, &str)]) -> Options {
        let trusted = PathBuf::from(self.certificate.path()).display().to_string();
        let environment = [
            ("QPQ_RPC_LISTEN", "127.0.0.1:0"),
            ("QPQ_RELAY_REGISTRATION", "open"),
            ("SSL_CERT_FILE", &trusted),
        ];
        let set = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Options { environment: environment.iter().chain(more).map(set).collect(), ..Options::default() }
    }

    /// The request lines that have come since the last time.
    fn came(&self) -> Vec<String> {
        self.requests.try_iter().collect()
    }
}

/// Reads one request's head and answers it. What the other side breaks off is no request.
fn answer(stream: TcpStream, config: Arc<ServerConfig>) -> String {
    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
    let (mut request, mut byte) = (Vec::new(), [0]);
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or_default() > 0 {
        request.push(byte[0]);
    }
    let request = String::from_utf8(request).unwrap().to_lowercase();
    let line = request.lines().next().unwrap_or_default().to_owned();
    let status = if line.contains("/gone") { "410 Gone" } else { "201 Created" };
    let _ = write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    stream.conn.send_close_notify();
    let _ = stream.flush();
    line
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Somebody who comes, names an endpoint and goes. Returns whether the relay says that it can wake the device by it.
async fn leaves_with(user: &RelayUser, relay: &RelayAddress, endpoint: &[u8]) -> bool {
    let connection = user.arrive(relay).await.unwrap();
    user.push_token(&connection, PushKind::UnifiedPush, endpoint).await.unwrap()
}

/// Somebody who comes and goes, so that the device may be woken again at once.
async fn looks_in(user: &RelayUser, relay: &RelayAddress) {
    let connection = relay.connect().await.unwrap();
    user.log_in(&connection).await.unwrap();
}

/// A sender whose messages are all different.
struct Sender {
    connection: Client<DirectClient>,
    sent: u32,
}

impl Sender {
    async fn arrive(relay: &RelayAddress) -> Self {
        Self { connection: RelayUser::new(1).arrive(relay).await.unwrap(), sent: 0 }
    }

    async fn send(&mut self, to: &RelayUser) {
        self.sent += 1;
        let payload = format!("message {}", self.sent).into_bytes();
        self.connection.enqueue(&delivery(to.identity(), payload)).await.unwrap();
    }
}

#[test]
fn a_device_that_is_away_is_woken_until_its_endpoint_is_gone() {
    let (server, runtime) = (PushServer::start(), runtime());
    let node = server.relay(&[("QPQ_RELAY_PUSH", "any")]);
    let relay = RelayAddress::of(&node).unwrap();
    let (bob, carol, dave) = (RelayUser::new(2), RelayUser::new(3), RelayUser::new(4));
    let mut alice = runtime.block_on(async {
        let connection = bob.arrive(&relay).await.unwrap();
        let is_woken = bob.push_token(&connection, PushKind::Fcm, b"token").await.unwrap();
        assert!(!is_woken, "by no service but UnifiedPush");
        let endpoint = server.endpoint("/up?id=bob");
        assert!(bob.push_token(&connection, PushKind::UnifiedPush, &endpoint).await.unwrap());
        let mut alice = Sender::arrive(&relay).await;
        alice.send(&bob).await;
        assert!(server.came().is_empty(), "he is there");
        alice
    });
    // The relay learns when it does that he has gone.
    node.until("Bob is woken", || {
        runtime.block_on(alice.send(&bob));
        server.came().into_iter().find(|line| line == "post /up?id=bob http/1.1")
    });

    runtime.block_on(async {
        assert!(leaves_with(&carol, &relay, &server.endpoint("/carol")).await);
        assert!(leaves_with(&dave, &relay, &server.endpoint("/gone")).await);
    });
    let (mut was_gone, mut since) = (false, 0);
    node.until("the endpoint that is gone is used no more, and the other one is", || {
        runtime.block_on(async {
            for user in [&carol, &dave] {
                looks_in(user, &relay).await;
                alice.send(user).await;
            }
        });
        for line in server.came() {
            let is_gone = line.contains("/gone");
            since = if is_gone { 0 } else { since + 1 };
            was_gone |= is_gone;
        }
        (was_gone && since >= 3).then_some(())
    });
}

#[test]
fn unless_the_administrator_allows_it_nothing_is_sent_to_the_relays_own_network() {
    let (server, runtime) = (PushServer::start(), runtime());
    let mut node = server.relay(&[("QPQ_RELAY_PUSH", "any")]);
    let relay = RelayAddress::of(&node).unwrap();
    let bob = RelayUser::new(2);
    assert!(runtime.block_on(leaves_with(&bob, &relay, &server.endpoint("/up"))));

    node.set_environment(server.options(&[]).environment);
    node.restart();
    let relay = RelayAddress::of(&node).unwrap();
    runtime.block_on(async {
        let connection = RelayUser::new(3).arrive(&relay).await.unwrap();
        for endpoint in
            [server.endpoint("/up"), b"https://127.0.0.1/up".to_vec(), b"https://10.0.0.1/".to_vec()]
        {
            let refused = RelayUser::new(3).push_token(&connection, PushKind::UnifiedPush, &endpoint).await;
            let failure = refused.unwrap_err().failure().cloned().unwrap();
            assert_eq!(failure.status, Status::BadRequest);
            assert!(failure.message.contains("not on the public internet"), "{failure:?}");
        }
        // What was taken while it was allowed is there still, and of no use.
        Sender::arrive(&relay).await.send(&bob).await;
    });
    node.until("it says why nobody is woken", || {
        node.log().contains("no address on the public internet").then_some(())
    });
    assert!(server.came().is_empty());
}
