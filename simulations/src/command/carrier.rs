//! What a carrier needs: its real store on real files, and the memory of the process.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use crate::routers::RouterKind;
use crate::run::{Buffers, Setting, StoreKind};
use crate::scenario::Scenario;

/// `qpq-sim carrier`.
#[derive(Debug, Args)]
pub(super) struct Carrier {
    /// The scenario.
    scenario: PathBuf,
    /// The seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// An empty folder for the stores, one for each carrier.
    #[arg(long)]
    folder: PathBuf,
}

impl Carrier {
    /// Runs it, and prints one JSON object: the figures, and the greatest resident size of the whole process, which
    /// is that of the carriers with all that the simulator needs besides.
    pub(super) fn run(&self, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let is_empty = |folder: &PathBuf| std::fs::read_dir(folder).map(|mut files| files.next().is_none());
        std::fs::create_dir_all(&self.folder)
            .with_context(|| format!("cannot make {}", self.folder.display()))?;
        anyhow::ensure!(is_empty(&self.folder)?, "{} is not empty", self.folder.display());
        let setting = Setting::new(Scenario::read(&self.scenario)?, self.seed)?;
        super::ensure_possible(&setting, RouterKind::Ours)?;
        let setting = setting.with_store(StoreKind::Files(self.folder.clone()));
        let figures = setting.run(RouterKind::Ours, Buffers::Scenario);
        let mut object = serde_json::to_value(&figures)?;
        object["peak_resident_bytes"] = peak_resident_bytes().into();
        writeln!(out, "{object}")?;
        Ok(super::verdict(std::slice::from_ref(&figures)))
    }
}

/// The greatest resident size so far, where the system tells it.
fn peak_resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
