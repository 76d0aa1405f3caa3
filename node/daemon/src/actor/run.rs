//! The loop of the writer's thread.

use std::sync::mpsc::{Receiver, RecvTimeoutError};

use qpq_engine::Effect;
use qpq_proto::Failure;
use qpq_proto::limits::Limits;

use super::company::Company;
use super::handle::{Command, Work};
use super::relayed::Relayed;
use super::results::Results;
use super::step::{Entry, Step};
use super::{ActorEnd, Core, Machine, NodeStorage, Outlets};

/// The thread's state.
pub(super) struct Actor<S, M> {
    core: Core<S, M>,
    limits: Limits,
    commands: Receiver<Command<S, M>>,
    effects: Outlets,
    relayed: Relayed,
    rotation: Rotation,
    /// When what was committed without a sync is to be synced, ms of uptime.
    sync_at: Option<u64>,
    company: Company,
}

/// What comes next.
enum Next<S, M> {
    Batch(Entry),
    Work(Work<S, M>),
    Rotate,
    Sync,
    Stop,
}

impl<S: NodeStorage, M: Machine> Actor<S, M> {
    pub(super) fn new(
        core: Core<S, M>,
        limits: Limits,
        commands: Receiver<Command<S, M>>,
        effects: Outlets,
    ) -> Self {
        let (relayed, rotation) = (Relayed::default(), Rotation::default());
        let company = Company::default();
        Self { core, limits, commands, effects, relayed, rotation, sync_at: None, company }
    }

    /// Serves the queue until it is told to stop, or cannot go on.
    pub(super) fn run(mut self) -> ActorEnd {
        loop {
            let result = match self.next() {
                Next::Batch(first) => self.batch(first),
                Next::Work(work) => {
                    self.work(work);
                    Ok(false)
                }
                Next::Rotate => self.rotate().map(|()| false),
                Next::Sync => self.sync().map(|()| false),
                Next::Stop => Ok(true),
            };
            match result {
                Ok(false) => {}
                Ok(true) => return self.finish(),
                Err(end) => {
                    tracing::error!("{end}");
                    return end;
                }
            }
        }
    }

    /// Waits for a command, the engine's next tick, or a sync or rotation that is due.
    fn next(&self) -> Next<S, M> {
        let ticks = self.core.machine.wake_at().into_iter().chain(self.core.machine.relay_wake_at());
        let tick = ticks.min();
        let wake_at = [tick, self.rotation.due_at, self.sync_at].into_iter().flatten().min();
        let command = match wake_at {
            None => self.commands.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(at) => match self.core.clock.until(at) {
                wait if wait.is_zero() => Err(RecvTimeoutError::Timeout),
                wait => self.commands.recv_timeout(wait),
            },
        };
        match command {
            Ok(Command::Input(queued)) => Next::Batch(Entry::Engine(queued)),
            Ok(Command::Relay(queued)) => Next::Batch(Entry::Relay(queued)),
            Ok(Command::Work(work, _room)) => Next::Work(work),
            Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => Next::Stop,
            Err(RecvTimeoutError::Timeout) if self.sync_at == wake_at => Next::Sync,
            Err(RecvTimeoutError::Timeout) if tick.is_none_or(|tick| Some(tick) > wake_at) => Next::Rotate,
            Err(RecvTimeoutError::Timeout) => Next::Batch(Entry::Tick),
        }
    }

