//! One node: its mesh while it is up, and what outlives a crash.

use std::collections::BTreeSet;
use std::sync::Arc;

use qpq_mesh::{Config, Context, Effect, Mesh, Store};

use super::bundles::{Bundles, Recipient};
use super::clock::Clock;
use super::disk::{Beside, Change, Database, Disk, DiskKind, Ended, Fate, Memory};
use super::settings;
use crate::random::Random;
use crate::scenario::{Node, Role};
use crate::time::Time;

/// A node.
#[derive(Debug)]
pub(super) struct Station {
    /// None while it is down.
    pub(super) mesh: Option<Mesh>,
    pub(super) is_down: bool,
    pub(super) disk: Disk,
    pub(super) clock: Clock,
    pub(super) role: Role,
    /// The messages that its application has; on disk.
    pub(super) opened: BTreeSet<u32>,
    /// The messages that its application has written and the mesh has not taken yet; on disk.
    pub(super) outbox: Vec<u32>,
    /// The messages that its application has written, with those that the mesh has taken.
    pub(super) written: BTreeSet<u32>,
    /// How often it has started again.
    pub(super) starts: u32,
    /// The call that the network was asked for, node time in ms.
    pub(super) wakes_ms: Option<u64>,
    config: Arc<Config>,
}

impl Station {
    /// A node that was never up.
    pub(super) fn new(
        (number, node): (u32, Node),
        kind: &DiskKind,
        random: &mut Random,
    ) -> anyhow::Result<Self> {
        let disk = match kind {
            DiskKind::Memory => Disk::Memory(Memory::default()),
            DiskKind::Faulty => Disk::Database(Box::new(Database::faulty(random)?)),
            DiskKind::Files(folder) if node.role == Role::Carrier => {
                let folder = folder.join(number.to_string());
                std::fs::create_dir_all(&folder)?;
                Disk::Database(Box::new(Database::in_folder(&folder)?))
            }
            DiskKind::Lean | DiskKind::Files(_) => Disk::Lean,
        };
        Ok(Self {
            mesh: None,
            is_down: true,
            disk,
            clock: Clock::new(),
            role: node.role,
            opened: BTreeSet::new(),
            outbox: Vec::new(),
            written: BTreeSet::new(),
            starts: 0,
            wakes_ms: None,
            config: Arc::new(settings::config(node)),
        })
    }

    /// Comes up with what is on its disk, at the node time that its clock says it starts with. Nothing goes wrong
    /// meanwhile.
    pub(super) fn open(
        &mut self,
        node: u32,
        bundles: &Bundles,
        random: &mut Random,
        effects: &mut Vec<Effect>,
    ) -> anyhow::Result<Vec<Change>> {
        let now_ms = self.clock.started_ms();
        let config = Arc::clone(&self.config);
        let beside = Beside { clock: self.clock.readings_at_start(), is_promise: true, ..Beside::default() };
        let open = |store: &mut dyn Store| {
            let (rng, interest) = (random.generator(), &mut Recipient { bundles, node });
            let mut cx = Context { now_ms, rng, store, interest, effects };
            Mesh::open(settings::key(node).into(), config, &mut cx)
        };
        let ended = self.disk.transact(bundles, beside, open, |_| Fate::Lives);
        let Ended::Committed { result, changes, .. } = ended else {
            anyhow::bail!("its store cannot be written")
        };
        self.mesh = Some(result);
        self.is_down = false;
        Ok(changes)
    }

    /// Crashes.
    pub(super) fn fall(&mut self, random: &mut Random) {
        self.disk.fall(random);
        (self.mesh, self.is_down, self.wakes_ms) = (None, true, None);
        self.starts += 1;
    }

    /// When to be woken, and by which token, if that is sooner than was asked for before.
    pub(super) fn next_wake(&mut self, now: Time) -> Option<(Time, u64)> {
        let earliest_ms = self.clock.node_ms(now) + 1;
        let at_ms = self.mesh.as_ref()?.wake_at()?.max(earliest_ms);
        if self.wakes_ms.is_some_and(|wakes_ms| wakes_ms <= at_ms) {
            return None;
        }
        self.wakes_ms = Some(at_ms);
        Some((self.clock.when(at_ms), at_ms))
    }
}
