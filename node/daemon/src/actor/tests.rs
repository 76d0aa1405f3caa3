use std::ops::RangeInclusive;
use std::sync::Mutex;

use chacha20::rand_core::SeedableRng;
use qpq_engine::storage::{Direction, Key, StorageError, Table};
use qpq_store::{Blinded, Changes, CommitInfo, Failure as StoreFailure, MemoryStore};
use qpq_store::{Record, RecordKey, Records, Secret, SecretKey};

use super::*;
use crate::environment::Environment;

const TABLE: Table = Table("test");
const METHOD: Method = Method::NodeStatus;

/// Does what the payload of a call says, so that a test reads as a list of words.
#[derive(Default)]
struct Script {
    wake_at: Option<u64>,
    ticks: usize,
}

impl Machine for Script {
    fn handle(
        &mut self,
        input: Input,
        now: Now,
        _: &mut dyn CryptoRng,
        tx: &mut dyn Transaction,
    ) -> Result<Outcome, EngineError> {
        let payload = match input {
            Input::Call { payload, .. } => payload,
            Input::Tick => {
                self.ticks += 1;
                self.wake_at = None;
                return Ok(Outcome {
                    answer: None,
                    effects: vec![Effect::Events { newest: 99 }],
                    keep: true,
                });
            }
            other => panic!("not in a script: {other:?}"),
        };
        let key = Key { prefix: &payload, ordinal: 0 };
        tx.put(TABLE, key, payload.clone())?;
        let effects = vec![Effect::Events { newest: u64::from(payload[0]) }];
        match payload.as_ref() {
            b"refuse" => Ok(Outcome {
                answer: Some(Err(Failure::conflict("refused"))),
                effects: Vec::new(),
                keep: false,
            }),
            b"fail" => Err(EngineError::Storage(StorageError("out of luck".into()))),
            b"panic" => panic!("as the script says"),
            b"rotate" => {
                Ok(Outcome { answer: Some(Ok(payload)), effects: vec![Effect::RotateSecrets], keep: true })
            }
            b"wake" => {
                self.wake_at = Some(now.monotonic_ms);
                Ok(Outcome { answer: Some(Ok(payload)), effects: Vec::new(), keep: true })
            }
            _ => Ok(Outcome { answer: Some(Ok(payload)), effects, keep: true }),
        }
    }

    fn wake_at(&self) -> Option<u64> {
        self.wake_at
    }
}

/// Storage in memory that counts commits, can refuse them, and looks whether effects came out too early.
struct Watched {
    memory: MemoryStore,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    commits: usize,
    rotations: usize,
    refuse: bool,
    is_closed: bool,
    effects: Option<mpsc::UnboundedReceiver<Effect>>,
}

impl Storage for Watched {
    fn blind_prefix(&self, table: Table, prefix: &[u8]) -> Blinded {
        self.memory.blind_prefix(table, prefix)
    }
    fn blind_namespace(&self, namespace: &[u8]) -> Blinded {
        self.memory.blind_namespace(namespace)
    }
    fn blind_name(&self, name: &[u8]) -> Blinded {
        self.memory.blind_name(name)
    }
    fn record(&self, table: Table, key: &RecordKey) -> Result<Option<Record>, StoreFailure> {
        self.memory.record(table, key)
    }
    fn records(
        &self,
        table: Table,
        keys: RangeInclusive<RecordKey>,
        direction: Direction,
    ) -> Result<Records<'_>, StoreFailure> {
        self.memory.records(table, keys, direction)
    }
    fn secret(&self, key: &SecretKey) -> Result<Option<Secret>, StoreFailure> {
        self.memory.secret(key)
    }
    fn secret_keys(&self, namespace: Blinded) -> Result<Vec<SecretKey>, StoreFailure> {
        self.memory.secret_keys(namespace)
    }
    fn write(&mut self, changes: &Changes) -> Result<CommitInfo, CommitError> {
        let mut seen = self.seen.lock().unwrap();
        if seen.refuse {
            return Err(CommitError(StoreFailure::Latched));
        }
        let early = seen.effects.as_mut().and_then(|effects| effects.try_recv().ok());
        assert_eq!(early, None, "an effect before its commit");
        seen.commits += 1;
        self.memory.write(changes)
    }
}

impl NodeStorage for Watched {
    fn rotate_secrets(&mut self) -> Result<(), CommitError> {
        self.seen.lock().unwrap().rotations += 1;
        Ok(())
    }

    fn close(self) -> Result<(), CommitError> {
        self.seen.lock().unwrap().is_closed = true;
        Ok(())
    }
}

/// An actor that runs a script over watched storage.
struct Stage {
    handle: ActorHandle<Watched, Script>,
    seen: Arc<Mutex<Seen>>,
    end: oneshot::Receiver<ActorEnd>,
}

