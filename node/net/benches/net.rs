//! What connections cost on one machine: to listen, to connect with the hybrid key exchange, to call.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use qpq_net::socket::{self, SocketClient};
use qpq_net::tls::KeyExchange;
use qpq_net::{Answer, Caller, PeerConfig, PeerEvent, Peers, Service};
use qpq_proto::Method;
use qpq_proto::limits::{Limits, WIRE_VERSION};
use qpq_proto::v1::HealthResponse;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

/// Answers with what it was given, and `Health` as it must be.
struct Echo;

impl Service for Echo {
    fn call(&self, _: Caller, method: Method, payload: Bytes) -> Answer<'_> {
        Box::pin(async move {
            if method != Method::Health {
                return Ok(payload);
            }
            let health = HealthResponse {
                wire_version_min: WIRE_VERSION,
                wire_version_max: WIRE_VERSION,
                ..HealthResponse::default()
            };
            Ok(prost::Message::encode_to_vec(&health).into())
        })
    }
}

type Node = (Peers, mpsc::Receiver<PeerEvent>);

/// A node of its own each time, without the bounds that protect against so many newcomers from one address.
async fn node(key_exchange: KeyExchange) -> Node {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut secret = [7; 32];
    secret[..8].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    let limits = Limits {
        connections_per_address_max: usize::MAX,
        connections_per_address_per_minute_max: 1_000_000,
        ..Limits::SERVER
    };
    let config = PeerConfig {
        listen: vec![(Ipv4Addr::LOCALHOST, 0).into()],
        key_exchange,
        ..PeerConfig::new(Zeroizing::new(secret), limits)
    };
    Peers::start(config, Arc::new(Echo)).await.expect("loopback has free ports")
}

async fn connect(from: &mut Node, to: &Peers) {
    from.0.want(to.node_key(), to.addresses());
    while !matches!(from.1.recv().await, Some(PeerEvent::Connected { .. })) {}
}

fn listening(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("the system has threads");
    criterion.bench_function("peers/start", |bencher| {
        bencher.iter_custom(|iterations| {
            runtime.block_on(async {
                let mut total = Duration::ZERO;
                for _ in 0..iterations {
                    let begun = Instant::now();
                    let (peers, _events) = node(KeyExchange::HybridPreferred).await;
                    total += begun.elapsed();
                    peers.shutdown().await;
                }
                total
            })
        });
    });
}

/// From wanting a peer whose address is known to the event that it is connected, `Health` included.
fn connecting(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("the system has threads");
    for (name, key_exchange) in
        [("hybrid", KeyExchange::HybridPreferred), ("classical", KeyExchange::ClassicalOnly)]
    {
        let (to, mut events) = runtime.block_on(node(key_exchange));
        runtime.spawn(async move { while events.recv().await.is_some() {} });
        criterion.bench_function(&format!("peers/connect/{name}"), |bencher| {
            bencher.iter_custom(|iterations| {
                runtime.block_on(async {
                    let mut total = Duration::ZERO;
                    for _ in 0..iterations {
                        let mut from = node(key_exchange).await;
                        let begun = Instant::now();
                        connect(&mut from, &to).await;
                        total += begun.elapsed();
                        from.0.shutdown().await;
                    }
                    total
                })
            });
        });
    }
}

fn calling(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("the system has threads");
    let (to, _events) = runtime.block_on(node(KeyExchange::HybridPreferred));
    let mut from = runtime.block_on(node(KeyExchange::HybridPreferred));
    runtime.block_on(connect(&mut from, &to));
    let payload = Bytes::from(vec![7; 1024]);
    criterion.bench_function("peers/call/1KiB", |bencher| {
        bencher.iter(|| {
            let call = from.0.call(to.node_key(), Method::Enqueue, payload.clone());
            runtime.block_on(call).expect("the peer echoes")
        });
    });

    let directory = tempfile::tempdir().expect("there is a place for temporary files");
    let path = directory.path().join("socket");
    let (_server, client) = runtime.block_on(async {
        let server = socket::serve(&path, Arc::new(Echo), Limits::SERVER).await.expect("the path is free");
        (server, SocketClient::connect(&path).await.expect("somebody listens"))
    });
    criterion.bench_function("socket/call/1KiB", |bencher| {
        bencher.iter(|| {
            let call = client.call(Method::SendMessage, payload.clone());
            runtime.block_on(call).expect("the node echoes")
        });
    });
}

criterion_group!(benches, listening, connecting, calling);
criterion_main!(benches);
