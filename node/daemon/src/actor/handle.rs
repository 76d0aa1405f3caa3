//! What others hold of the actor: a bounded queue into it.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use bytes::Bytes;
use portable_atomic::{AtomicU64, Ordering};
use qpq_engine::storage::Transaction;
use qpq_engine::{Caller, Input};
use qpq_proto::{Failure, Method};
use qpq_relay::CallId;
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
    /// An input for the relay.
    Relay(QueuedRelay),
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

/// An input for the relay that waits.
pub(super) struct QueuedRelay {
    pub(super) input: qpq_relay::Input,
    pub(super) answer: Option<Answer>,
    /// Its place in the queue, given back when it is dropped; none for what must not wait for one.
    pub(super) room: Option<OwnedSemaphorePermit>,
}

/// Where the answer to a call goes.
pub(super) type Answer = oneshot::Sender<Result<Bytes, Failure>>;

/// Gives inputs to the actor.
pub(crate) struct ActorHandle<S, M> {
    queue: Sender<Command<S, M>>,
    room: Arc<Semaphore>,
    /// The number of the relay's next call.
    next_call: Arc<AtomicU64>,
}

impl<S, M> fmt::Debug for ActorHandle<S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActorHandle").field("room", &self.room.available_permits()).finish_non_exhaustive()
    }
}

impl<S, M> Clone for ActorHandle<S, M> {
    fn clone(&self) -> Self {
        Self {
            queue: self.queue.clone(),
            room: Arc::clone(&self.room),
            next_call: Arc::clone(&self.next_call),
        }
    }
}

impl<S, M> ActorHandle<S, M> {
    pub(super) fn new(queue: Sender<Command<S, M>>, entries_max: usize) -> Self {
        let (room, next_call) = (Arc::new(Semaphore::new(entries_max)), Arc::default());
        Self { queue, room, next_call }
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

    /// Calls a method that a relay offers, and waits until the answer may be given, as long as that takes. Whoever stops
    /// waiting takes the call back.
    pub(crate) async fn call_relay(
        &self,
        caller: qpq_relay::Caller,
        method: Method,
        payload: Bytes,
    ) -> Result<Bytes, Failure> {
        let call = CallId(self.next_call.fetch_add(1, Ordering::Relaxed));
        let (answer, answered) = oneshot::channel();
        let room = Arc::clone(&self.room).acquire_owned().await.map_err(|_| stopping())?;
        let input = qpq_relay::Input::Call { call, caller, method, payload };
        let queued = QueuedRelay { input, answer: Some(answer), room: Some(room) };
        self.queue.send(Command::Relay(queued)).map_err(|_| stopping())?;
        let mut waiting = Waiting { handle: self, call: Some(call) };
        let result = answered.await.unwrap_or_else(|_| Err(stopping()));
        waiting.call = None;
        result
    }

    /// Tells the relay of something that nobody waits for. Forgotten if the actor has ended.
    pub(crate) fn tell_relay(&self, input: qpq_relay::Input) {
        let _ = self.queue.send(Command::Relay(QueuedRelay { input, answer: None, room: None }));
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

/// A call that is waited for.
struct Waiting<'h, S: NodeStorage, M: Machine + 'static> {
    handle: &'h ActorHandle<S, M>,
    call: Option<CallId>,
}

impl<S: NodeStorage, M: Machine + 'static> Drop for Waiting<'_, S, M> {
    fn drop(&mut self) {
        if let Some(call) = self.call {
            self.handle.tell_relay(qpq_relay::Input::Dropped(call));
        }
    }
}

fn stopping() -> Failure {
    Failure::unavailable("the node is stopping", RETRY_AFTER_STOP_MS)
}
