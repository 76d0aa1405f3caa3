//! Starting, finding each other, connecting.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use qpq_net::socket::SocketClient;
use qpq_proto::{Client, v1};
use qpq_tests::{Node, Options, Person, befriend};
use tokio::runtime::Runtime;
use tokio::time::interval;

use crate::Effort;
use crate::figures::{Figures, percentile};

/// A connection to a node's owner's socket.
pub(crate) async fn connect(node: &Node) -> anyhow::Result<Client<SocketClient>> {
    let client = SocketClient::connect(&node.socket()).await;
    Ok(Client::new(client.with_context(|| format!("connecting to {}", node.name()))?))
}

/// Memory of a node's daemon that is resident now.
pub(crate) fn resident_bytes(node: &Node) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.process_id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1_024)
}

/// Start to ready, memory when idle, and reconnecting after a restart.
pub(crate) fn measure_starts(effort: Effort, runtime: &Runtime, figures: &mut Figures) -> anyhow::Result<()> {
    let (alice, mut bob) = (Person::new("alice"), Person::new("bob"));
    figures.bytes("memory_idle", "memory, idle", resident_bytes(&alice)?);
    let met = Instant::now();
    befriend(&alice, &bob);
    figures.time("contact", "invitation used to both accepted (through qpq)", met.elapsed());

    let (mut starts, mut connections) = (Vec::new(), Vec::new());
    for _ in 0..effort.repetitions {
        bob.terminate();
        let started = Instant::now();
        bob.run_again();
        starts.push(started.elapsed());
        runtime.block_on(until_peer(&alice, &bob, |peer| peer.path == "direct"))?;
        connections.push(started.elapsed());
    }
    figures.time("start_to_ready", "start to ready", percentile(&starts, 50));
    figures.time("start_to_connected", "start to connected with a known peer", percentile(&connections, 50));
    Ok(())
}

/// Start to the first peer seen by multicast DNS.
pub(crate) fn measure_discovery(
    effort: Effort,
    runtime: &Runtime,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let options = || Options { discovery: true, ..Options::default() };
    let one = Node::start_with("one", options());
    let mut two = Node::new("two", options());
    let mut times = Vec::new();
    for _ in 0..effort.repetitions {
        let started = Instant::now();
        two.run_again();
        if runtime.block_on(until_peer(&two, &one, |peer| peer.discovered)).is_err() {
            eprintln!("measure: nothing was discovered; is multicast permitted here?");
            return Ok(());
        }
        times.push(started.elapsed());
        two.terminate();
    }
    figures.time("start_to_discovered", "start to first discovered peer, median", percentile(&times, 50));
    figures.time(
        "start_to_discovered_worst",
        "start to first discovered peer, worst",
        percentile(&times, 100),
    );
    Ok(())
}

/// Waits until a node sees another one as wanted. There is no event for that: it is asked every two milliseconds.
pub(crate) async fn until_peer(
    node: &Node,
    other: &Node,
    wanted: impl Fn(&v1::PeerStatus) -> bool,
) -> anyhow::Result<()> {
    let client = connect(node).await?;
    let deadline = Instant::now() + PATIENCE;
    let mut ticks = interval(Duration::from_millis(2));
    while Instant::now() < deadline {
        ticks.tick().await;
        let status = client.node_status(&v1::NodeStatusRequest {}).await?;
        let is_other = |peer: &&v1::PeerStatus| hex(&peer.node) == other.node_key();
        if status.peers.iter().find(is_other).is_some_and(&wanted) {
            return Ok(());
        }
    }
    bail!("{} does not see {}", node.name(), other.name())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const PATIENCE: Duration = Duration::from_secs(20);
