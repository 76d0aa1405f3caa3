//! Runs that can be had again.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::report::Figures;
use crate::routers::RouterKind;
use crate::run::{Buffers, Setting, StoreKind};
use crate::scenario::Scenario;

/// `qpq-sim replay`.
#[derive(Debug, Args)]
pub(super) struct Replay {
    /// What `run --save` wrote.
    file: PathBuf,
}

/// All that decides a run, and what came of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    schema: String,
    scenario: Scenario,
    seed: u64,
    router: RouterKind,
    buffers: Buffers,
    #[serde(default)]
    is_redb: bool,
    trace_hash: String,
}

const SCHEMA: &str = "qpq-sim.replay/1";

/// Writes what is needed to run it again.
pub(super) fn save(file: &Path, scenario: Scenario, figures: &Figures, is_redb: bool) -> anyhow::Result<()> {
    let saved = Saved {
        schema: SCHEMA.into(),
        scenario,
        seed: figures.seed,
        router: figures.router,
        buffers: figures.buffers,
        is_redb,
        trace_hash: figures.trace_hash.clone(),
    };
    let text = serde_json::to_string_pretty(&saved)?;
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

impl Replay {
    /// Runs it again.
    pub(super) fn run(&self, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let text = std::fs::read_to_string(&self.file)
            .with_context(|| format!("cannot read {}", self.file.display()))?;
        let saved: Saved = serde_json::from_str(&text)
            .with_context(|| format!("{} is nothing that run --save wrote", self.file.display()))?;
        anyhow::ensure!(saved.schema == SCHEMA, "{} is of another version", self.file.display());
        let store = if saved.is_redb { StoreKind::Redb } else { StoreKind::Memory };
        let setting = Setting::new(saved.scenario, saved.seed)?.with_store(store);
        super::ensure_possible(&setting, saved.router)?;
        let figures = setting.run(saved.router, saved.buffers);
        let is_same = figures.trace_hash == saved.trace_hash;
        let verdict = if is_same { "the same run" } else { "a different run" };
        writeln!(out, "{verdict}: {} then, {} now", saved.trace_hash, figures.trace_hash)?;
        Ok(ExitCode::from(u8::from(!is_same)))
    }
}
