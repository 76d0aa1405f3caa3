//! The writer: one thread that owns storage, engine and randomness.
//!
//! ```text
//!  calls, peers, answers ──► queue ──► engine, one transaction each ──► one commit ──► answers
//!                                                                                  └─► effects
//! ```
//!
//! Inputs that have queued up while the last batch was written are handled together, so that one sync serves
//! them all. Nobody is answered, and no effect goes out, before what led to it is on disk. An input that fails
//! takes only its own writes with it.
//!
//! The thread ends the node rather than go on half alive: on a failed commit, because nobody knows what is on
//! disk, and on a panic, because nobody knows what is in memory.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;

use bytes::Bytes;
use chacha20::ChaCha20Rng;
use qpq_engine::storage::Transaction;
use qpq_engine::{Caller, Effect, Engine, EngineError, Input, Now, Outcome};
use qpq_proto::limits::Limits;
use qpq_proto::{Failure, Method};
use qpq_store::{CommitError, Storage, Store};
use rand_core::CryptoRng;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::clock::Clock;

/// What the actor drives: the engine, or a test's own state machine.
pub(crate) trait Machine {
    /// Handles one input inside a transaction.
    fn handle(
        &mut self,
        input: Input,
        now: Now,
        rng: &mut dyn CryptoRng,
        tx: &mut dyn Transaction,
    ) -> Result<Outcome, EngineError>;

    /// When a tick is wanted, in ms of the monotonic clock.
    fn wake_at(&self) -> Option<u64>;
}

impl Machine for Engine {
    fn handle(
        &mut self,
        input: Input,
        now: Now,
        rng: &mut dyn CryptoRng,
        tx: &mut dyn Transaction,
    ) -> Result<Outcome, EngineError> {
        Self::handle(self, input, now, rng, tx)
    }

    fn wake_at(&self) -> Option<u64> {
        Self::wake_at(self)
    }
}

/// Storage as the actor needs it.
pub(crate) trait NodeStorage: Storage + 'static {
    /// Replaces the key under which MLS state lies, so that what was deleted cannot be read any more.
    fn rotate_secrets(&mut self) -> Result<(), CommitError>;
    /// Leaves it so that an older copy of it will be told apart.
    fn close(self) -> Result<(), CommitError>;
}

impl NodeStorage for Store {
    fn rotate_secrets(&mut self) -> Result<(), CommitError> {
        Self::rotate_secrets(self).map(|_| ())
    }

    fn close(self) -> Result<(), CommitError> {
        Self::close(self)
    }
}

/// How the actor's thread ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ActorEnd {
    /// As asked.
    #[error("stopped")]
    Stopped,
    /// A batch is not known to be on disk.
    #[error(transparent)]
    CommitFailed(#[from] CommitError),
    /// The key of the MLS state could not be replaced.
    #[error("replacing the key of MLS state failed: {0}")]
    RotationFailed(CommitError),
    /// A bug.
    #[error("the engine panicked")]
    Panicked,
}

/// Work with the storage and the machine between two batches.
type Work<S, M> = Box<dyn FnOnce(&mut Core<S, M>) + Send>;

/// What is written in an input's own transaction before the engine sees the input.
type Prepare = Box<dyn FnOnce(&mut dyn Transaction) -> Result<(), Failure> + Send>;

enum Command<S, M> {
    Input(Queued),
    Work(Work<S, M>, OwnedSemaphorePermit),
    Stop,
}

struct Queued {
    input: Input,
    prepare: Option<Prepare>,
    answer: Option<Answer>,
    /// Its place in the queue, given back when it is dropped.
    _room: Option<OwnedSemaphorePermit>,
}

impl Queued {
    fn tick() -> Self {
        Self { input: Input::Tick, prepare: None, answer: None, _room: None }
    }
}

type Answer = oneshot::Sender<Result<Bytes, Failure>>;

/// Gives inputs to the actor.
#[derive(Debug)]
pub(crate) struct ActorHandle<S, M> {
    queue: Sender<Command<S, M>>,
    room: Arc<Semaphore>,
}

impl<S, M> Clone for ActorHandle<S, M> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), room: Arc::clone(&self.room) }
    }
}

