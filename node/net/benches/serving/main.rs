//! What serving costs on one machine, next to bare quinn with the same settings and the same client: calls and handshakes
//! in a second, and memory of idle connections.
//!
//! ```text
//! cargo bench -p qpq-net --bench serving -- calls | handshakes | idle [CONNECTIONS]
//! ```

#![allow(clippy::print_stdout, reason = "a measurement is printed")]

mod client;
mod idle;
mod server;
mod speed;

use std::time::Duration;

/// How long each measurement takes, and how often the two are taken in turn.
const TIME: Duration = Duration::from_secs(2);
const ROUNDS: usize = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Runtime::new().expect("the system has threads");
    let _entered = runtime.enter();
    match arguments.as_slice() {
        [] => {
            runtime.block_on(speed::calls());
            runtime.block_on(speed::handshakes());
            idle::measure(1_000);
        }
        ["calls"] => runtime.block_on(speed::calls()),
        ["handshakes"] => runtime.block_on(speed::handshakes()),
        ["idle"] => idle::measure(1_000),
        ["idle", connections] => {
            idle::measure(connections.parse().expect("a number of connections"));
        }
        ["hold", address, connections] => {
            let address = address.parse().expect("an address");
            runtime.block_on(idle::hold(address, connections.parse().expect("a number of connections")));
        }
        _ => panic!("one of: calls, handshakes, idle [CONNECTIONS]"),
    }
}
