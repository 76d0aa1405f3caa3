use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc as blocking;
use std::time::Duration;

use reqwest::Url;
use rustls::pki_types::PrivateKeyDer;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::*;
use crate::tls;

/// A push server on this machine: it shows what is asked and answers as the test wants.
struct Server {
    port: u16,
    roots: Arc<RootCertStore>,
    requests: blocking::Receiver<String>,
}

impl Server {
    /// One that gives these answers in turn, each to a connection of its own.
    fn start(answers: &[&str]) -> Self {
        let made = rcgen::generate_simple_self_signed(vec![NAME.to_owned()]).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(tls::provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (shown, requests) = blocking::channel();
        let answers: Vec<_> = answers.iter().map(ToString::to_string).collect();
        std::thread::spawn(move || {
            for answer in answers {
                let (stream, _) = listener.accept().unwrap();
                shown.send(serve(stream, config.clone(), &answer)).unwrap();
            }
        });
        Self { port, roots: Arc::new(roots), requests }
    }

    fn poster(&self, permits: Permits, lookup: resolve::Lookup) -> Poster {
        let config = post::config().with_root_certificates(Arc::clone(&self.roots)).with_no_client_auth();
        Poster::new(permits, 1_209_600, config, lookup).unwrap()
    }

    fn endpoint(&self) -> String {
        format!("https://{NAME}:{}/up?id=1", self.port)
    }

    async fn post(&self, poster: &Poster, endpoint: &str) -> Outcome {
        let endpoint = endpoint.replace("PORT", &self.port.to_string());
        poster.post(&Url::parse(&endpoint).unwrap()).await
    }
}

/// Reads a request's head, and answers. What goes wrong is seen by the other side.
fn serve(stream: TcpStream, config: ServerConfig, answer: &str) -> String {
    let mut stream = StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), stream);
    let (mut request, mut byte) = (Vec::new(), [0]);
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or_default() > 0 {
        request.push(byte[0]);
    }
    let head = answer.split_once("\r\n\r\n").map_or(answer, |(head, _)| head);
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let length = body.len();
    let text = format!("HTTP/1.1 {head}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
    let _ = stream.write_all(text.as_bytes());
    stream.conn.send_close_notify();
    let _ = stream.flush();
    String::from_utf8(request).unwrap()
}

fn everything() -> Permits {
    Arc::new(|_| true)
}

fn not_loopback() -> Permits {
    Arc::new(|address| !address.to_canonical().is_loopback())
}

