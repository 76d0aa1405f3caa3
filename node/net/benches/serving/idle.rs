//! What an idle connection takes of the server's memory.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use tokio::task::JoinSet;

use crate::{client, server};

/// Connections that are set up at once.
const CONNECTING_MAX: usize = 32;

/// Prints the resident bytes of an idle connection of ours, and of bare quinn.
pub(crate) fn measure(connections: usize) {
    let ours = server::ours();
    let address = ours.address().expect("it is bound");
    let of_ours = bytes_each(address, connections);
    let (_endpoint, bare) = server::bare();
    let of_bare = bytes_each(bare, connections);
    println!("{connections} idle connections: {of_ours} bytes each, bare quinn {of_bare}");
}

/// Resident bytes for each of so many connections that another process holds.
fn bytes_each(server: SocketAddr, connections: usize) -> usize {
    // What is allocated once, for the first connections, is left out.
    let first = holder(server, connections.min(200));
    let before = resident_bytes();
    let holder = holder(server, connections);
    let bytes = resident_bytes().saturating_sub(before) / connections;
    for mut holder in [first, holder] {
        holder.kill().expect("it runs");
        holder.wait().expect("it was killed");
    }
    bytes
}

/// Another process that holds connections; they are there when this returns.
fn holder(server: SocketAddr, connections: usize) -> Child {
    let program = std::env::current_exe().expect("it runs");
    let mut child = Command::new(program)
        .args(["hold", &server.to_string(), &connections.to_string()])
        .stdout(Stdio::piped())
        .stdin(Stdio::piped())
        .spawn()
        .expect("it runs already");
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().expect("it is piped"))
        .read_line(&mut line)
        .expect("it says something");
    assert_eq!(line, "ready\n");
    child
}

/// Holds connections until the process is ended.
pub(crate) async fn hold(server: SocketAddr, connections: usize) {
    let endpoint = client::endpoint();
    let mut connecting = JoinSet::new();
    let mut held = Vec::new();
    while held.len() < connections {
        if connecting.len() < CONNECTING_MAX && held.len() + connecting.len() < connections {
            let endpoint = endpoint.clone();
            connecting.spawn(async move { client::greeted(&endpoint, server).await });
        } else if let Some(connected) = connecting.join_next().await {
            held.push(connected.expect("the server takes it"));
        }
    }
    println!("ready");
    std::io::stdout().flush().expect("somebody listens");
    std::future::pending::<()>().await;
}

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("this runs on Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it is there");
    let kib: usize = line.trim().trim_end_matches("kB").trim().parse().expect("it is a number");
    kib * 1_024
}
