//! What others hold of the actor: a bounded queue into it.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use bytes::Bytes;
use qpq_engine::storage::Transaction;
use qpq_engine::{Caller, Input};
use qpq_proto::{Failure, Method};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::{Core, Machine, NodeStorage, RETRY_AFTER_STOP_MS};

/// Work with the storage and the machine between two batches.
pub(super) type Work<S, M> = Box<dyn FnOnce(&mut Core<S, M>) + Send>;

/// What is written in an input's own transaction before the engine sees the input.
pub(super) type Prepare = Box<dyn FnOnce(&mut dyn Transaction) -> Result<(), Failure> + Send>;

/// One entry of the queue.
pub(super) enum Command<S, M> {
    /// An input for the machine.
    Input(Queued),
    /// Something else, and its place in the queue.
    Work(Work<S, M>, OwnedSemaphorePermit),
    /// The end.
    Stop,
}

/// An input that waits.
pub(super) struct Queued {
    pub(super) input: Input,
    pub(super) prepare: Option<Prepare>,
    pub(super) answer: Option<Answer>,
    /// Its place in the queue, given back when it is dropped.
    pub(super) room: Option<OwnedSemaphorePermit>,
}

impl Queued {
    /// A tick, for which nobody waits.
    pub(super) fn tick() -> Self {
        Self { input: Input::Tick, prepare: None, answer: None, room: None }
    }
}

/// Where the answer to a call goes.
pub(super) type Answer = oneshot::Sender<Result<Bytes, Failure>>;

/// Gives inputs to the actor.
pub(crate) struct ActorHandle<S, M> {
    queue: Sender<Command<S, M>>,
    room: Arc<Semaphore>,
}

impl<S, M> fmt::Debug for ActorHandle<S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActorHandle").field("room", &self.room.available_permits()).finish_non_exhaustive()
    }
}

impl<S, M> Clone for ActorHandle<S, M> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), room: Arc::clone(&self.room) }
    }
}

impl<S, M> ActorHandle<S, M> {
    pub(super) fn new(queue: Sender<Command<S, M>>, entries_max: usize) -> Self {
        Self { queue, room: Arc::new(Semaphore::new(entries_max)) }
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

    /// Puts an input into the queue, waiting for a place.
    pub(super) async fn enqueue(&self, input: Input, prepare: Option<Prepare>, answer: Option<Answer>) {
        let Ok(room) = Arc::clone(&self.room).acquire_owned().await else { return };
        // Whoever waits for an answer learns from its dropped sender that the actor has ended.
        let _ = self.queue.send(Command::Input(Queued { input, prepare, answer, room: Some(room) }));
    }
}

fn stopping() -> Failure {
    Failure::unavailable("the node is stopping", RETRY_AFTER_STOP_MS)
}
