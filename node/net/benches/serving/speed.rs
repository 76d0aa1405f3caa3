//! Calls and handshakes in a second.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use qpq_proto::Method;
use tokio::task::JoinSet;

use crate::{ROUNDS, TIME, client, server};

const CALLS_IN_FLIGHT: usize = 64;
const PAYLOAD_BYTES: usize = 1_024;
const HANDSHAKES_AT_ONCE: usize = 16;

/// Calls of 1 KiB that are echoed.
pub(crate) async fn calls() {
    for connections in [1, 16, 64] {
        let name = format!("calls of {PAYLOAD_BYTES} bytes, {CALLS_IN_FLIGHT} in flight over {connections}");
        compare(&name, |address| call_for_a_while(address, connections)).await;
    }
}

/// Connections that are set up and closed.
pub(crate) async fn handshakes() {
    let name = format!("hybrid handshakes, {HANDSHAKES_AT_ONCE} at once");
    compare(&name, connect_for_a_while).await;
}

/// Measures both servers in turn, and prints the median of each and their ratio.
async fn compare<F: Future<Output = f64>>(name: &str, measure: impl Fn(SocketAddr) -> F) {
    let ours = server::ours();
    let (_endpoint, bare) = server::bare();
    let address = ours.address().expect("it is bound");
    let (mut of_ours, mut of_bare) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        of_ours.push(measure(address).await);
        of_bare.push(measure(bare).await);
    }
    let (ours, bare) = (median(of_ours), median(of_bare));
    println!("{name}: {ours:.0} a second, bare quinn {bare:.0}, ratio {:.2}", ours / bare);
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Has tasks do something again and again, and returns how often they did in a second.
async fn repeat<F>(tasks: usize, once: impl Fn(usize) -> F) -> f64
where
    F: Future<Output = Arc<AtomicU64>> + Send + 'static,
{
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for task in 0..tasks {
        running.spawn(once(task));
    }
    let mut count = 0;
    while let Some(done) = running.join_next().await {
        count = done.expect("a task does not fail").load(Ordering::Relaxed).max(count);
    }
    count as f64 / begun.elapsed().as_secs_f64()
}

async fn call_for_a_while(server: SocketAddr, connections: usize) -> f64 {
    let endpoint = client::endpoint();
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(client::greeted(&endpoint, server).await);
    }
    let request = Arc::new(client::request(Method::Enqueue, &[7; PAYLOAD_BYTES]));
    let count = Arc::new(AtomicU64::new(0));
    repeat(CALLS_IN_FLIGHT, |task| {
        let (connection, request) = (open[task % connections].clone(), Arc::clone(&request));
        let count = Arc::clone(&count);
        async move {
            let begun = Instant::now();
            while begun.elapsed() < TIME {
                client::call(&connection, &request).await;
                count.fetch_add(1, Ordering::Relaxed);
            }
            count
        }
    })
    .await
}

async fn connect_for_a_while(server: SocketAddr) -> f64 {
    let endpoint = client::endpoint();
    let count = Arc::new(AtomicU64::new(0));
    repeat(HANDSHAKES_AT_ONCE, |_| {
        let (endpoint, count) = (endpoint.clone(), Arc::clone(&count));
        async move {
            let begun = Instant::now();
            while begun.elapsed() < TIME {
                client::connect(&endpoint, server).await.close(0_u32.into(), b"");
                count.fetch_add(1, Ordering::Relaxed);
            }
            count
        }
    })
    .await
}