impl<S: NodeStorage, M: Machine + 'static> ActorHandle<S, M> {
    /// Gives an input and waits only for a place in the queue. Forgotten if the actor has ended.
    pub(crate) async fn give(&self, input: Input) {
        self.enqueue(input, None, None).await;
    }

    /// Calls a method and waits until the answer may be given.
    pub(crate) async fn call(
        &self,
        caller: Caller,
        method: Method,
        payload: Bytes,
    ) -> Result<Bytes, Failure> {
        self.call_prepared(caller, method, payload, None).await
    }

    /// Calls a method of the owner's in a transaction in which something was written before; both or neither
    /// become durable.
    pub(crate) async fn call_after(
        &self,
        prepare: impl FnOnce(&mut dyn Transaction) -> Result<(), Failure> + Send + 'static,
        method: Method,
        payload: Bytes,
    ) -> Result<Bytes, Failure> {
        self.call_prepared(Caller::Owner, method, payload, Some(Box::new(prepare))).await
    }

    /// Does something with the storage and the machine between two batches.
    pub(crate) async fn work<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Core<S, M>) -> R + Send + 'static,
    ) -> Result<R, Failure> {
        let (done, result) = oneshot::channel();
        let work: Work<S, M> = Box::new(move |core| {
            // Whoever asked may have gone.
            let _ = done.send(work(core));
        });
        let room = Arc::clone(&self.room).acquire_owned().await.map_err(|_| stopping())?;
        self.queue.send(Command::Work(work, room)).map_err(|_| stopping())?;
        result.await.map_err(|_| stopping())
    }

    /// Ends the actor after what is queued before.
    pub(crate) fn stop(&self) {
        // An actor that has ended needs no stopping.
        let _ = self.queue.send(Command::Stop);
    }

    async fn call_prepared(
        &self,
        caller: Caller,
        method: Method,
        payload: Bytes,
        prepare: Option<Prepare>,
    ) -> Result<Bytes, Failure> {
        let (answer, answered) = oneshot::channel();
        self.enqueue(Input::Call { caller, method, payload }, prepare, Some(answer)).await;
        answered.await.unwrap_or_else(|_| Err(stopping()))
    }

    async fn enqueue(&self, input: Input, prepare: Option<Prepare>, answer: Option<Answer>) {
        let Ok(room) = Arc::clone(&self.room).acquire_owned().await else { return };
        // Whoever waits for an answer learns from its dropped sender that the actor has ended.
        let _ = self.queue.send(Command::Input(Queued { input, prepare, answer, _room: Some(room) }));
    }
}

fn stopping() -> Failure {
    Failure::unavailable("the node is stopping", RETRY_AFTER_STOP_MS)
}

/// What the actor's thread owns.
pub(crate) struct Core<S, M> {
    /// The storage.
    pub(crate) storage: S,
    /// The engine.
    pub(crate) machine: M,
    /// The one source of randomness of the engine.
    pub(crate) rng: ChaCha20Rng,
    /// The clocks.
    pub(crate) clock: Clock,
}

/// Starts the thread: it makes its core with the function given, tells how that went, and serves the queue.
///
/// Effects go into their channel in the order in which they were committed. The receiver of the end is told
/// once, whatever ends the thread.
pub(crate) fn spawn<S, M, O, E>(
    limits: Limits,
    effects: mpsc::UnboundedSender<Effect>,
    open: impl FnOnce() -> Result<(Core<S, M>, O), E> + Send + 'static,
) -> std::io::Result<Started<S, M, O, E>>
where
    S: NodeStorage,
    M: Machine + 'static,
    O: Send + 'static,
    E: Send + 'static,
{
    let (queue, commands) = channel();
    let room = Arc::new(Semaphore::new(limits.write_queue_max));
    let (opened, is_open) = oneshot::channel();
    let (ended, end) = oneshot::channel();
    let body = move || {
        let end = catch_unwind(AssertUnwindSafe(move || {
            let core = match open() {
                Ok((core, found)) => {
                    let _ = opened.send(Ok(found));
                    core
                }
                Err(error) => {
                    let _ = opened.send(Err(error));
                    return ActorEnd::Stopped;
                }
            };
            Actor { core, limits, commands, effects, rotation: Rotation::default() }.run()
        }));
        let _ = ended.send(end.unwrap_or(ActorEnd::Panicked));
    };
    thread::Builder::new().name("writer".to_owned()).stack_size(THREAD_STACK_BYTES).spawn(body)?;
    Ok(Started { handle: ActorHandle { queue, room }, opened: is_open, end })
}

/// An actor that was started.
#[derive(Debug)]
pub(crate) struct Started<S, M, O, E> {
    /// Gives it inputs.
    pub(crate) handle: ActorHandle<S, M>,
    /// Tells whether its core could be made, and what was found while it was made.
    pub(crate) opened: oneshot::Receiver<Result<O, E>>,
    /// Tells how it ended.
    pub(crate) end: oneshot::Receiver<ActorEnd>,
}

struct Actor<S, M> {
    core: Core<S, M>,
    limits: Limits,
    commands: Receiver<Command<S, M>>,
    effects: mpsc::UnboundedSender<Effect>,
    rotation: Rotation,
}

/// What comes next.
enum Next<S, M> {
    Batch(Queued),
    Work(Work<S, M>),
    Rotate,
    Stop,
}

