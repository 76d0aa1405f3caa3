//! The command line.

mod carrier;
mod replay;
mod reports;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use rayon::prelude::*;

use crate::movement::trace;
use crate::report::{Figures, bound, table};
use crate::routers::RouterKind;
use crate::run::{Buffers, Setting, StoreKind};
use crate::scenario::Scenario;

/// Simulates the mesh and the routers it must beat.
#[derive(Debug, Parser)]
#[command(name = "qpq-sim", version)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run one scenario under one seed.
    Run(Run),
    /// Run it under several seeds and routers.
    Sweep(Sweep),
    /// Run again what `run --save` wrote, and compare. Exits with 1 if anything was different.
    Replay(replay::Replay),
    /// Tell the best that any router could do on those contacts.
    Bound(Bound),
    /// Print the contacts of a scenario as The ONE's connection events.
    Contacts(Contacts),
    /// Run a scenario with carriers whose stores are real files, and tell how much memory that took.
    Carrier(carrier::Carrier),
    /// Run scenarios under all routers and seeds: print tables and targets as Markdown, draw curves.
    Report(reports::Report),
}

#[derive(Debug, Args)]
struct Place {
    /// The scenario, a TOML file.
    scenario: PathBuf,
    /// Make the place as large as this many nodes need.
    #[arg(long)]
    nodes: Option<usize>,
}

#[derive(Debug, Args)]
struct Run {
    #[command(flatten)]
    place: Place,
    /// The seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The router.
    #[arg(long, default_value = "ours")]
    router: RouterKind,
    /// How much nodes can keep.
    #[arg(long, default_value = "scenario")]
    buffers: Buffers,
    /// Where our own nodes keep custody.
    #[arg(long, default_value = "scenario")]
    store: Stores,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Write what `replay` needs into this file.
    #[arg(long)]
    save: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Sweep {
    #[command(flatten)]
    place: Place,
    /// The seeds, as `FIRST..LAST`: the last is one of them.
    #[arg(long, value_parser = seeds)]
    seeds: Range<u64>,
    /// Routers; all of them if none is named.
    #[arg(long)]
    router: Vec<RouterKind>,
    /// How much nodes can keep.
    #[arg(long, default_value = "scenario")]
    buffers: Buffers,
    /// Where our own nodes keep custody.
    #[arg(long, default_value = "scenario")]
    store: Stores,
    /// Print JSON objects, one a line.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Bound {
    #[command(flatten)]
    place: Place,
    /// The seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Args)]
struct Contacts {
    #[command(flatten)]
    place: Place,
    /// The seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Where our own nodes keep custody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Stores {
    /// As the scenario says for the seed.
    Scenario,
    /// In memory.
    Memory,
    /// In the real database, on a disk in memory that fails and loses power where nodes crash.
    Redb,
}

impl Stores {
    fn of(self, setting: Setting) -> Setting {
        match self {
            Self::Scenario => setting,
            Self::Memory => setting.with_store(StoreKind::Memory),
            Self::Redb => setting.with_store(StoreKind::Redb),
        }
    }
}

impl Arguments {
    /// Does what was asked for. Violations make the exit code 1.
    pub fn run(&self, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        match &self.command {
            Command::Run(run) => run.run(out),
            Command::Sweep(sweep) => sweep.run(out),
            Command::Replay(replay) => replay.run(out),
            Command::Bound(bound) => bound.run(out),
            Command::Contacts(contacts) => contacts.run(out),
            Command::Carrier(carrier) => carrier.run(out),
            Command::Report(report) => report.run(out),
        }
    }
}

impl Place {
    fn scenario(&self) -> anyhow::Result<Scenario> {
        let scenario = Scenario::read(&self.scenario)?;
        Ok(match self.nodes {
            Some(nodes) => {
                anyhow::ensure!(nodes > 1, "--nodes {nodes}: a run needs two nodes at least");
                scenario.scaled_to(nodes)
            }
            None => scenario,
        })
    }
}

impl Run {
    fn run(&self, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let scenario = self.place.scenario()?;
        let setting = self.store.of(Setting::new(scenario.clone(), self.seed)?);
        ensure_possible(&setting, self.router)?;
        let figures = setting.run(self.router, self.buffers);
        if let Some(file) = &self.save {
            replay::save(file, scenario, &figures, setting.is_redb())?;
        }
        if self.json {
            writeln!(out, "{}", serde_json::to_string(&figures)?)?;
        } else {
            write!(out, "{}", table::table(std::slice::from_ref(&figures)))?;
            figures.first_violations.iter().try_for_each(|violation| writeln!(out, "{violation}"))?;
        }
        Ok(verdict(std::slice::from_ref(&figures)))
    }
}

impl Sweep {
    fn run(&self, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let scenario = self.place.scenario()?;
        let rows = self.runs(&scenario)?;
        if self.json {
            rows.iter().try_for_each(|row| anyhow::Ok(writeln!(out, "{}", serde_json::to_string(row)?)?))?;
        } else {
            write!(out, "{}", table::table(&rows))?;
        }
        Ok(verdict(&rows))
    }
}

impl Sweep {
    /// Runs the scenario under each seed and router, by router and then by seed; under all routers if none is named.
    fn runs(&self, scenario: &Scenario) -> anyhow::Result<Vec<Figures>> {
        let by_seed: Vec<_> = (self.seeds.clone().into_par_iter())
            .map(|seed| self.runs_of(self.store.of(Setting::new(scenario.clone(), seed)?)))
            .collect::<anyhow::Result<_>>()?;
        let routers = by_seed.first().map_or(0, Vec::len);
        let of = |place: usize| by_seed.iter().filter_map(move |rows| rows.get(place).cloned());
        Ok((0..routers).flat_map(of).collect())
    }

    /// One seed after the other is let go of, lest the contacts of all are kept.
    fn runs_of(&self, setting: Setting) -> anyhow::Result<Vec<Figures>> {
        self.router.iter().try_for_each(|router| ensure_possible(&setting, *router))?;
        let routers = if self.router.is_empty() { setting.routers() } else { &self.router };
        Ok(routers.into_par_iter().map(|router| setting.run(*router, self.buffers)).collect())
    }
}

impl Bound {
    fn run(&self, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let (delays_s, created) = Setting::new(self.place.scenario()?, self.seed)?.bound();
        let object = serde_json::to_string(&bound::Bound::new(self.seed, delays_s, created))?;
        writeln!(out, "{object}")?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Contacts {
    fn run(&self, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let setting = Setting::new(self.place.scenario()?, self.seed)?;
        write!(out, "{}", trace::print(setting.contacts()))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn ensure_possible(setting: &Setting, router: RouterKind) -> anyhow::Result<()> {
    let why = match router {
        RouterKind::Ours => "ours always pads: the scenario must pad too".to_owned(),
        other => {
            format!("{} knows nothing of the calls that the flood of this scenario is made of", other.name())
        }
    };
    anyhow::ensure!(setting.routers().contains(&router), why);
    Ok(())
}

fn verdict(rows: &[Figures]) -> ExitCode {
    ExitCode::from(u8::from(rows.iter().any(|row| row.violations > 0)))
}

/// `FIRST..LAST`, both of them included.
fn seeds(text: &str) -> anyhow::Result<Range<u64>> {
    let (first, last) = text.split_once("..").context("write seeds as FIRST..LAST")?;
    let number = |text: &str| text.parse::<u64>().with_context(|| format!("{text:?} is no seed"));
    let (first, last) = (number(first)?, number(last)?);
    if last < first {
        bail!("the last seed is before the first");
    }
    Ok(first..last.checked_add(1).context("the last seed is too great")?)
}
