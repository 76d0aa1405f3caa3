//! Measures real nodes and prints the figures: how fast they start, find each other, connect and deliver, and how
//! much memory they hold.
//!
//! ```sh
//! cargo run --release -p qpq-tests --bin measure            # a table
//! cargo run --release -p qpq-tests --bin measure -- --json  # one object
//! ```
//!
//! Messages go through the owner's socket, as a program would send them, not through one `qpq` process each. Compare
//! runs on one quiet machine only: both ends share its cores.
#![expect(clippy::print_stdout, reason = "the figures are the program's output")]

mod figures;
mod messages;
mod nodes;

use std::process::ExitCode;

use crate::figures::Figures;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Effort {
    /// Starts, discoveries and connections, of which the median is taken.
    repetitions: usize,
    /// Messages sent one after the other.
    round_trips: usize,
    /// Messages sent many at a time, which are also those held when memory is measured.
    messages: usize,
    /// Contacts known when memory is measured.
    contacts: usize,
}

const FULL: Effort = Effort { repetitions: 9, round_trips: 1_000, messages: 10_000, contacts: 100 };
const QUICK: Effort = Effort { repetitions: 3, round_trips: 100, messages: 500, contacts: 5 };

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let known = |argument: &&String| !matches!(argument.as_str(), "--json" | "--quick");
    if let Some(unknown) = arguments.iter().find(known) {
        eprintln!("measure: unknown argument {unknown}; there are --json and --quick");
        return ExitCode::from(2);
    }
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let effort = if has("--quick") { QUICK } else { FULL };
    match measure(effort) {
        Ok(figures) if has("--json") => println!("{}", figures.json()),
        Ok(figures) => println!("{}", figures.table()),
        Err(error) => {
            eprintln!("measure: {error:#}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn measure(effort: Effort) -> anyhow::Result<Figures> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut figures = Figures::default();
    nodes::measure_starts(effort, &runtime, &mut figures)?;
    nodes::measure_discovery(effort, &runtime, &mut figures)?;
    messages::measure(effort, &runtime, &mut figures)?;
    Ok(figures)
}
