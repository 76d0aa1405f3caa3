//! The writer: one thread that owns storage, engine, relay and randomness.
//!
//! ```text
//!  calls, peers, answers ──► queue ──► engine or relay, one transaction each ──► one commit ──► answers
//!                                                                                           └─► effects
//! ```
//!
//! Inputs that have queued up while the last batch was written are handled together, so that one sync serves
//! them all. Nobody is answered, and no effect goes out, before what led to it is on disk. An input that fails
//! takes only its own writes with it.
//!
//! The thread ends the node rather than go on half alive: on a failed commit, because nobody knows what is on
//! disk, and on a panic, because nobody knows what is in memory.

mod company;
mod handle;
mod relayed;
mod results;
mod run;
mod step;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

use bytes::Bytes;
use chacha20::ChaCha20Rng;
use qpq_engine::storage::Transaction;
use qpq_engine::{Effect, EngineError, Input, Now, Outcome};
use qpq_proto::limits::Limits;
use qpq_proto::{Failure, Method};
use qpq_store::{CommitError, CommitInfo, Storage, Store};
use rand_core::CryptoRng;
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::relay::Relay;
pub(crate) use handle::ActorHandle;
use run::Actor;

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

    /// What the node does for others, while it does.
    fn relay(&mut self) -> Option<&mut Relay> {
        None
    }

    /// When the relay wants a tick, in ms of the monotonic clock.
    fn relay_wake_at(&self) -> Option<u64> {
        None
    }

    /// Makes durable, outside of the storage, what must be there before anybody learns what the last commit wrote.
    /// If it cannot be, nobody who asked the relay for something may learn it.
    fn keep_outside(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// Sees whether there is room for what the relay is asked to keep, after so many bytes were written in all.
    fn look_for_room(&mut self, _written_bytes: u64, _uptime_ms: u64) {}

    /// Whether a call that a relay may answer is for this node's own person.
    fn is_own(&self, _caller: &qpq_relay::Caller, _method: Method, _payload: &Bytes) -> bool {
        false
    }
}

/// Storage as the actor needs it.
pub(crate) trait NodeStorage: Storage + 'static {
    /// Replaces the key under which MLS state lies, so that what was deleted cannot be read any more.
    fn rotate_secrets(&mut self) -> Result<(), CommitError>;
    /// Bytes handed to files, and times one was forced to disk, since it was opened.
    fn written(&self) -> CommitInfo;
    /// Leaves it so that an older copy of it will be told apart.
    fn close(self) -> Result<(), CommitError>;
}

impl NodeStorage for Store {
    fn rotate_secrets(&mut self) -> Result<(), CommitError> {
        Self::rotate_secrets(self).map(|_| ())
    }

    fn written(&self) -> CommitInfo {
        Self::written(self)
    }

    fn close(self) -> Result<(), CommitError> {
        Self::close(self)
    }
}

/// Where effects go.
pub(crate) struct Outlets {
    /// Those of the engine.
    pub(crate) engine: mpsc::UnboundedSender<Effect>,
    /// Those of the relay, but for answers.
    pub(crate) relay: mpsc::UnboundedSender<qpq_relay::Effect>,
    /// Where batches are counted.
    pub(crate) metrics: Arc<Metrics>,
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
    effects: Outlets,
    open: impl FnOnce() -> Result<(Core<S, M>, O), E> + Send + 'static,
) -> std::io::Result<Started<S, M, O, E>>
where
    S: NodeStorage,
    M: Machine + 'static,
    O: Send + 'static,
    E: Send + 'static,
{
    let (queue, commands) = channel();
    let handle = ActorHandle::new(queue, limits.write_queue_max);
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
            Actor::new(core, limits, commands, effects).run()
        }));
        let _ = ended.send(end.unwrap_or(ActorEnd::Panicked));
    };
    thread::Builder::new().name("writer".to_owned()).stack_size(THREAD_STACK_BYTES).spawn(body)?;
    Ok(Started { handle, opened: is_open, end })
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

/// How long a caller should wait until it tries again, when the node has stopped.
const RETRY_AFTER_STOP_MS: u64 = 1_000;
/// Post-quantum keys and MLS trees are passed on the stack.
const THREAD_STACK_BYTES: usize = 4 * 1024 * 1024;

#[cfg(test)]
mod tests;
