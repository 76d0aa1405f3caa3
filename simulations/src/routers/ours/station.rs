//! One node: its mesh while it is up, and what outlives a crash.

use std::collections::BTreeSet;
use std::sync::Arc;

use qpq_mesh::{Config, Context, Effect, Mesh, StorageError};

use super::bundles::{Bundles, Recipient};
use super::clock::Clock;
use super::disk::Disk;
use super::settings;
use crate::random::Random;
use crate::scenario::{Node, Role};
use crate::time::Time;

/// What becomes of a node at a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Lives,
    FallsBeforeCommit,
    FallsAfterCommit,
    FallsAfterEffects,
}

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
    /// How often it has started again.
    pub(super) starts: u32,
    /// The call that the network was asked for, node time in ms.
    pub(super) wakes_ms: Option<u64>,
    config: Arc<Config>,
}

impl Station {
    /// A node that was never up.
    pub(super) fn new(node: Node) -> Self {
        Self {
            mesh: None,
            is_down: true,
            disk: Disk::default(),
            clock: Clock::new(),
            role: node.role,
            opened: BTreeSet::new(),
            outbox: Vec::new(),
            starts: 0,
            wakes_ms: None,
            config: Arc::new(settings::config(node)),
        }
    }

    /// Comes up with what is on its disk, at the node time that its clock says it starts with.
    pub(super) fn open(
        &mut self,
        node: u32,
        bundles: &Bundles,
        random: &mut Random,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StorageError> {
        let mut cx = Context {
            now_ms: self.clock.started_ms(),
            rng: random.generator(),
            store: &mut self.disk,
            interest: &mut Recipient { bundles, node },
            effects,
        };
        self.mesh = Some(Mesh::open(settings::key(node).into(), Arc::clone(&self.config), &mut cx)?);
        self.is_down = false;
        Ok(())
    }

    /// Crashes.
    pub(super) fn fall(&mut self) {
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
