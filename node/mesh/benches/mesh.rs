//! What comparing, offering and depositing cost.
//!
//! `cargo bench -p qpq-mesh`

use std::hint::black_box;
use std::sync::Arc;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use qpq_mesh::wire::{NodeKind, OfferItem, Request, Response};
use qpq_mesh::{
    Bundle, Class, Config, Context, Effect, Input, Interest, Label, MemoryStore, Mesh, SortKey, Tier,
};
use qpq_proto::ids::NodeKey;
use qpq_proto::limits::Limits;

struct Nobody;

impl Interest for Nobody {
    fn is_mine(&mut self, _: Class, _: &[u8; 8], _: &[u8]) -> bool {
        false
    }
}

struct Node {
    mesh: Mesh,
    store: MemoryStore,
    rng: ChaCha20Rng,
    effects: Vec<Effect>,
}

fn key(byte: u8) -> NodeKey {
    NodeKey::from_bytes([byte; 32])
}

impl Node {
    fn new(byte: u8) -> Self {
        let (mut store, mut rng) = (MemoryStore::new(), ChaCha20Rng::from_seed([byte; 32]));
        let mut effects = Vec::new();
        let mut cx = Context {
            now_ms: 0,
            rng: &mut rng,
            store: &mut store,
            interest: &mut Nobody,
            effects: &mut effects,
        };
        let config = Arc::new(Config::new(NodeKind::Carrier, &Limits::SERVER));
        let mesh = Mesh::open(key(byte), config, &mut cx).expect("memory does not fail");
        Self { mesh, store, rng, effects }
    }

    fn with<T>(&mut self, now_ms: u64, run: impl FnOnce(&mut Mesh, &mut Context<'_>) -> T) -> T {
        let mut cx = Context {
            now_ms,
            rng: &mut self.rng,
            store: &mut self.store,
            interest: &mut Nobody,
            effects: &mut self.effects,
        };
        run(&mut self.mesh, &mut cx)
    }

    fn handle(&mut self, now_ms: u64, input: Input) {
        self.with(now_ms, |mesh, cx| mesh.handle(cx, input)).expect("memory does not fail");
    }

    fn answer(&mut self, now_ms: u64, from: u8, request: Request) -> Response {
        let answer = self.with(now_ms, |mesh, cx| mesh.answer(cx, &key(from), request));
        answer.expect("memory does not fail").expect("a session")
    }
}

fn bundle(number: u64) -> Bundle {
    let label = Label {
        class: Class::Message,
        lifetime_max_s: 86_400,
        salt: number.to_be_bytes(),
        tag: [7; 16],
        settle: None,
    };
    Bundle::new(label, vec![0; 1024].into()).expect("a body of 1 KiB")
}

fn filled(byte: u8, numbers: impl Iterator<Item = u64>) -> Node {
    let mut node = Node::new(byte);
    numbers.for_each(|number| node.handle(0, Input::Deposit { bundle: bundle(number) }));
    node
}

/// Makes the calls that one of the two asked for; how many there were.
fn call(from: u8, caller: &mut Node, called: &mut Node, now_ms: u64) -> usize {
    let effects = std::mem::take(&mut caller.effects);
    let mut calls = 0;
    for effect in effects {
        let Effect::Call { call, request, .. } = effect else { continue };
        let response = called.answer(now_ms, from, request);
        caller.handle(now_ms, Input::Answered { call, result: Ok(response) });
        calls += 1;
    }
    calls
}

/// Lets two talk until nothing is left to be said; how many calls it took.
fn talk(a: &mut Node, b: &mut Node) -> usize {
    a.handle(0, Input::LinkUp { node: key(2), standing: Tier::Paired });
    b.handle(0, Input::LinkUp { node: key(1), standing: Tier::Paired });
    let (mut now_ms, mut calls) = (0, 0);
    loop {
        let made = call(1, a, b, now_ms) + call(2, b, a, now_ms);
        if made == 0 {
            return calls;
        }
        calls += made;
        now_ms += 250;
        a.handle(now_ms, Input::Tick);
        b.handle(now_ms, Input::Tick);
    }
}

fn reconcile(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("reconcile and hand over");
    for (name, missing) in [("16,384 with nothing missing", 0), ("16,384 with 164 missing", 164)] {
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || (filled(1, 0..16_384), filled(2, missing..16_384)),
                |(mut a, mut b)| black_box(talk(&mut a, &mut b)),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn offers(criterion: &mut Criterion) {
    let mut a = filled(1, std::iter::once(1_000_000));
    let mut b = filled(2, 0..4_096);
    talk(&mut a, &mut b);
    let items = |from: u64| -> Vec<OfferItem> {
        let one = |number| {
            let header = Arc::clone(bundle(number).header());
            OfferItem {
                short: SortKey::of(&header).short(),
                salt: *header.salt(),
                tag_start: [7; 8],
                is_held: true,
                is_spare: true,
                ends_in: 1,
            }
        };
        (from..from + 512).map(one).collect()
    };
    let mut group = criterion.benchmark_group("512 offers");
    group.throughput(Throughput::Elements(512));
    let mut now_ms = 1_000_000;
    for (name, items) in [("held", items(0)), ("not held", items(100_000))] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                now_ms += 1_000;
                black_box(b.answer(now_ms, 1, Request::Offer(items.clone())))
            });
        });
    }
    group.finish();
}

fn deposits(criterion: &mut Criterion) {
    let bundles: Vec<Bundle> = (0..4_096).map(bundle).collect();
    let mut group = criterion.benchmark_group("deposit");
    group.throughput(Throughput::Elements(4_096));
    group.bench_function("4,096 bundles", |bencher| {
        bencher.iter_batched(
            || Node::new(1),
            |mut node| {
                for bundle in &bundles {
                    node.handle(0, Input::Deposit { bundle: bundle.clone() });
                }
                node
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
    criterion.bench_function("make a bundle of 1 KiB", |bencher| bencher.iter(|| black_box(bundle(1))));
}

criterion_group!(benches, reconcile, offers, deposits);
criterion_main!(benches);
