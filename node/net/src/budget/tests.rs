use std::collections::VecDeque;

use proptest::collection::vec;
use proptest::prelude::*;
use tokio::task::JoinHandle;

use super::*;

const FRAME_BYTES_MAX: usize = 1 << 20;

async fn is_blocked(reservation: impl Future<Output = Reservation>) -> bool {
    let mut reservation = Box::pin(reservation);
    std::future::poll_fn(|context| std::task::Poll::Ready(reservation.as_mut().poll(context).is_pending()))
        .await
}

#[tokio::test]
async fn reserved_bytes_come_back() {
    let budget = Budget::new(8 << 20, FRAME_BYTES_MAX);
    let free = budget.available_bytes();
    assert_eq!(free, 8 << 20);
    let short = budget.reserve(100).await;
    let long = budget.reserve(FRAME_BYTES_MAX).await;
    assert_eq!(budget.available_bytes(), free - 100 - FRAME_BYTES_MAX);
    drop((short, long));
    assert_eq!(budget.available_bytes(), free);
}

#[tokio::test]
async fn more_than_there_is_has_to_wait() {
    let budget = Budget::new(2 << 20, FRAME_BYTES_MAX);
    let held = budget.reserve(FRAME_BYTES_MAX).await;
    assert!(is_blocked(budget.reserve(FRAME_BYTES_MAX)).await);
    drop(held);
    assert!(!is_blocked(budget.reserve(FRAME_BYTES_MAX)).await);
}

#[tokio::test]
async fn long_frames_do_not_hold_up_short_ones() {
    let budget = Budget::new(2 << 20, FRAME_BYTES_MAX);
    let _held = budget.reserve(FRAME_BYTES_MAX).await;
    assert!(is_blocked(budget.reserve(FRAME_BYTES_MAX)).await);
    assert!(!is_blocked(budget.reserve(SHORT_FRAME_BYTES_MAX)).await);
}

#[tokio::test]
async fn long_frames_take_turns() {
    let turns = Turns::default();
    let first = turns.turn(FRAME_BYTES_MAX).await;
    assert!(is_blocked(turns.turn(FRAME_BYTES_MAX)).await);
    assert!(!is_blocked(turns.turn(SHORT_FRAME_BYTES_MAX)).await);
    drop(first);
    assert!(!is_blocked(turns.turn(FRAME_BYTES_MAX)).await);
}

#[tokio::test]
async fn a_budget_too_small_still_takes_one_frame() {
    let budget = Budget::new(0, FRAME_BYTES_MAX);
    assert!(!is_blocked(budget.reserve(FRAME_BYTES_MAX)).await);
}

#[derive(Debug, Clone)]
enum Step {
    /// Somebody wants so many bytes.
    Reserve(usize),
    /// Somebody who has some gives them back.
    GiveBack(prop::sample::Index),
    /// Somebody gives up waiting.
    GiveUp(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    let bytes = prop_oneof![
        0..=SHORT_FRAME_BYTES_MAX,
        SHORT_FRAME_BYTES_MAX + 1..=FRAME_BYTES_MAX,
        Just(FRAME_BYTES_MAX)
    ];
    prop_oneof![
        4 => bytes.prop_map(Step::Reserve),
        3 => any::<prop::sample::Index>().prop_map(Step::GiveBack),
        1 => any::<prop::sample::Index>().prop_map(Step::GiveUp),
    ]
}

/// Who has bytes and who waits for some, in the order of their coming.
struct Crowd {
    budget: Budget,
    total: usize,
    short_total: usize,
    held: Vec<(usize, Reservation)>,
    waiting: VecDeque<(usize, JoinHandle<Reservation>)>,
}

impl Crowd {
    fn new(bytes_max: usize) -> Self {
        let budget = Budget::new(bytes_max, FRAME_BYTES_MAX);
        let (total, short_total) = (budget.available_bytes(), budget.short.available_permits());
        Self { budget, total, short_total, held: Vec::new(), waiting: VecDeque::new() }
    }

    async fn apply(&mut self, step: &Step) {
        match step {
            Step::Reserve(bytes) => {
                let (budget, bytes) = (self.budget.clone(), *bytes);
                let waiting = tokio::spawn(async move { budget.reserve(bytes).await });
                self.waiting.push_back((bytes, waiting));
            }
            Step::GiveBack(which) if !self.held.is_empty() => {
                self.held.swap_remove(which.index(self.held.len()));
            }
            Step::GiveUp(which) if !self.waiting.is_empty() => {
                self.waiting.remove(which.index(self.waiting.len())).unwrap().1.abort();
            }
            Step::GiveBack(_) | Step::GiveUp(_) => {}
        }
        self.settle().await;
    }

    /// Lets those who wait get what there is.
    async fn settle(&mut self) {
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
        let (served, waiting) = self.waiting.drain(..).partition(|(_, waiting)| waiting.is_finished());
        self.waiting = waiting;
        for (bytes, reserved) in Vec::from_iter::<VecDeque<_>>(served) {
            self.held.push((bytes, reserved.await.unwrap()));
        }
    }

    fn check(&self) {
        let held: usize = self.held.iter().map(|(bytes, _)| bytes).sum();
        // Whoever waits at the head of a pool may hold some of what is free already.
        let available = self.budget.available_bytes();
        assert!(held + available <= self.total, "{held} held and {available} free of {}", self.total);
        if self.waiting.is_empty() {
            assert_eq!(held + available, self.total);
        }
        let is_short = |bytes: &usize| *bytes <= SHORT_FRAME_BYTES_MAX;
        let short_held: usize = self.held.iter().map(|(bytes, _)| *bytes).filter(is_short).sum();
        let first_short = self.waiting.iter().map(|(bytes, _)| *bytes).find(is_short);
        let is_held_up = first_short.is_some_and(|bytes| short_held + bytes <= self.short_total);
        assert!(!is_held_up, "long frames hold up no short ones");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// No more is given than there is, what is given back or given up is free again, and everybody is served in the end.
    #[test]
    fn bytes_are_neither_made_nor_lost(steps in vec(step(), 0..60), mib in 1_usize..6) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut crowd = Crowd::new(mib << 20);
            for step in &steps {
                crowd.apply(step).await;
                crowd.check();
            }
            while !crowd.waiting.is_empty() {
                assert!(!crowd.held.is_empty(), "somebody waits although nobody has anything");
                crowd.held.clear();
                crowd.settle().await;
            }
            crowd.held.clear();
            assert_eq!(crowd.budget.available_bytes(), crowd.total);
        });
    }
}
