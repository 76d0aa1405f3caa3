//! What a disk in memory holds, and what of it survives.

use std::collections::BTreeMap;
use std::io;

use rand_core::CryptoRng;

use super::hold::Hold;
use super::{Fault, Survivors};

/// The state of a [`Disk`](super::Disk).
#[derive(Default)]
pub(super) struct State {
    pub(super) files: BTreeMap<&'static str, FileState>,
    /// What is in `live` and not in `durable`, oldest first.
    pub(super) pending: Vec<(&'static str, Change)>,
    pub(super) operations: u64,
    pub(super) fault: Option<Fault>,
    pub(super) is_off: bool,
    pub(super) hold: Hold,
    /// Counts how often files that were open have died with the power or their process.
    pub(super) cycle: u64,
}

/// A file as it is read, and as it lies on the disk.
#[derive(Default)]
pub(super) struct FileState {
    pub(super) live: Vec<u8>,
    pub(super) durable: Vec<u8>,
    pub(super) is_locked: bool,
}

/// A write or a change of length.
#[derive(Clone)]
pub(super) enum Change {
    Write { offset: usize, data: Vec<u8> },
    Length(usize),
}

impl Change {
    pub(super) fn apply(&self, contents: &mut Vec<u8>) {
        match self {
            Self::Length(length) => contents.resize(*length, 0),
            Self::Write { offset, data } => {
                let end = offset + data.len();
                if contents.len() < end {
                    contents.resize(end, 0);
                }
                contents[*offset..end].copy_from_slice(data);
            }
        }
    }

    pub(super) fn sectors(self) -> Vec<Self> {
        let Self::Write { mut offset, data } = self else {
            return vec![self];
        };
        let mut rest = data.as_slice();
        let mut sectors = Vec::new();
        while !rest.is_empty() {
            let (sector, after) = rest.split_at(rest.len().min(SECTOR_BYTES - offset % SECTOR_BYTES));
            sectors.push(Self::Write { offset, data: sector.to_vec() });
            offset += sector.len();
            rest = after;
        }
        sectors
    }
}

/// What reaches the disk of writes that were not synced.
pub(super) fn surviving(
    mut pending: Vec<(&'static str, Change)>,
    survivors: Survivors,
    rng: &mut dyn CryptoRng,
) -> Vec<(&'static str, Change)> {
    match survivors {
        Survivors::Nothing => Vec::new(),
        Survivors::Everything => pending,
        Survivors::Earliest => {
            pending.truncate(below(rng, pending.len() + 1));
            pending
        }
        Survivors::AnySectors => {
            let torn =
                |(name, change): (_, Change)| change.sectors().into_iter().map(move |part| (name, part));
            let mut parts: Vec<_> = pending.into_iter().flat_map(torn).collect();
            for last in (1..parts.len()).rev() {
                parts.swap(last, below(rng, last + 1));
            }
            parts.retain(|_| rng.next_u32().is_multiple_of(2));
            parts
        }
    }
}

/// A number below a bound; the bias does not matter here.
fn below(rng: &mut dyn CryptoRng, bound: usize) -> usize {
    usize::try_from(rng.next_u64() % bound as u64).expect("below a usize")
}

impl State {
    /// Counts an operation; an error if the power goes or is gone.
    fn count(&mut self) -> io::Result<()> {
        let operation = self.operations;
        self.operations += 1;
        if let Some(Fault::PowerAt(at)) = self.fault {
            self.is_off |= operation >= at;
        }
        self.check_power()
    }

    pub(super) fn check_power(&self) -> io::Result<()> {
        if self.is_off { Err(io::Error::other("the power is gone")) } else { Ok(()) }
    }

    pub(super) fn change(&mut self, name: &'static str, change: Change) -> io::Result<()> {
        self.check_power()?;
        let operation = self.operations;
        let counted = self.count();
        if matches!(self.fault, Some(Fault::FullAt(at)) if operation >= at) && self.needs_space(name, &change)
        {
            return Err(io::ErrorKind::StorageFull.into());
        }
        // Part of an operation that the power cut short may be on the disk.
        change.apply(&mut self.files.entry(name).or_default().live);
        self.pending.push((name, change));
        counted
    }

    /// As on a file system that writes nothing in place.
    fn needs_space(&self, name: &str, change: &Change) -> bool {
        match change {
            Change::Write { .. } => true,
            Change::Length(length) => self.files.get(name).is_none_or(|file| file.live.len() < *length),
        }
    }

    pub(super) fn sync(&mut self, name: &'static str) -> io::Result<()> {
        self.count()?;
        let pending = std::mem::take(&mut self.pending);
        let (synced, pending): (Vec<_>, _) = pending.into_iter().partition(|(of, _)| *of == name);
        self.pending = pending;
        if matches!(self.fault, Some(Fault::SyncAt(at)) if self.operations > at) {
            self.fault = None;
            return Err(io::Error::other("sync failed"));
        }
        let file = self.files.entry(name).or_default();
        synced.iter().for_each(|(_, change)| change.apply(&mut file.durable));
        Ok(())
    }
}

const SECTOR_BYTES: usize = 512;
