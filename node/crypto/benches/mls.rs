//! Group operations, ours beside plain OpenMLS (its RustCrypto provider, its storage in memory) with the same
//! configuration; and what a message writes.
//!
//! Ours does more: credentials are certificates that it verifies, and its storage is what a disk gets. Plain
//! OpenMLS writes JSON into a map.

#![allow(clippy::unwrap_used, reason = "what cannot be set up here has failed")]
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

#[path = "../tests/mls_support/mod.rs"]
mod mls_support;
mod plain;

use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use mls_support::{Circle, Person};
use openmls::prelude::{Ciphersuite, LeafNodeIndex, MlsMessageOut, OpenMlsCrypto, OpenMlsProvider};
use openmls_rust_crypto::OpenMlsRustCrypto;
use plain::{Plain, plain};
use qpq_crypto::mls::provider::{Provider, StorageCache};
use qpq_crypto::mls::{Changes, KeyPackage as OurKeyPackage, PAST_EPOCHS_MAX, Suite};

const SIZES: [usize; 2] = [10, 100];
const MESSAGE: [u8; 1_024] = [7; 1_024];

/// Two members of a group of `size`, the others added but not followed, both of which have committed.
fn ours(size: usize, suite: Suite) -> Circle {
    let mut circle = Circle::pair_of(size, suite);
    for number in 0..PAST_EPOCHS_MAX {
        circle.commit(number % 2, Changes::default());
    }
    circle
}

/// Times `timed` alone, `prepare` before every run of it.
fn custom<S, T>(
    iterations: u64,
    state: &mut S,
    mut prepare: impl FnMut(&mut S) -> T,
    mut timed: impl FnMut(&mut S, T),
) -> Duration {
    let mut elapsed = Duration::ZERO;
    for _ in 0..iterations {
        let prepared = prepare(state);
        let start = Instant::now();
        timed(state, prepared);
        elapsed += start.elapsed();
    }
    elapsed
}

/// What a commit does once for every node it encrypts to, and what its receiver does once.
fn bench_hpke(criterion: &mut Criterion) {
    let mut person = Person::new(0);
    let mut cache = StorageCache::default();
    let ours = Provider::new(&mut person.storage, &mut person.rng, &mut cache);
    let plain = OpenMlsRustCrypto::default();
    for suite in Suite::ALL {
        let config = || ciphersuite(suite).hpke_config();
        let pair = plain.crypto().derive_hpke_keypair(config(), &[7; 32]).unwrap();
        let sealed = plain.crypto().hpke_seal(config(), &pair.public, b"info", b"aad", &[7; 32]).unwrap();
        let mut group = criterion.benchmark_group(format!("hpke seal/{suite:?}"));
        group.bench_function("ours", |bencher| {
            bencher
                .iter(|| ours.crypto().hpke_seal(config(), &pair.public, b"info", b"aad", &[7; 32]).unwrap());
        });
        group.bench_function("plain", |bencher| {
            bencher.iter(|| {
                plain.crypto().hpke_seal(config(), &pair.public, b"info", b"aad", &[7; 32]).unwrap()
            });
        });
        drop(group);
        let mut group = criterion.benchmark_group(format!("hpke open/{suite:?}"));
        group.bench_function("ours", |bencher| {
            bencher
                .iter(|| ours.crypto().hpke_open(config(), &sealed, &pair.private, b"info", b"aad").unwrap());
        });
        group.bench_function("plain", |bencher| {
            bencher.iter(|| {
                plain.crypto().hpke_open(config(), &sealed, &pair.private, b"info", b"aad").unwrap()
            });
        });
    }
}