impl<S: NodeStorage, M: Machine> Actor<S, M> {
    fn run(mut self) -> ActorEnd {
        loop {
            let result = match self.next() {
                Next::Batch(first) => self.batch(first),
                Next::Work(work) => {
                    work(&mut self.core);
                    Ok(false)
                }
                Next::Rotate => self.rotate().map(|()| false),
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

    /// Waits for a command, the engine's next tick or a rotation that is due.
    fn next(&self) -> Next<S, M> {
        let tick = self.core.machine.wake_at();
        let wake_at = [tick, self.rotation.due_at].into_iter().flatten().min();
        let command = match wake_at {
            None => self.commands.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(at) => match self.core.clock.until(at) {
                wait if wait.is_zero() => Err(RecvTimeoutError::Timeout),
                wait => self.commands.recv_timeout(wait),
            },
        };
        match command {
            Ok(Command::Input(queued)) => Next::Batch(queued),
            Ok(Command::Work(work, _room)) => Next::Work(work),
            Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => Next::Stop,
            Err(RecvTimeoutError::Timeout) if tick.is_none_or(|tick| Some(tick) > wake_at) => Next::Rotate,
            Err(RecvTimeoutError::Timeout) => Next::Batch(Queued::tick()),
        }
    }

    /// Handles an input and those that wait behind it, commits once, and only then lets anything out.
    /// Returns whether the actor was told to stop meanwhile.
    fn batch(&mut self, first: Queued) -> Result<bool, ActorEnd> {
        let Core { storage, machine, rng, clock } = &mut self.core;
        let mut batch = storage.begin();
        let mut results = Results::default();
        let mut interruption = None;
        let mut next = Some(first);
        let mut inputs = 0;
        while let Some(Queued { input, prepare, answer, _room }) = next.take() {
            let mut tx = batch.transaction();
            let outcome = match prepare.map_or(Ok(()), |prepare| prepare(&mut tx)) {
                Ok(()) => machine.handle(input, clock.now(), rng, &mut tx),
                Err(failure) => Ok(Outcome { answer: Some(Err(failure)), effects: Vec::new(), keep: false }),
            };
            match &outcome {
                Ok(outcome) if outcome.keep => tx.accept(),
                _ => drop(tx),
            }
            results.add(answer, outcome);
            inputs += 1;
            if inputs >= self.limits.batch_inputs_max || batch.bytes() >= self.limits.batch_bytes_max {
                break;
            }
            match self.commands.try_recv() {
                Ok(Command::Input(queued)) => next = Some(queued),
                Ok(other) => interruption = Some(other),
                Err(_) => {}
            }
        }
        if let Err(error) = batch.commit() {
            results.answer_unavailable();
            return Err(error.into());
        }
        let effects = results.answer();
        self.send_effects(effects);
        match interruption {
            Some(Command::Work(work, _room)) => work(&mut self.core),
            Some(Command::Stop) => return Ok(true),
            Some(Command::Input(_)) | None => {}
        }
        Ok(false)
    }

    fn send_effects(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            if effect == Effect::RotateSecrets {
                self.rotation.want(self.core.clock.uptime_ms());
            } else {
                // Without an interpreter the node is stopping: effects are derived again at the next start.
                let _ = self.effects.send(effect);
            }
        }
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

/// What came of the inputs of a batch, held back until it is committed.
#[derive(Default)]
struct Results {
    answers: Vec<(Answer, Result<Bytes, Failure>)>,
    effects: Vec<Effect>,
}

impl Results {
    fn add(&mut self, answer: Option<Answer>, outcome: Result<Outcome, EngineError>) {
        let response = match outcome {
            Ok(outcome) => {
                self.effects.extend(outcome.effects);
                outcome.answer.unwrap_or_else(|| Err(Failure::internal()))
            }
            Err(error) => {
                tracing::error!("an input failed inside: {error}");
                Err(Failure::internal())
            }
        };
        self.answers.extend(answer.map(|answer| (answer, response)));
    }

    /// Answers everyone, and gives the effects. Callers who have gone are not missed.
    fn answer(self) -> Vec<Effect> {
        for (answer, response) in self.answers {
            let _ = answer.send(response);
        }
        self.effects
    }

    fn answer_unavailable(self) {
        let failure =
            Failure::unavailable("the node cannot write to its disk and stops", RETRY_AFTER_STOP_MS);
        for (answer, _) in self.answers {
            let _ = answer.send(Err(failure.clone()));
        }
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

const RETRY_AFTER_STOP_MS: u64 = 1_000;
const ROTATION_INTERVAL_MS: u64 = 30_000;
/// Post-quantum keys and MLS trees are passed on the stack.
const THREAD_STACK_BYTES: usize = 4 * 1024 * 1024;

#[cfg(test)]
mod tests;