impl Stage {
    async fn new(limits: Limits) -> Self {
        let (sender, effects) = mpsc::unbounded_channel();
        let seen = Arc::new(Mutex::new(Seen { effects: Some(effects), ..Seen::default() }));
        let storage = Watched { memory: MemoryStore::default(), seen: Arc::clone(&seen) };
        let core = Core {
            storage,
            machine: Script::default(),
            rng: ChaCha20Rng::from_seed([1; 32]),
            clock: Clock::start(&Environment::default()),
        };
        let Started { handle, opened, end } =
            spawn::<_, _, (), ()>(limits, sender, || Ok((core, ()))).unwrap();
        opened.await.unwrap().unwrap();
        Self { handle, seen, end }
    }

    /// Gives these calls so that all of them wait when the actor gets to the first, and gathers their answers.
    async fn together(&self, words: &[&'static str]) -> Vec<Result<Bytes, Failure>> {
        let (release, released) = channel::<()>();
        let blocking = tokio::spawn({
            let handle = self.handle.clone();
            async move { handle.work(move |_| released.recv().unwrap()).await }
        });
        tokio::task::yield_now().await;
        let mut calls = Vec::new();
        for word in words {
            let handle = self.handle.clone();
            let payload = Bytes::from_static(word.as_bytes());
            calls.push(tokio::spawn(async move { handle.call(Caller::Owner, METHOD, payload).await }));
        }
        tokio::task::yield_now().await;
        release.send(()).unwrap();
        blocking.await.unwrap().unwrap();
        let mut answers = Vec::new();
        for call in calls {
            answers.push(call.await.unwrap());
        }
        answers
    }

    async fn call(&self, word: &'static str) -> Result<Bytes, Failure> {
        self.handle.call(Caller::Owner, METHOD, Bytes::from_static(word.as_bytes())).await
    }

    /// What is committed under a word.
    async fn has(&self, word: &'static str) -> bool {
        let has = move |core: &mut Core<Watched, Script>| {
            let mut batch = core.storage.begin();
            let key = Key { prefix: word.as_bytes(), ordinal: 0 };
            batch.transaction().get(TABLE, key).unwrap().is_some()
        };
        self.handle.work(has).await.unwrap()
    }

    fn commits(&self) -> usize {
        self.seen.lock().unwrap().commits
    }

    fn take_effects(&self) -> mpsc::UnboundedReceiver<Effect> {
        self.seen.lock().unwrap().effects.take().unwrap()
    }
}

#[tokio::test]
async fn what_waits_is_committed_together() {
    let stage = Stage::new(Limits::SERVER).await;
    let answers = stage.together(&["a", "b", "c", "d", "e"]).await;
    assert_eq!(answers, ["a", "b", "c", "d", "e"].map(|word| Ok(Bytes::from_static(word.as_bytes()))));
    assert_eq!(stage.commits(), 1);
}

#[tokio::test]
async fn a_batch_is_bounded_in_inputs_and_in_bytes() {
    let words = ["a", "b", "c", "d", "e", "f"];
    let stage = Stage::new(Limits { batch_inputs_max: 2, ..Limits::SERVER }).await;
    let _effects = stage.take_effects();
    stage.together(&words).await;
    assert_eq!(stage.commits(), 3);
    let stage = Stage::new(Limits { batch_bytes_max: 1, ..Limits::SERVER }).await;
    let _effects = stage.take_effects();
    stage.together(&words).await;
    assert_eq!(stage.commits(), 6);
}

#[tokio::test]
async fn a_full_queue_makes_callers_wait_and_loses_nobody() {
    let stage = Stage::new(Limits { write_queue_max: 2, ..Limits::SERVER }).await;
    let _effects = stage.take_effects();
    let answers = stage.together(&["a", "b", "c", "d", "e", "f"]).await;
    assert!(answers.iter().all(Result::is_ok));
}

#[tokio::test]
async fn a_failed_or_refused_input_takes_only_its_own_writes_with_it() {
    let stage = Stage::new(Limits::SERVER).await;
    let answers = stage.together(&["a", "fail", "refuse", "b"]).await;
    let expected = [
        Ok(Bytes::from_static(b"a")),
        Err(Failure::internal()),
        Err(Failure::conflict("refused")),
        Ok(Bytes::from_static(b"b")),
    ];
    assert_eq!(answers, expected);
    assert_eq!(stage.commits(), 1);
    let mut committed = Vec::new();
    for word in ["a", "fail", "refuse", "b"] {
        committed.push(stage.has(word).await);
    }
    assert_eq!(committed, [true, false, false, true]);
}

#[tokio::test]
async fn what_is_prepared_shares_the_fate_of_its_call() {
    let stage = Stage::new(Limits::SERVER).await;
    let call = async |prepared: &'static str, word: &'static str, is_prepared: bool| {
        let prepare = move |tx: &mut dyn Transaction| {
            let key = Key { prefix: prepared.as_bytes(), ordinal: 0 };
            tx.put(TABLE, key, Bytes::new()).map_err(|_| Failure::internal())?;
            if is_prepared { Ok(()) } else { Err(Failure::not_found("nothing to restore")) }
        };
        let answer = stage.handle.call_after(prepare, METHOD, Bytes::from_static(word.as_bytes())).await;
        (answer.is_ok(), stage.has(prepared).await, stage.has(word).await)
    };
    assert_eq!(call("p1", "a", true).await, (true, true, true));
    assert_eq!(call("p2", "refuse", true).await, (false, false, false));
    assert_eq!(call("p3", "c", false).await, (false, false, false));
}

#[tokio::test]
async fn effects_come_after_the_commit_in_order() {
    let stage = Stage::new(Limits::SERVER).await;
    stage.together(&["a", "b"]).await;
    assert_eq!(stage.commits(), 1, "and storage saw no effect before it");
    let mut effects = stage.take_effects();
    for word in ["a", "b"] {
        assert_eq!(effects.recv().await, Some(Effect::Events { newest: u64::from(word.as_bytes()[0]) }));
    }
}

#[tokio::test]
async fn a_failed_commit_answers_unavailable_lets_no_effect_out_and_ends_the_actor() {
    let stage = Stage::new(Limits::SERVER).await;
    stage.seen.lock().unwrap().refuse = true;
    let answers = stage.together(&["a", "refuse"]).await;
    for answer in answers {
        assert_eq!(answer.unwrap_err().status, qpq_proto::Status::Unavailable);
    }
    assert_eq!(stage.take_effects().recv().await, None);
    assert!(matches!(stage.end.await, Ok(ActorEnd::CommitFailed(_))));
    let late = stage.handle.call(Caller::Owner, METHOD, Bytes::from_static(b"c")).await;
    assert_eq!(late.unwrap_err().status, qpq_proto::Status::Unavailable);
}

#[tokio::test]
async fn a_panic_ends_the_actor_and_whoever_waits_is_told() {
    let stage = Stage::new(Limits::SERVER).await;
    let answers = stage.together(&["a", "panic", "b"]).await;
    for answer in answers {
        assert_eq!(answer.unwrap_err().status, qpq_proto::Status::Unavailable);
    }
    assert_eq!(stage.commits(), 0);
    assert!(matches!(stage.end.await, Ok(ActorEnd::Panicked)));
}

#[tokio::test]
async fn a_tick_is_given_when_it_is_wanted() {
    let stage = Stage::new(Limits::SERVER).await;
    let mut effects = stage.take_effects();
    stage.call("wake").await.unwrap();
    assert_eq!(effects.recv().await, Some(Effect::Events { newest: 99 }));
    assert_eq!(stage.handle.work(|core| core.machine.ticks).await, Ok(1));
}

#[tokio::test]
async fn keys_are_replaced_at_once_then_at_intervals_and_at_the_end() {
    let stage = Stage::new(Limits::SERVER).await;
    stage.together(&["rotate", "rotate"]).await;
    stage.call("rotate").await.unwrap();
    assert_eq!(stage.seen.lock().unwrap().rotations, 1);
    stage.handle.stop();
    assert!(matches!(stage.end.await, Ok(ActorEnd::Stopped)));
    assert_eq!(stage.seen.lock().unwrap().rotations, 2);
}

#[tokio::test]
async fn stopping_serves_what_was_queued_before() {
    let mut stage = Stage::new(Limits::SERVER).await;
    let (answer, answered) = oneshot::channel();
    let input = Input::Call { caller: Caller::Owner, method: METHOD, payload: Bytes::from_static(b"a") };
    stage.handle.enqueue(input, None, Some(answer)).await;
    stage.handle.stop();
    assert!(matches!((&mut stage.end).await, Ok(ActorEnd::Stopped)));
    assert_eq!(answered.await.unwrap(), Ok(Bytes::from_static(b"a")));
    assert_eq!(stage.commits(), 1);
    assert!(stage.seen.lock().unwrap().is_closed);
}

#[tokio::test]
async fn a_core_that_cannot_be_made_is_reported() {
    let (sender, _effects) = mpsc::unbounded_channel();
    let started = spawn::<Watched, Script, (), _>(Limits::SERVER, sender, || Err("no disk")).unwrap();
    assert_eq!(started.opened.await.unwrap(), Err("no disk"));
    assert!(matches!(started.end.await, Ok(ActorEnd::Stopped)));
}