fn bench_create(criterion: &mut Criterion) {
    for suite in Suite::ALL {
        let mut group = criterion.benchmark_group(format!("create/{suite:?}"));
        let mut person = Person::new(0);
        group.bench_function("ours", |bencher| bencher.iter(|| person.create(suite)));
        let member = Plain::new(0);
        let ciphersuite = ciphersuite(suite);
        group.bench_function("plain", |bencher| bencher.iter(|| member.create(ciphersuite)));
        drop(group);

        let mut group = criterion.benchmark_group(format!("key package/{suite:?}"));
        group.bench_function("ours", |bencher| {
            bencher.iter(|| OurKeyPackage::create(&mut person.cx(), suite, false).unwrap());
        });
        group.bench_function("plain", |bencher| {
            bencher.iter(|| {
                let package = member.key_package(ciphersuite).key_package().clone();
                MlsMessageOut::from(package).to_bytes().unwrap()
            });
        });
    }
}

fn bench_commits(criterion: &mut Criterion) {
    for (suite, size) in Suite::ALL.into_iter().flat_map(|suite| SIZES.map(|size| (suite, size))) {
        let mut circle = ours(size, suite);
        let mut pair = plain(size, ciphersuite(suite));
        let mut newcomer = Person::new(u32::MAX);
        let plain_newcomer = Plain::new(u32::MAX);

        let mut group = criterion.benchmark_group(format!("process commit/{suite:?}/{size}"));
        group.bench_function("ours", |bencher| {
            bencher.iter_custom(|iterations| {
                custom(
                    iterations,
                    &mut circle,
                    |circle| circle.people[0].commit(&mut circle.groups[0], Changes::default()).commit,
                    |circle, commit| drop(circle.open(1, &commit).unwrap()),
                )
            });
        });
        group.bench_function("plain", |bencher| {
            bencher.iter_custom(|iterations| {
                custom(iterations, &mut pair, |pair| pair[0].update(), |pair, commit| pair[1].open(&commit))
            });
        });
        drop(group);

        let mut group = criterion.benchmark_group(format!("update/{suite:?}/{size}"));
        let founder = &mut circle.people[0];
        let founders_group = &mut circle.groups[0];
        group.bench_function("ours", |bencher| {
            bencher.iter(|| founder.commit(founders_group, Changes::default()));
        });
        group.bench_function("plain", |bencher| bencher.iter(|| pair[0].update()));
        drop(group);

        let mut group = criterion.benchmark_group(format!("add/{suite:?}/{size}"));
        let newcomers_leaf = [u32::try_from(size).unwrap()];
        group.bench_function("ours", |bencher| {
            bencher.iter_custom(|iterations| {
                let mut elapsed = Duration::ZERO;
                for _ in 0..iterations {
                    let add = [newcomer.key_package(suite)];
                    let start = Instant::now();
                    let changes = Changes { add: &add, force_path: true, ..Changes::default() };
                    founder.commit(founders_group, changes);
                    elapsed += start.elapsed();
                    founder.commit(founders_group, Changes { remove: &newcomers_leaf, ..Changes::default() });
                }
                elapsed
            });
        });
        group.bench_function("plain", |bencher| {
            bencher.iter_custom(|iterations| {
                custom(
                    iterations,
                    &mut pair,
                    |pair| {
                        if pair[0].group().members().count() > size {
                            let founder = &mut pair[0];
                            let group = founder.group.as_mut().unwrap();
                            let leaf = LeafNodeIndex::new(newcomers_leaf[0]);
                            group.remove_members(&founder.provider, &founder.key, &[leaf]).unwrap();
                            group.merge_pending_commit(&founder.provider).unwrap();
                        }
                        plain_newcomer.key_package(ciphersuite(suite)).key_package().clone()
                    },
                    |pair, package| {
                        let founder = &mut pair[0];
                        let group = founder.group.as_mut().unwrap();
                        group.add_members(&founder.provider, &founder.key, &[package]).unwrap();
                        group.merge_pending_commit(&founder.provider).unwrap();
                    },
                )
            });
        });
    }
}

