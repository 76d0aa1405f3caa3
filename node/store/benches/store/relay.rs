//! The shape of a relay: many senders put short messages into queues, receivers take them out in pages.

use std::io;
use std::ops::Bound;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chacha20::ChaCha20Rng;
use qpq_engine::storage::{Direction, Key, Table, Transaction};
use qpq_store::{Files, LockedStore, Options, Storage, Store};
use rand_core::SeedableRng;
use redb::{BackendError, StorageBackend};

use super::key;

const QUEUES: u64 = 500;
/// Callers whose inputs are committed together, and messages that are fetched together.
const BATCH: u64 = 64;
const BATCHES: u64 = 1_000;
const RECORDS_OF_A_MESSAGE: u64 = 3;

const STATES: Table = Table("relay_queues");
const MESSAGES: Table = Table("relay_messages");
const DELIVERIES: Table = Table("relay_deliveries");

/// Prints what messages cost in each profile, with syncs and with syncs that do nothing.
pub(crate) fn report() {
    let (kib, mib) = (1 << 10, 1 << 20);
    for (name, journal_bytes, cache_bytes) in [
        ("router", 512 * kib, 4 * mib),
        ("server", 8 * mib as u64, 4 * mib),
        ("32 MiB", 32 * mib as u64, 32 * mib),
    ] {
        for is_synced in [true, false] {
            let options = Options { cache_bytes, journal_bytes, ..Options::default() };
            run(name, &options, is_synced);
        }
    }
}

fn run(name: &str, options: &Options, is_synced: bool) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut store = open(directory.path(), options, is_synced);
    let syncs = if is_synced { "synced" } else { "without syncs" };
    let mut load = Load::default();

    let mut phase = |what: &str, batch: &mut dyn FnMut(&mut Load, &mut Store) -> Vec<Cost>| {
        let before = time_on_cpu();
        let costs = (0..BATCHES).flat_map(|_| batch(&mut load, &mut store)).collect();
        print(&format!("{name}, {syncs}: {what}"), costs, time_on_cpu().saturating_sub(before));
    };
    phase("enqueue", &mut |load, store| vec![load.enqueue(store, BATCH)]);
    phase("fetch and delete", &mut |load, store| vec![load.fetch(store)]);
    phase("through an empty queue", &mut |load, store| vec![load.enqueue_to_one(store), load.fetch(store)]);
    phase("enqueue one by one", &mut |load, store| vec![load.enqueue(store, 1)]);
}

/// What this thread has used of a processor, where the system tells it.
fn time_on_cpu() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = told.split_whitespace().next().and_then(|number| number.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or_default())
}

fn open(directory: &Path, options: &Options, is_synced: bool) -> Store {
    let mut files = Files::in_directory(directory, None).expect("a new directory");
    if !is_synced {
        let unsynced = |file| Box::new(Unsynced(file)) as Box<dyn StorageBackend>;
        files = Files {
            database: unsynced(files.database),
            journal: unsynced(files.journal),
            secrets_key: unsynced(files.secrets_key),
            open_counter: None,
        };
    }
    let locked = LockedStore::open_files(files, options, Box::new(ChaCha20Rng::from_seed([1; 32])));
    let locked = locked.expect("a new store").with_checkpoints_in_background();
    locked.unlock(&key()).expect("a new store")
}

/// What one batch took.
struct Cost {
    messages: u64,
    records: u64,
    time: Duration,
    bytes: u64,
    syncs: u64,
}

/// Queues with their first and next sequence numbers.
#[derive(Default)]
struct Load {
    queues: Vec<(u64, u64)>,
    next: u64,
}

impl Load {
    /// Messages for one queue after the other, each in a transaction of its own.
    fn enqueue(&mut self, store: &mut Store, messages: u64) -> Cost {
        self.queues.resize(usize::try_from(QUEUES).expect("few"), (0, 0));
        let queues = (0..messages).map(|number| (self.next + number) * 7919 % QUEUES).collect::<Vec<_>>();
        self.next += messages;
        self.put(store, &queues)
    }

    fn enqueue_to_one(&mut self, store: &mut Store) -> Cost {
        self.next += 1;
        self.put(store, &vec![self.next % QUEUES; usize::try_from(BATCH).expect("few")])
    }

