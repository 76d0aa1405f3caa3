//! An actor that runs a script over watched storage.

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use chacha20::rand_core::SeedableRng;
use qpq_engine::Caller;
use qpq_engine::storage::{Direction, Key, StorageError, Table};
use qpq_proto::{Failure, Method};
use qpq_store::{Blinded, Changes, CommitInfo, Durability, Failure as StoreFailure, MemoryStore};
use qpq_store::{Record, RecordKey, Records, Secret, SecretKey};

use super::super::*;
use crate::environment::Environment;

pub(super) const TABLE: Table = Table("test");
pub(super) const METHOD: Method = Method::NodeStatus;

/// Does what the payload of a call says, so that a test reads as a list of words.
#[derive(Default)]
pub(super) struct Script {
    wake_at: Option<u64>,
    pub(super) ticks: usize,
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
                tx.put(TABLE, Key { prefix: b"tick", ordinal: 0 }, Bytes::new())?;
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
pub(super) struct Watched {
    memory: MemoryStore,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
pub(super) struct Seen {
    commits: usize,
    pub(super) rotations: usize,
    /// Deferred commits.
    pub(super) deferred: usize,
    /// Told of the next sync.
    pub(super) synced: Option<oneshot::Sender<()>>,
    pub(super) refuse: bool,
    pub(super) is_closed: bool,
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
    fn write(&mut self, changes: &Changes, durability: Durability) -> Result<CommitInfo, CommitError> {
        let mut seen = self.seen.lock().unwrap();
        if seen.refuse {
            return Err(CommitError(StoreFailure::Latched));
        }
        let early = seen.effects.as_mut().and_then(|effects| effects.try_recv().ok());
        assert_eq!(early, None, "an effect before its commit");
        match durability {
            Durability::Immediate => seen.commits += 1,
            Durability::Deferred => seen.deferred += 1,
        }
        self.memory.write(changes, durability)
    }
    fn sync(&mut self) -> Result<CommitInfo, CommitError> {
        let mut seen = self.seen.lock().unwrap();
        seen.synced.take().map(|synced| synced.send(()));
        Ok(CommitInfo::default())
    }
}

impl NodeStorage for Watched {
    fn rotate_secrets(&mut self) -> Result<(), CommitError> {
        self.seen.lock().unwrap().rotations += 1;
        Ok(())
    }

    fn written(&self) -> CommitInfo {
        CommitInfo::default()
    }

    fn close(self) -> Result<(), CommitError> {
        self.seen.lock().unwrap().is_closed = true;
        Ok(())
    }
}

/// An actor that runs a script over watched storage.
pub(super) struct Stage {
    pub(super) handle: ActorHandle<Watched, Script>,
    pub(super) seen: Arc<Mutex<Seen>>,
    pub(super) end: oneshot::Receiver<ActorEnd>,
}

impl Stage {
    pub(super) async fn new(limits: Limits) -> Self {
        let (sender, effects) = mpsc::unbounded_channel();
        let (relay, _) = mpsc::unbounded_channel();
        let seen = Arc::new(Mutex::new(Seen { effects: Some(effects), ..Seen::default() }));
        let storage = Watched { memory: MemoryStore::default(), seen: Arc::clone(&seen) };
        let core = Core {
            storage,
            machine: Script::default(),
            rng: ChaCha20Rng::from_seed([1; 32]),
            clock: Clock::start(&Environment::default()),
        };
        let Started { handle, opened, end } = spawn::<_, _, (), ()>(
            limits,
            Outlets { engine: sender, relay, metrics: Arc::new(Metrics::new()) },
            || Ok((core, ())),
        )
        .unwrap();
        opened.await.unwrap().unwrap();
        Self { handle, seen, end }
    }

    /// Gives these calls so that all of them wait when the actor gets to the first, and gathers their answers.
    pub(super) async fn together(&self, words: &[&'static str]) -> Vec<Result<Bytes, Failure>> {
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

    pub(super) async fn call(&self, word: &'static str) -> Result<Bytes, Failure> {
        self.handle.call(Caller::Owner, METHOD, Bytes::from_static(word.as_bytes())).await
    }

    /// What is committed under a word.
    pub(super) async fn has(&self, word: &'static str) -> bool {
        let has = move |core: &mut Core<Watched, Script>| {
            let mut batch = core.storage.begin();
            let key = Key { prefix: word.as_bytes(), ordinal: 0 };
            batch.transaction().get(TABLE, key).unwrap().is_some()
        };
        self.handle.work(has).await.unwrap()
    }

    pub(super) fn commits(&self) -> usize {
        self.seen.lock().unwrap().commits
    }

    pub(super) fn take_effects(&self) -> mpsc::UnboundedReceiver<Effect> {
        self.seen.lock().unwrap().effects.take().unwrap()
    }
}