fn at(addresses: &[&str]) -> resolve::Lookup {
    let addresses: Vec<SocketAddr> = addresses.iter().map(|text| (ip(text), 0).into()).collect();
    Arc::new(move |_| Ok(addresses.clone()))
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn refused() -> Outcome {
    Outcome::Refused(resolve::NotPermitted.to_string())
}

#[tokio::test]
async fn a_post_is_empty_and_says_how_long_it_may_wait() {
    let server = Server::start(&["201 Created"]);
    let poster = server.poster(everything(), at(&["127.0.0.1"]));
    assert_eq!(server.post(&poster, &server.endpoint()).await, Outcome::Delivered);
    let request = server.requests.recv().unwrap().to_lowercase();
    let (line, headers) = request.split_once("\r\n").unwrap();
    assert_eq!(line, "post /up?id=1 http/1.1");
    for header in ["ttl: 1209600", "urgency: high", "topic: wake", "content-length: 0"] {
        assert!(headers.lines().any(|line| line == header), "{header}: {headers}");
    }
}

#[tokio::test]
async fn the_status_alone_decides() {
    let long = format!("200 OK\r\n\r\n{}", "x".repeat(100_000));
    let later = |after_s, status: u16| Outcome::Later {
        after: Duration::from_secs(after_s),
        reason: format!("the push server answers {status}"),
    };
    let cases = [
        ("200 OK", Outcome::Delivered),
        (&long, Outcome::Delivered),
        ("404 Not Found", Outcome::Gone),
        ("410 Gone", Outcome::Gone),
        ("400 Bad Request", Outcome::Refused("its push server answers 400".to_owned())),
        (
            "307 Temporary Redirect\r\nLocation: https://push.test/",
            Outcome::Refused("its push server answers 307".to_owned()),
        ),
        ("429 Too Many Requests\r\nRetry-After: 120", later(120, 429)),
        ("429 Too Many Requests\r\nRetry-After: 99999999", later(3_600, 429)),
        ("503 Service Unavailable\r\nRetry-After: soon", later(0, 503)),
    ];
    let answers: Vec<_> = cases.iter().map(|(answer, _)| *answer).collect();
    let server = Server::start(&answers);
    let poster = server.poster(everything(), at(&["127.0.0.1"]));
    for (answer, expected) in &cases {
        assert_eq!(server.post(&poster, &server.endpoint()).await, *expected, "{answer:.30}");
    }
    assert_eq!(server.requests.iter().count(), cases.len(), "one request each, and no redirection followed");
}

#[tokio::test]
async fn nothing_is_sent_to_addresses_that_are_not_permitted() {
    let server = Server::start(&["200 OK"]);
    let poster = server.poster(not_loopback(), at(&["127.0.0.1", "::1", "::ffff:127.0.0.1"]));
    for endpoint in [
        "https://push.test:PORT/",
        "https://127.0.0.1:PORT/",
        "https://127.1:PORT/",
        "https://0x7f.0.0.1:PORT/",
        "https://2130706433:PORT/",
        "https://[::1]:PORT/",
        "https://[::ffff:127.0.0.1]:PORT/",
    ] {
        assert_eq!(server.post(&poster, endpoint).await, refused(), "{endpoint}");
    }
    // The one address that is permitted is tried, and no other in its place.
    let one: Permits = Arc::new(|address| address == ip("127.0.0.2"));
    let poster = server.poster(one, at(&["127.0.0.1", "127.0.0.2"]));
    assert!(matches!(server.post(&poster, &server.endpoint()).await, Outcome::Later { .. }));
    assert!(server.requests.try_recv().is_err(), "nobody connected");
}

#[tokio::test]
async fn a_name_that_comes_to_mean_another_address_is_checked_again() {
    let server = Server::start(&["200 OK", "200 OK"]);
    let answers = Mutex::new(vec![ip("127.0.0.3"), ip("127.0.0.1")]);
    let lookup: resolve::Lookup =
        Arc::new(move |_| Ok(vec![(answers.lock().unwrap().pop().unwrap(), 0).into()]));
    let one: Permits = Arc::new(|address| address == ip("127.0.0.1"));
    let poster = server.poster(one, lookup);
    assert_eq!(server.post(&poster, &server.endpoint()).await, Outcome::Delivered);
    assert_eq!(server.post(&poster, &server.endpoint()).await, refused());
}

#[tokio::test]
async fn a_server_that_nobody_certified_gets_nothing() {
    let server = Server::start(&["200 OK"]);
    let other = Server::start(&[]);
    let poster = other.poster(everything(), at(&["127.0.0.1"]));
    assert!(matches!(server.post(&poster, &server.endpoint()).await, Outcome::Later { .. }));
    assert_eq!(server.requests.recv().unwrap(), "");
}

#[tokio::test]
async fn what_is_gone_is_reported_with_its_endpoint() {
    let server = Server::start(&["200 OK", "410 Gone"]);
    let poster = server.poster(everything(), at(&["127.0.0.1"]));
    let (report, mut reported) = mpsc::unbounded_channel();
    let report: ReportGone<u8> = Box::new(move |device, endpoint| report.send((device, endpoint)).unwrap());
    let wakes = Wakes::start_with(&RelayLimits::ROUTER, report, move || Ok(poster));
    wakes.wake(1, "nonsense".to_owned());
    wakes.wake(2, server.endpoint());
    wakes.wake(3, server.endpoint());
    let (device, endpoint) = reported.recv().await.unwrap();
    assert_eq!(endpoint, server.endpoint());
    assert!(device == 2 || device == 3, "whichever came second");
    assert_eq!(server.requests.iter().count(), 2);
}

const NAME: &str = "push.test";
