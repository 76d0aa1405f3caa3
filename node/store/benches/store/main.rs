//! What a commit, a read and a rotation cost on a real disk.
//!
//! `cargo bench -p qpq-store`; the directory is `TMPDIR`, which should not be a memory file system.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use qpq_crypto::at_rest::AtRestKey;
use qpq_engine::storage::{Direction, Key, Table, Transaction};
use qpq_store::{CommitInfo, Options, Storage, Store};

mod relay;

const MESSAGES: Table = Table("messages");
const RECORDS: u64 = 10_000;
const CONVERSATIONS: u64 = 50;
/// Messages over which costs are averaged.
const SAMPLES: usize = 1_000;

fn key() -> AtRestKey {
    AtRestKey::from_bytes(&[1; 32])
}

fn open(directory: &tempfile::TempDir) -> Store {
    Store::open(directory.path(), &key(), &Options::default()).expect("a new directory")
}

/// One batch of transactions of one record each.
fn commit(store: &mut Store, ordinals: std::ops::Range<u64>) -> CommitInfo {
    let value = Bytes::from(vec![7; 1024]);
    let mut batch = store.begin();
    for ordinal in ordinals {
        let mut transaction = batch.transaction();
        let key = Key { prefix: b"conversation with someone", ordinal };
        transaction.put(MESSAGES, key, value.clone()).expect("a short value");
        transaction.accept();
    }
    batch.commit().expect("a disk that works")
}

fn commits(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut store = open(&directory);
    let mut group = criterion.benchmark_group("commit");
    let mut next = 0;
    for count in [1, 16, 64, 256] {
        let info = commit(&mut store, next..next + count);
        next += count;
        eprintln!("{count} records of 1 KiB: {} bytes to the file, {} sync", info.bytes, info.syncs);
        group.throughput(Throughput::Elements(count));
        group.bench_function(format!("{count} x 1 KiB"), |bencher| {
            bencher.iter(|| {
                next += count;
                commit(&mut store, next - count..next)
            });
        });
    }
}

/// What a chat message changes: eight records and secrets, 6 KB.
fn message(store: &mut Store, number: u64, is_deferred: bool) -> CommitInfo {
    let conversation = (number * 7919 % CONVERSATIONS).to_be_bytes();
    let mut batch = store.begin();
    let mut transaction = batch.transaction();
    let mut put = |table, prefix: &[u8], ordinal, bytes: usize| {
        let value = Bytes::from(vec![7; bytes]);
        transaction.put(Table(table), Key { prefix, ordinal }, value).expect("a short value");
    };
    put("messages", &conversation, number, 1_300);
    put("conversations", &conversation, 0, 400);
    put("outbox", &conversation, number, 1_400);
    put("events", b"", number, 200);
    put("counters", b"events", 0, 8);
    for (name, bytes) in [("ratchet", 900), ("generations", 700), ("pending", 1_100)] {
        transaction.secrets().put(&conversation, name.as_bytes(), &vec![7; bytes]).expect("a short value");
    }
    transaction.accept();
    let committed = if is_deferred { batch.commit_deferred() } else { batch.commit() };
    committed.expect("a disk that works")
}

/// What a message costs in a store that holds many, with a journal and without.
fn messages(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("message");
    let mib = 1024 * 1024;
    for (name, journal_bytes, cache_bytes) in
        [("no journal", 0, 8 * mib), ("router", 512 * 1024, 4 * mib), ("server", 8 * mib as u64, 4 * mib)]
    {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let options = Options { cache_bytes, journal_bytes, ..Options::default() };
        let mut store = Store::open(directory.path(), &key(), &options).expect("a new directory");
        let mut number = 0;
        while number < RECORDS {
            number += 1;
            message(&mut store, number, !number.is_multiple_of(64));
        }
        store.checkpoint().expect("a disk that works");
        report(name, "committed", &mut store, &mut number, false);
        report(name, "deferred, then synced", &mut store, &mut number, true);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                number += 1;
                message(&mut store, number, false)
            });
        });
    }
}

/// Prints what a thousand messages cost, the checkpoints among them included.
fn report(name: &str, what: &str, store: &mut Store, number: &mut u64, is_deferred: bool) {
    let mut costs: Vec<(Duration, u64, u64)> = Vec::new();
    for _ in 0..SAMPLES {
        *number += 1;
        let started = Instant::now();
        let mut info = message(store, *number, is_deferred);
        if is_deferred {
            let synced = store.sync().expect("a disk that works");
            info.bytes += synced.bytes;
            info.syncs += synced.syncs;
        }
        costs.push((started.elapsed(), info.bytes, info.syncs));
    }
    let bytes: u64 = costs.iter().map(|(_, bytes, _)| bytes).sum();
    let syncs: u64 = costs.iter().map(|(.., syncs)| syncs).sum();
    let most = costs.iter().map(|(_, bytes, _)| *bytes).max().unwrap_or_default();
    costs.sort_unstable();
    eprintln!(
        "{name}: a message {what}: {} bytes on average, {most} at most, {syncs} syncs of {SAMPLES}, \
         {:?} at the median, {:?} at the 99th percentile",
        bytes / SAMPLES as u64,
        costs[SAMPLES / 2].0,
        costs[SAMPLES * 99 / 100].0,
    );
}

fn reads(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut store = open(&directory);
    commit(&mut store, 0..RECORDS);
    let mut batch = store.begin();
    let transaction = batch.transaction();
    let mut ordinal = 0;
    criterion.bench_function("get 1 of 10,000", |bencher| {
        bencher.iter(|| {
            ordinal = (ordinal + 7919) % RECORDS;
            let key = Key { prefix: b"conversation with someone", ordinal };
            black_box(transaction.get(MESSAGES, key).expect("a disk that works"))
        });
    });
    criterion.bench_function("scan 100 of 10,000", |bencher| {
        bencher.iter(|| {
            let prefix = b"conversation with someone";
            black_box(transaction.scan(MESSAGES, prefix, 0..u64::MAX, Direction::Backward, 100))
        });
    });
}

fn rotations(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut store = open(&directory);
    let mut batch = store.begin();
    let mut transaction = batch.transaction();
    for name in 0..1000_u32 {
        transaction.secrets().put(b"group", &name.to_be_bytes(), &[7; 512]).expect("a short value");
    }
    transaction.accept();
    batch.commit().expect("a disk that works");
    eprintln!("rotation over 1,000 secrets: {:?}", store.rotate_secrets().expect("a disk that works"));
    criterion.bench_function("rotate over 1,000 secrets of 512 B", |bencher| {
        bencher.iter(|| store.rotate_secrets().expect("a disk that works"));
    });
}

fn openings(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    commit(&mut open(&directory), 0..RECORDS);
    criterion.bench_function("open with 10,000 records", |bencher| {
        bencher.iter_batched(|| (), |()| open(&directory), BatchSize::PerIteration);
    });
}

/// Printed rather than measured by criterion: what matters are the costs over a whole life, checkpoints included.
fn relays(_: &mut Criterion) {
    relay::report();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30);
    targets = relays, commits, messages, reads, rotations, openings
}
criterion_main!(benches);
