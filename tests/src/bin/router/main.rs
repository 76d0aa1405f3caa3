//! Measures a node as a router runs it: memory, processor, what it writes and what it says, idle and at work.
//!
//! A carrier of the router's profile is alone, then among neighbours that have nothing to say, then given all that its
//! store holds, then a steady number of bundles. For the build of routers, on the machine at hand:
//!
//! ```sh
//! openwrt/build x86_64
//! cargo run -p qpq-tests --bin router -- --program openwrt/out/x86_64-unknown-linux-musl/qpqd
//! ```
#![expect(clippy::print_stdout, reason = "the figures are the program's output")]

mod arguments;
mod counters;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use qpq_net::socket::SocketClient;
use qpq_proto::Client;
use qpq_proto::limits::{Limits, TEXT_BYTES_MAX};
use qpq_proto::v1::SendMessageRequest;
use qpq_tests::{Options, Person, befriend};
use tokio::runtime::Runtime;
use tokio::time::{Interval, interval_at};

use crate::arguments::Arguments;
use crate::counters::Counters;

/// A text of greatest length becomes a bundle of so many bytes.
const BUNDLE_BYTES: u64 = 65_536;
/// Between two readings.
const READING: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let measured = Arguments::parse(std::env::args().skip(1)).and_then(|arguments| measure(&arguments));
    if let Err(error) = measured {
        eprintln!("router: {error:#}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let carrier = carrier(arguments);
    observe("alone", (&runtime, &carrier), (arguments.idle, 0), |_| Ok(()))?;
    let neighbours: Vec<Person> = (0..arguments.neighbours).map(neighbour).collect();
    for neighbour in &neighbours {
        befriend(&carrier, neighbour);
    }
    observe("idle among neighbours", (&runtime, &carrier), (arguments.idle, arguments.neighbours), |_| {
        Ok(())
    })?;
    let mut absent = Person::new("absent");
    for neighbour in &neighbours {
        befriend(&absent, neighbour);
    }
    absent.terminate();

    let share = Limits::ROUTER.custody_neighbour_bytes_max / BUNDLE_BYTES;
    for neighbour in neighbours.iter().filter(|_| arguments.fill) {
        let client = runtime.block_on(SocketClient::connect(&neighbour.socket()))?;
        for number in 0..share {
            runtime.block_on(say(&Client::new(client.clone()), TEXT_BYTES_MAX, number))?;
        }
    }
    if arguments.fill {
        settle(&runtime, &carrier);
    }
    let store = carrier.ok(&["mesh", "store"]);
    println!("store: {} bundles, {} of {} bytes", store["bundles"], store["bytes"], store["bytes_max"]);

    let mut said = 0;
    observe("at work", (&runtime, &carrier), (arguments.work, arguments.neighbours), |elapsed| {
        while said < elapsed.as_secs() * arguments.per_hour / 3600 {
            let neighbour = &neighbours[usize::try_from(said).unwrap_or_default() % neighbours.len()];
            let said_so = runtime.block_on(async {
                let client = Client::new(SocketClient::connect(&neighbour.socket()).await?);
                say(&client, arguments.bytes, said).await
            });
            said_so?;
            said += 1;
        }
        Ok(())
    })?;
    let store = carrier.ok(&["mesh", "store"]);
    println!("said: {said}; store: {} bundles, {} bytes", store["bundles"], store["bytes"]);
    Ok(())
}

fn carrier(arguments: &Arguments) -> Person {
    let environment = [
        ("QPQ_PROFILE", "router"),
        ("QPQ_CUSTODY", &arguments.custody),
        ("QPQ_CONNECTIONS_PER_ADDRESS", "64"),
    ];
    let carrier = Person::with(
        "carrier",
        Options {
            environment: environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            daemon: arguments.program.iter().map(Into::into).collect(),
            ..Options::default()
        },
    );
    carrier.ok(&["role", "carrier", "on"]);
    carrier
}

fn neighbour(number: u64) -> Person {
    Person::new(&format!("neighbour{number}"))
}

async fn say(client: &Client<SocketClient>, bytes: usize, number: u64) -> anyhow::Result<()> {
    let (to, text) = ("@absent".to_owned(), format!("{number:0>bytes$}"));
    client.send_message(&SendMessageRequest { to, text, ..Default::default() }).await?;
    Ok(())
}

/// Waits until the store takes no more.
fn settle(runtime: &Runtime, carrier: &Person) {
    let mut ticks = ticks(runtime);
    let bundles = || carrier.ok(&["mesh", "store"])["bundles"].as_u64();
    let mut before = None;
    while before != bundles() {
        before = bundles();
        runtime.block_on(ticks.tick());
    }
}

fn ticks(runtime: &Runtime) -> Interval {
    let _entered = runtime.enter();
    interval_at(tokio::time::Instant::now() + READING, READING)
}

/// Reads the counters for some time and prints what they came to, with something done between readings.
fn observe(
    what: &str,
    (runtime, carrier): (&Runtime, &Person),
    (time, neighbours): (Duration, u64),
    mut between: impl FnMut(Duration) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let began = Instant::now();
    let (mut readings, mut ticks) = (vec![Counters::of(carrier)?], ticks(runtime));
    while began.elapsed() < time {
        between(began.elapsed())?;
        runtime.block_on(ticks.tick());
        readings.push(Counters::of(carrier)?);
    }
    println!(
        "{what}, {} s:\n{}",
        began.elapsed().as_secs(),
        counters::summary(&readings, began.elapsed(), neighbours)
    );
    Ok(())
}