/// A thousand members, against nobody: plain OpenMLS would write hundreds of megabytes of JSON per message.
fn bench_large_group(criterion: &mut Criterion) {
    let suite = Suite::Hybrid;
    let size = 1_000;
    let mut circle = ours(size, suite);
    report_bytes(&mut circle, suite, size);
    let mut group = criterion.benchmark_group(format!("open/{suite:?}/{size}"));
    group.bench_function("ours", |bencher| {
        bencher.iter_custom(|iterations| {
            let seal = |circle: &mut Circle| circle.seal(0, &MESSAGE);
            custom(iterations, &mut circle, seal, |circle, message| drop(circle.open(1, &message).unwrap()))
        });
    });
    drop(group);
    let mut group = criterion.benchmark_group(format!("seal/{suite:?}/{size}"));
    group.bench_function("ours", |bencher| bencher.iter(|| circle.seal(0, &MESSAGE)));
    drop(group);
    let mut group = criterion.benchmark_group(format!("load/{suite:?}/{size}"));
    let id = circle.groups[1].id();
    group.bench_function("ours", |bencher| bencher.iter(|| circle.people[1].load(id)));
}

/// A group in which everybody has spoken: what it costs to open a message must not grow with them.
fn bench_busy_group(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("open, all have spoken/Classical");
    for size in [10, 100] {
        let mut circle = Circle::new(size, Suite::Classical);
        for sender in 1..size {
            let message = circle.seal(sender, &MESSAGE);
            circle.open(0, &message).unwrap();
        }
        group.bench_function(size.to_string(), |bencher| {
            bencher.iter_custom(|iterations| {
                let seal = |circle: &mut Circle| circle.seal(1, &MESSAGE);
                custom(iterations, &mut circle, seal, |circle, message| {
                    drop(circle.open(0, &message).unwrap())
                })
            });
        });
    }
}

fn bench_messages(criterion: &mut Criterion) {
    for (suite, size) in Suite::ALL.into_iter().flat_map(|suite| SIZES.map(|size| (suite, size))) {
        let mut circle = ours(size, suite);
        let mut pair = plain(size, ciphersuite(suite));
        report_bytes(&mut circle, suite, size);

        let mut group = criterion.benchmark_group(format!("open/{suite:?}/{size}"));
        group.bench_function("ours", |bencher| {
            bencher.iter_custom(|iterations| {
                let seal = |circle: &mut Circle| circle.seal(0, &MESSAGE);
                custom(iterations, &mut circle, seal, |circle, message| {
                    drop(circle.open(1, &message).unwrap())
                })
            });
        });
        group.bench_function("plain", |bencher| {
            bencher.iter_custom(|iterations| {
                custom(iterations, &mut pair, |pair| pair[0].seal(), |pair, message| pair[1].open(&message))
            });
        });
        drop(group);

        let mut group = criterion.benchmark_group(format!("seal/{suite:?}/{size}"));
        group.bench_function("ours", |bencher| bencher.iter(|| circle.seal(0, &MESSAGE)));
        group.bench_function("plain", |bencher| bencher.iter(|| pair[0].seal()));
    }
}

/// Prints what one message writes.
fn report_bytes(circle: &mut Circle, suite: Suite, size: usize) {
    let written = |circle: &mut Circle| {
        let before = [0, 1].map(|person: usize| circle.people[person].storage.bytes_put);
        let message = circle.seal(0, &MESSAGE);
        circle.open(1, &message).unwrap();
        [0, 1].map(|person: usize| circle.people[person].storage.bytes_put - before[person])
    };
    let first = written(circle);
    let [seal, open] = written(circle);
    eprintln!(
        "bytes written per message, {suite:?}, {size} members, {PAST_EPOCHS_MAX} past epochs: \
         seal {seal} (first {}), open {open} (first {})",
        first[0], first[1]
    );
}

fn ciphersuite(suite: Suite) -> Ciphersuite {
    Ciphersuite::try_from(suite.code_point()).unwrap()
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(10);
    targets = bench_hpke, bench_create, bench_messages, bench_busy_group, bench_large_group, bench_commits
}
criterion_main!(benches);
