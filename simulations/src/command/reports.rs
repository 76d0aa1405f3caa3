//! Tables and curves of several scenarios, for the book.

use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, ValueEnum as _};
use rayon::prelude::*;

use crate::report::Figures;
use crate::report::bound::Bound;
use crate::report::comparison::{Comparison, Contender};
use crate::report::curves::charts;
use crate::report::kept::Kept;
use crate::report::markdown::section;
use crate::routers::RouterKind;
use crate::run::Setting;
use crate::scenario::Scenario;

/// `qpq-sim report`.
#[derive(Debug, Args)]
pub(super) struct Report {
    /// The scenarios.
    #[arg(required = true)]
    scenarios: Vec<PathBuf>,
    /// The seeds, as `FIRST..LAST`: the last is one of them.
    #[arg(long, value_parser = super::seeds)]
    seeds: Range<u64>,
    /// Routers, and `oracle` for epidemic with unlimited buffers; all of them if none is named.
    #[arg(long, value_parser = contender)]
    router: Vec<Contender>,
    /// Where to write curves, `NAME-*.svg` for each scenario.
    #[arg(long)]
    svg: Option<PathBuf>,
    /// Where to keep every run, `NAME.jsonl` for each scenario: what is there is not run again. Empty it after a
    /// change of the simulator.
    #[arg(long)]
    keep: Option<PathBuf>,
}

impl Report {
    /// Runs everything, prints the tables and writes the curves.
    pub(super) fn run(&self, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let mut violations = false;
        for folder in self.svg.iter().chain(&self.keep) {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let scenarios =
            self.scenarios.iter().map(|file| Scenario::read(file)).collect::<Result<Vec<_>, _>>()?;
        for scenario in scenarios {
            let comparison = self.compare(scenario)?;
            write!(out, "{}", section(&comparison))?;
            out.flush()?;
            for (name, chart) in self.svg.iter().flat_map(|_| charts(&comparison)) {
                self.write(&comparison.scenario.name, name, &chart.svg())?;
            }
            violations |= comparison.runs.iter().flat_map(|(_, rows)| rows).any(|row| row.violations > 0);
        }
        Ok(ExitCode::from(u8::from(violations)))
    }

    /// Runs a scenario, as far as its runs are not kept. One seed after the other: contacts are drawn once for each.
    fn compare(&self, scenario: Scenario) -> anyhow::Result<Comparison> {
        let kept = Kept::open(self.keep.as_deref(), &scenario)?;
        let seeds = self.seeds.clone().into_par_iter();
        let by_seed: Vec<_> =
            seeds.map(|seed| self.seed(&kept, &scenario, seed)).collect::<anyhow::Result<_>>()?;
        let mut runs: Vec<(Contender, Vec<Figures>)> = Vec::new();
        let mut bounds = Vec::new();
        for (rows, bound) in by_seed {
            for (place, (contender, row)) in rows.into_iter().enumerate() {
                match runs.get_mut(place) {
                    Some((_, rows)) => rows.push(row),
                    None => runs.push((contender, vec![row])),
                }
            }
            bounds.push(bound);
        }
        Ok(Comparison { scenario, runs, bounds })
    }

    fn seed(
        &self,
        kept: &Kept,
        scenario: &Scenario,
        seed: u64,
    ) -> anyhow::Result<(Vec<(Contender, Figures)>, Bound)> {
        let setting = Setting::new(scenario.clone(), seed)?;
        let contenders = self.contenders(&setting)?;
        let mut rows = Vec::new();
        for contender in contenders {
            let (router, buffers) = contender.runs();
            let figures = kept.figures(seed, contender.name(), || setting.run(router, buffers))?;
            rows.push((contender, figures));
        }
        let bound = kept.bound(seed, || {
            let (delays_s, created) = setting.bound();
            Bound::new(seed, delays_s, created)
        })?;
        Ok((rows, bound))
    }

    fn contenders(&self, setting: &Setting) -> anyhow::Result<Vec<Contender>> {
        if !self.router.is_empty() {
            let routers = self.router.iter().map(|contender| contender.runs().0);
            routers.into_iter().try_for_each(|router| super::ensure_possible(setting, router))?;
            return Ok(self.router.clone());
        }
        let routers = setting.routers();
        let oracle = routers.contains(&RouterKind::Epidemic).then_some(Contender::Oracle);
        Ok(routers.iter().copied().map(Contender::Router).chain(oracle).collect())
    }

    fn write(&self, scenario: &str, name: &str, text: &str) -> anyhow::Result<()> {
        let folder = self.svg.as_deref().unwrap_or(Path::new("."));
        let file = folder.join(format!("{scenario}-{name}.svg"));
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
    }
}

/// A router by its name, or the oracle.
fn contender(name: &str) -> Result<Contender, String> {
    if name == Contender::Oracle.name() {
        return Ok(Contender::Oracle);
    }
    RouterKind::from_str(name, false).map(Contender::Router)
}
