//! Asks a relay about people who are there and about people who are not, in a random order, and says whether the time of
//! its answers tells the two apart.
//!
//! ```sh
//! cargo run --release -p qpq-tests --bin timing -- --samples 20000 --recoveries 200
//! ```
//!
//! Three questions are asked over real QUIC on loopback: the start of a login (OPAQUE), for a key package of somebody who
//! has left none, and for a recovery bundle. The difference of the means is divided by its standard error (Welch's t),
//! for all samples and for the quickest nine of ten, among which a small difference is not hidden by chance. Beyond 4.5
//! either way, somebody who asks often enough could tell.
#![expect(clippy::print_stdout, reason = "the figures are the program's output")]

mod questions;
mod statistics;

use std::process::ExitCode;

use qpq_tests::{Node, Options, RelayAddress};

fn main() -> ExitCode {
    let effort = match Effort::parse(std::env::args().skip(1)) {
        Ok(effort) => effort,
        Err(message) => {
            eprintln!("timing: {message}");
            return ExitCode::from(2);
        }
    };
    match run(effort) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("timing: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(effort: Effort) -> anyhow::Result<()> {
    let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let environment = vec![
        set("QPQ_RPC_LISTEN", "127.0.0.1:0"),
        set("QPQ_RELAY_REGISTRATION", "open"),
        set("QPQ_CONNECTIONS_PER_ADDRESS", "4096"),
    ];
    let node = Node::start_with("relay", Options { environment, ..Options::default() });
    node.ok(&["role", "relay", "on"]);
    let relay = RelayAddress::of(&node)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        println!(
            "{:<28}{:>10}{:>14}{:>14}{:>9}{:>9}",
            "", "samples", "there, us", "absent, us", "t", "t (90 %)"
        );
        questions::logins(&relay, effort.samples).await?.print("start of a login");
        questions::key_packages(&relay, effort.samples).await?.print("key package");
        questions::recoveries(&relay, effort.recoveries).await?.print("recovery bundle");
        Ok(())
    })
}

/// How much is asked.
#[derive(Debug, Clone, Copy)]
struct Effort {
    /// Questions of each of the first two kinds.
    samples: usize,
    /// Questions for recovery bundles, of which a relay answers about one a second.
    recoveries: usize,
}

impl Effort {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut effort = Self { samples: 20_000, recoveries: 200 };
        while let Some(word) = words.next() {
            let number = match word.as_str() {
                "--samples" => &mut effort.samples,
                "--recoveries" => &mut effort.recoveries,
                _ => return Err(format!("unknown argument {word}; there are --samples and --recoveries")),
            };
            let value = words.next().and_then(|value| value.parse().ok()).filter(|value| *value >= 20);
            *number = value.ok_or_else(|| format!("{word} takes a number from 20 on"))?;
        }
        Ok(effort)
    }
}
