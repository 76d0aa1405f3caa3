//! What is measured, from the command line.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};

const USAGE: &str = "\
usage: router [--program FILE] [--custody ram|disk] [--neighbours N] [--idle-s N] [--fill]
              [--per-hour N] [--bytes N] [--work-s N]";

/// The command line.
#[derive(Debug)]
pub(crate) struct Arguments {
    /// The daemon to be measured; none for the one under test.
    pub(crate) program: Option<PathBuf>,
    /// Where the carrier keeps what it carries.
    pub(crate) custody: String,
    pub(crate) neighbours: u64,
    /// How long it is watched while nothing is said.
    pub(crate) idle: Duration,
    /// Whether its store is filled before it works.
    pub(crate) fill: bool,
    /// Bundles an hour, and the length of the texts in them.
    pub(crate) per_hour: u64,
    pub(crate) bytes: usize,
    /// How long it is watched at work.
    pub(crate) work: Duration,
}

impl Arguments {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut parsed = Self {
            program: None,
            custody: "disk".to_owned(),
            neighbours: 20,
            idle: Duration::from_secs(60),
            fill: false,
            per_hour: 1_000,
            bytes: 200,
            work: Duration::from_secs(600),
        };
        while let Some(word) = words.next() {
            if word == "--fill" {
                parsed.fill = true;
                continue;
            }
            let value = words.next().with_context(|| format!("{word} needs a value\n{USAGE}"))?;
            let number = || value.parse::<u64>().with_context(|| format!("{word} is a number"));
            match word.as_str() {
                "--program" => parsed.program = Some(std::path::absolute(&value)?),
                "--custody" => parsed.custody = value,
                "--neighbours" => parsed.neighbours = number()?.max(1),
                "--idle-s" => parsed.idle = Duration::from_secs(number()?),
                "--per-hour" => parsed.per_hour = number()?,
                "--bytes" => parsed.bytes = usize::try_from(number()?)?,
                "--work-s" => parsed.work = Duration::from_secs(number()?),
                _ => bail!("unknown argument {word}\n{USAGE}"),
            }
        }
        Ok(parsed)
    }
}