    /// Handles an input and those that wait behind it, commits once, and only then lets anything out.
    ///
    /// A batch that answers nobody and moves no ratchet promises nothing: that a delivery was acknowledged, say,
    /// is learned again by delivering it again. It is synced with the next batch, or a little later.
    /// Returns whether the actor was told to stop meanwhile.
    fn batch(&mut self, first: Entry) -> Result<bool, ActorEnd> {
        let Self { core: Core { storage, machine, rng, clock }, relayed, company, .. } = self;
        let mut batch = storage.begin();
        let mut results = Results::default();
        let mut interruption = None;
        let mut next = Some(first);
        let mut inputs = 0;
        while let Some(entry) = next.take() {
            let mut step = Step { machine, rng, now: clock.now(), results: &mut results, relayed };
            step.take(entry, &mut batch);
            inputs += 1;
            if inputs >= self.limits.batch_inputs_max || batch.bytes() >= self.limits.batch_bytes_max {
                break;
            }
            match company.next(&self.commands, inputs) {
                Some(Command::Input(queued)) => next = Some(Entry::Engine(queued)),
                Some(Command::Relay(queued)) => next = Some(Entry::Relay(queued)),
                other => interruption = other,
            }
        }
        company.note(inputs);
        if let Some(relay) = machine.relay() {
            relayed.end(relay, &mut batch);
        }
        let is_promise = results.has_answers() || relayed.has_answers() || batch.has_secrets();
        let committed = if is_promise { batch.commit() } else { batch.commit_deferred() };
        match committed {
            Ok(info) if !is_promise && info.changes > 0 => {
                let latest = self.core.clock.uptime_ms() + SYNC_DELAY_MS;
                self.sync_at.get_or_insert(latest);
            }
            Ok(info) if info.changes > 0 => self.sync_at = None,
            Ok(_) => {}
            Err(error) => {
                relayed.answer_unavailable(&results.answer_unavailable());
                return Err(error.into());
            }
        }
        self.effects.metrics.committed(inputs);
        self.note_totals();
        if let Err(failure) = self.core.machine.keep_outside() {
            self.relayed.refuse(&failure);
        }
        let effects = results.answer();
        self.send_effects(effects);
        match interruption {
            Some(Command::Work(work, _room)) => self.work(work),
            Some(Command::Stop) => return Ok(true),
            Some(Command::Input(_) | Command::Relay(_)) | None => {}
        }
        Ok(false)
    }

    /// Does something between two batches. Whoever waits for a relay that was let go is told so at once.
    fn work(&mut self, work: Work<S, M>) {
        work(&mut self.core);
        if self.core.machine.relay().is_none() {
            self.relayed.answer_unavailable(&Failure::unavailable("this node is no relay any more", 0));
        }
    }

    fn note_totals(&mut self) {
        let Core { storage, machine, clock, .. } = &mut self.core;
        machine.look_for_room(storage.written().bytes, clock.uptime_ms());
        self.effects
            .metrics
            .note(storage.written(), machine.relay().map(|relay| (relay.figures(), relay.totals())));
    }

    fn send_effects(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            if effect == Effect::RotateSecrets {
                self.rotation.want(self.core.clock.uptime_ms());
            } else {
                // Without an interpreter the node is stopping: effects are derived again at the next start.
                let _ = self.effects.engine.send(effect);
            }
        }
        for effect in self.relayed.answer() {
            // Likewise: what a relay pushes only announces what is stored.
            let _ = self.effects.relay.send(effect);
        }
    }

    fn sync(&mut self) -> Result<(), ActorEnd> {
        self.sync_at = None;
        self.core.storage.sync()?;
        self.note_totals();
        Ok(())
    }

    fn rotate(&mut self) -> Result<(), ActorEnd> {
        self.core.storage.rotate_secrets().map_err(ActorEnd::RotationFailed)?;
        self.rotation = Rotation { due_at: None, last: Some(self.core.clock.uptime_ms()) };
        Ok(())
    }

    /// Leaves no secret behind that was to be erased.
    fn finish(mut self) -> ActorEnd {
        if self.rotation.due_at.is_some()
            && let Err(end) = self.rotate()
        {
            return end;
        }
        self.core.storage.close().map_or_else(ActorEnd::CommitFailed, |()| ActorEnd::Stopped)
    }
}

/// When the key of the MLS state is replaced: soon after it is wanted, but not so often that a busy group wears
/// out a router's flash.
#[derive(Debug, Default)]
struct Rotation {
    due_at: Option<u64>,
    last: Option<u64>,
}

impl Rotation {
    fn want(&mut self, now_ms: u64) {
        let earliest = self.last.map_or(now_ms, |last| last + ROTATION_INTERVAL_MS);
        self.due_at.get_or_insert(earliest.max(now_ms));
    }
}

const ROTATION_INTERVAL_MS: u64 = 30_000;
/// How long something may be committed without being synced.
const SYNC_DELAY_MS: u64 = 1_000;
