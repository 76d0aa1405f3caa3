//! Tables and curves of several scenarios, for the book.

use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use crate::book::Sample;
use crate::report::Figures;
use crate::report::svg::{Chart, Curve};
use crate::report::table::table;
use crate::routers::RouterKind;
use crate::run::Buffers;
use crate::scenario::Scenario;

/// `qpq-sim report`.
#[derive(Debug, Args)]
pub(super) struct Report {
    /// The scenarios.
    #[arg(required = true)]
    scenarios: Vec<PathBuf>,
    /// The seeds, as `FIRST..LAST`: the last is one of them. Curves show the first.
    #[arg(long, value_parser = super::seeds)]
    seeds: Range<u64>,
    /// Where to write `NAME.txt`, `NAME.json` and `NAME-*.svg` for each scenario.
    #[arg(long)]
    out: PathBuf,
}

impl Report {
    /// Runs everything and writes the files.
    pub(super) fn run(&self, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let mut all = Vec::new();
        for file in &self.scenarios {
            let scenario = Scenario::read(file)?;
            let rows = super::sweep(&scenario, self.seeds.clone(), &[], Buffers::Scenario)?;
            let text = table(&rows);
            write!(out, "{text}")?;
            let lines: Vec<String> = rows.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
            self.write(&scenario.name, ".txt", &text)?;
            self.write(&scenario.name, ".json", &(lines.join("\n") + "\n"))?;
            let first: Vec<&Figures> = rows.iter().filter(|row| row.seed == self.seeds.start).collect();
            for (name, chart) in charts(&scenario, &first) {
                self.write(&scenario.name, &format!("-{name}.svg"), &chart.svg())?;
            }
            all.extend(rows);
        }
        Ok(super::verdict(&all))
    }

    fn write(&self, name: &str, suffix: &str, text: &str) -> anyhow::Result<()> {
        let file: &Path = &self.out.join(format!("{name}{suffix}"));
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    }
}

/// The curves of one seed.
fn charts(scenario: &Scenario, rows: &[&Figures]) -> [(&'static str, Chart); 4] {
    let over_time = |value: fn(&Sample) -> f64| -> Vec<Curve> {
        let points = |row: &Figures| row.samples.iter().map(|at| (at.at_s / 3600.0, value(at))).collect();
        rows.iter().map(|row| Curve { name: name(row.router), points: points(row) }).collect()
    };
    let percentiles = |row: &&Figures| {
        let delays = row.delay_percentiles_s.iter().enumerate();
        let share = |percent: usize| percent as f64 * row.ratio;
        let points = delays.map(|(percent, delay)| (delay / 3600.0, share(percent))).collect();
        Curve { name: name(row.router), points }
    };
    let ratio = over_time(|at| crate::report::share(at.delivered, at.created));
    let bytes = over_time(|at| at.bytes as f64 / 1024.0 / at.delivered.max(1) as f64);
    let held = over_time(|at| at.held_bytes as f64 / 1e6);
    let delays = rows.iter().map(percentiles).collect();
    let chart = |what: &str, x: &str, y: &str, curves| {
        let title = format!("{}: {what}", scenario.name);
        Chart { title, x: x.into(), y: y.into(), curves }
    };
    [
        ("ratio", chart("share of messages delivered so far", "hours", "ratio", ratio)),
        (
            "delay",
            chart("messages delivered within a time", "hours after it was written", "% of messages", delays),
        ),
        ("bytes", chart("sent for each message delivered", "hours", "KiB", bytes)),
        ("held", chart("held by a node on the mean", "hours", "MB", held)),
    ]
}

fn name(router: RouterKind) -> String {
    router.name().to_owned()
}
