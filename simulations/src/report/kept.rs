//! Runs kept in a file, so that a comparison of many goes on where it was interrupted.
//!
//! A run is found again by its scenario, seed, router and buffers. That the simulator was changed since is not noticed:
//! the folder is to be emptied then.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::Figures;
use super::bound::Bound;
use crate::book::Sample;
use crate::scenario::Scenario;

/// One run, with what its curves are drawn from.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    /// The run.
    key: String,
    figures: Option<Figures>,
    bound: Option<Bound>,
    delay_percentiles_s: Vec<f64>,
    #[serde(default)]
    samples: Vec<Sample>,
}

/// The runs of one scenario.
#[derive(Debug)]
pub struct Kept {
    hash: String,
    lines: BTreeMap<String, Line>,
    file: Option<(PathBuf, Mutex<File>)>,
}

impl Kept {
    /// Reads what a folder keeps of a scenario; keeps nothing if no folder is given.
    pub fn open(folder: Option<&Path>, scenario: &Scenario) -> anyhow::Result<Self> {
        let hash = blake3::hash(&serde_json::to_vec(scenario)?).to_hex()[..16].to_owned();
        let Some(folder) = folder else { return Ok(Self { hash, lines: BTreeMap::new(), file: None }) };
        let path = folder.join(format!("{}.jsonl", scenario.name));
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            read => read.with_context(|| format!("cannot read {}", path.display()))?,
        };
        let parse = |line: &str| serde_json::from_str(line).map(|line: Line| (line.key.clone(), line));
        let lines = text.lines().map(parse).collect::<Result<_, _>>();
        let lines = lines.with_context(|| format!("{} holds something else than runs", path.display()))?;
        let file = File::options().append(true).create(true).open(&path);
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { hash, lines, file: Some((path, Mutex::new(file))) })
    }

    /// The run of a contender, which is done if it is not there.
    pub fn figures(&self, seed: u64, name: &str, run: impl FnOnce() -> Figures) -> anyhow::Result<Figures> {
        let key = self.key(seed, name);
        if let Some(Line { figures: Some(figures), delay_percentiles_s, samples, .. }) = self.lines.get(&key)
        {
            let (delay_percentiles_s, samples) = (delay_percentiles_s.clone(), samples.clone());
            return Ok(Figures { delay_percentiles_s, samples, ..figures.clone() });
        }
        let figures = run();
        let (delay_percentiles_s, samples) = (figures.delay_percentiles_s.clone(), figures.samples.clone());
        self.keep(&Line { key, figures: Some(figures.clone()), bound: None, delay_percentiles_s, samples })?;
        Ok(figures)
    }

    /// The bound of a seed, which is computed if it is not there.
    pub fn bound(&self, seed: u64, compute: impl FnOnce() -> Bound) -> anyhow::Result<Bound> {
        let key = self.key(seed, "bound");
        if let Some(Line { bound: Some(bound), delay_percentiles_s, .. }) = self.lines.get(&key) {
            return Ok(Bound { delay_percentiles_s: delay_percentiles_s.clone(), ..bound.clone() });
        }
        let bound = compute();
        let delay_percentiles_s = bound.delay_percentiles_s.clone();
        let samples = Vec::new();
        self.keep(&Line { key, figures: None, bound: Some(bound.clone()), delay_percentiles_s, samples })?;
        Ok(bound)
    }

    fn key(&self, seed: u64, name: &str) -> String {
        format!("{} {seed} {name}", self.hash)
    }

    fn keep(&self, line: &Line) -> anyhow::Result<()> {
        let Some((path, file)) = &self.file else { return Ok(()) };
        let text = serde_json::to_string(line)? + "\n";
        let mut file = file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
    }
}
