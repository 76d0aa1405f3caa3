//! Loads a relay over real QUIC on loopback, and prints what it bears.
//!
//! ```sh
//! cargo run --release -p qpq-tests --bin load -- --clients 64 --mailboxes 100 --messages 1000000 --bytes 1024 --json
//! ```
//!
//! Four things are measured, one after the other: clients that put deliveries into mailboxes, each with one call under
//! way at a time; the owners of the mailboxes, who fetch 64 at a time and acknowledge them; one who sends to one who
//! waits; and connections on which nothing happens. Every delivery is durable when its call is answered. The relay and
//! the clients share this machine's processors.
//!
//! ```sh
//! cargo run --release -p qpq-tests --bin load -- --queued 1000000 --bytes 200 --mailbox-mib 256
//! ```
//!
//! With `--queued` one mailbox is filled with so many deliveries and emptied again, and what is measured is what sixteen
//! others notice of it who talk with each other.
#![expect(clippy::print_stdout, reason = "the figures are the program's output")]

mod arguments;
mod figures;
mod phases;
mod queued;
mod relay;

use std::process::ExitCode;

use arguments::Arguments;
use relay::LoadedRelay;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("load: {message}");
            return ExitCode::from(2);
        }
    };
    match run(&arguments) {
        Ok(report) => println!("{report}"),
        Err(error) => {
            eprintln!("load: {error:#}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn run(arguments: &Arguments) -> anyhow::Result<String> {
    raise_files_max()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    let relay = LoadedRelay::start(arguments)?;
    let report = runtime.block_on(report(arguments, &relay));
    // Connections are closed before the relay is.
    runtime.shutdown_background();
    report
}

/// Each connection has a socket: as many as this user may have at all, not only as many as is usual.
fn raise_files_max() -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?)
}

async fn report(arguments: &Arguments, relay: &LoadedRelay) -> anyhow::Result<String> {
    if arguments.queued > 0 {
        let figures = queued::measure(arguments, relay).await?;
        return Ok(if arguments.json { figures.json().to_string() } else { figures.table() });
    }
    let figures = phases::measure(arguments, relay).await?;
    Ok(if arguments.json { figures.json().to_string() } else { figures.table() })
}

/// Threads of the clients.
const WORKERS: usize = 2;