    fn put(&mut self, store: &mut Store, queues: &[u64]) -> Cost {
        let message = Bytes::from(vec![7; 1_024]);
        let started = Instant::now();
        let mut batch = store.begin();
        for queue in queues {
            let (_, next) = &mut self.queues[usize::try_from(*queue).expect("few")];
            let mut transaction = batch.transaction();
            put(&mut transaction, *queue, *next, message.clone());
            transaction.accept();
            *next += 1;
        }
        let info = batch.commit().expect("a disk that works");
        let messages = queues.len() as u64;
        let records = messages * RECORDS_OF_A_MESSAGE;
        Cost { messages, records, time: started.elapsed(), bytes: info.bytes, syncs: info.syncs }
    }

    /// Takes a page out of the fullest queue.
    fn fetch(&mut self, store: &mut Store) -> Cost {
        let fullest = self.queues.iter_mut().enumerate().max_by_key(|(_, (first, next))| next - first);
        let (queue, (first, _)) = fullest.expect("some queue");
        let prefix = (queue as u64).to_be_bytes();
        let started = Instant::now();
        let mut batch = store.begin();
        let transaction = batch.transaction();
        let limit = usize::try_from(BATCH).expect("few");
        let page = transaction.scan(MESSAGES, &prefix, *first..u64::MAX, Direction::Forward, limit);
        let page = page.expect("a disk that works");
        transaction.accept();
        let mut transaction = batch.transaction();
        for (sequence, _) in &page {
            let delivery = delivery(queue as u64, *sequence);
            transaction.delete(MESSAGES, Key { prefix: &prefix, ordinal: *sequence }).expect("a short key");
            transaction.delete(DELIVERIES, Key { prefix: &delivery, ordinal: 0 }).expect("a short key");
            *first = sequence + 1;
        }
        transaction
            .put(STATES, Key { prefix: &prefix, ordinal: 0 }, Bytes::from_static(&[7; 40]))
            .expect("a short value");
        transaction.accept();
        let info = batch.commit().expect("a disk that works");
        let messages = page.len() as u64;
        Cost {
            messages,
            records: 3 * messages,
            time: started.elapsed(),
            bytes: info.bytes,
            syncs: info.syncs,
        }
    }
}

fn put(transaction: &mut dyn Transaction, queue: u64, sequence: u64, message: Bytes) {
    let prefix = queue.to_be_bytes();
    let delivery = delivery(queue, sequence);
    let state = Key { prefix: &prefix, ordinal: 0 };
    let told = Key { prefix: &delivery, ordinal: 0 };
    let before = transaction.get(STATES, state).expect("a disk that works");
    assert_eq!(before.is_some(), sequence > 0);
    assert!(transaction.get(DELIVERIES, told).expect("a disk that works").is_none());
    let place = Key { prefix: &prefix, ordinal: sequence };
    transaction.put(MESSAGES, place, message).expect("a short value");
    transaction.put(DELIVERIES, told, Bytes::from_static(&[7; 24])).expect("a short value");
    transaction.put(STATES, state, Bytes::from_static(&[7; 40])).expect("a short value");
}

fn delivery(queue: u64, sequence: u64) -> [u8; 32] {
    let mut delivery = [9; 32];
    delivery[..8].copy_from_slice(&queue.to_be_bytes());
    delivery[8..16].copy_from_slice(&sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    delivery
}

fn print(what: &str, mut costs: Vec<Cost>, on_cpu: Duration) {
    let sum = |of: fn(&Cost) -> u64| costs.iter().map(of).sum::<u64>();
    let (messages, records) = (sum(|cost| cost.messages), sum(|cost| cost.records));
    let (bytes, syncs) = (sum(|cost| cost.bytes), sum(|cost| cost.syncs));
    let time: Duration = costs.iter().map(|cost| cost.time).sum();
    costs.sort_by_key(|cost| cost.time);
    let at = |share: usize| costs[(costs.len() - 1) * share / 100].time;
    eprintln!(
        "{what}: {:.0} messages/s, {:.0} records/s, {:.2} us a message, {:.2} of them on this \
         thread's processor, {} bytes and {:.4} syncs a message, \
         batch {:?} median, {:?} p99, {:?} at most",
        messages as f64 / time.as_secs_f64(),
        records as f64 / time.as_secs_f64(),
        time.as_secs_f64() * 1e6 / messages as f64,
        on_cpu.as_secs_f64() * 1e6 / messages as f64,
        bytes / messages,
        syncs as f64 / messages as f64,
        at(50),
        at(99),
        at(100),
    );
}

/// A file that is never forced to disk: what is left is what the store itself costs.
#[derive(Debug)]
struct Unsynced(Box<dyn StorageBackend>);

impl StorageBackend for Unsynced {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.try_lock_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.unlock_range(start, end)
    }
}
