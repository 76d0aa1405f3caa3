//! What a commit, a read and a rotation cost on a real disk.
//!
//! `cargo bench -p qpq-store`; the directory is `TMPDIR`, which should not be a memory file system.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use qpq_crypto::at_rest::AtRestKey;
use qpq_engine::storage::{Direction, Key, Table, Transaction};
use qpq_store::{CommitInfo, Options, Storage, Store};

const MESSAGES: Table = Table("messages");
const RECORDS: u64 = 10_000;

fn open(directory: &tempfile::TempDir) -> Store {
    let key = AtRestKey::from_bytes(&[1; 32]);
    Store::open(directory.path(), &key, &Options::default()).expect("a new directory")
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

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30);
    targets = commits, reads, rotations, openings
}
criterion_main!(benches);
