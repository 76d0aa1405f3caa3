use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Takes a place a second after the last event.
async fn take(places: &mut Places) -> (Arc<Place>, bool) {
    tokio::time::advance(Duration::from_secs(1)).await;
    places.take()
}

async fn must_leave(place: &Place) -> bool {
    tokio::time::timeout(Duration::ZERO, place.must_leave()).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn nobody_leaves_while_there_are_places() {
    let mut places = Places::new(2);
    let (first, _) = take(&mut places).await;
    drop(take(&mut places).await);
    let (third, is_crowded) = take(&mut places).await;
    assert!(!is_crowded && !must_leave(&first).await && !must_leave(&third).await);
}

#[tokio::test(start_paused = true)]
async fn the_longest_idle_leaves_and_whoever_has_a_call_stays() {
    let mut places = Places::new(3);
    let (busy, _) = take(&mut places).await;
    let _call = busy.call();
    let (once_used, _) = take(&mut places).await;
    let (unused, _) = take(&mut places).await;
    tokio::time::advance(Duration::from_secs(1)).await;
    drop(once_used.call());
    let (_newcomer, is_crowded) = take(&mut places).await;
    assert!(is_crowded && must_leave(&unused).await);
    assert!(!must_leave(&busy).await && !must_leave(&once_used).await);
    let (_newcomer, _) = take(&mut places).await;
    assert!(!must_leave(&busy).await && must_leave(&once_used).await);
}

#[tokio::test(start_paused = true)]
async fn where_all_have_calls_the_one_that_waited_longest_leaves() {
    let mut places = Places::new(2);
    let (first, _) = take(&mut places).await;
    let _first = first.call();
    let (second, _) = take(&mut places).await;
    let _second = second.call();
    assert!(take(&mut places).await.1);
    assert!(must_leave(&first).await && !must_leave(&second).await);
}

#[derive(Debug, Clone)]
enum Step {
    Take,
    Drop(prop::sample::Index),
    Call(prop::sample::Index),
    EndCall(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Take),
        1 => any::<prop::sample::Index>().prop_map(Step::Drop),
        3 => any::<prop::sample::Index>().prop_map(Step::Call),
        2 => any::<prop::sample::Index>().prop_map(Step::EndCall),
    ]
}

/// A connection and its calls under way.
type Used = (Arc<Place>, Vec<Call>);

async fn check(steps: Vec<Step>) {
    const MAX: usize = 4;
    let (mut places, mut used) = (Places::new(MAX), Vec::<Used>::new());
    for step in steps {
        tokio::time::advance(Duration::from_secs(1)).await;
        match step {
            Step::Take => {
                let has_idle = used.iter().any(|(_, calls)| calls.is_empty());
                let was_full = used.len() == MAX;
                let (place, is_crowded) = places.take();
                assert_eq!(is_crowded, was_full);
                let mut left = Vec::new();
                for (index, (place, _)) in used.iter().enumerate() {
                    if must_leave(place).await {
                        left.push(index);
                    }
                }
                assert_eq!(left.len(), usize::from(was_full), "one leaves, and only for a newcomer");
                for index in left {
                    let (_, calls) = used.remove(index);
                    assert!(calls.is_empty() || !has_idle, "an idle one leaves first");
                }
                used.push((place, Vec::new()));
            }
            Step::Drop(which) if !used.is_empty() => drop(used.remove(which.index(used.len()))),
            Step::Call(which) if !used.is_empty() => {
                let index = which.index(used.len());
                let call = used[index].0.call();
                used[index].1.push(call);
            }
            Step::EndCall(which) if !used.is_empty() => {
                let index = which.index(used.len());
                used[index].1.pop();
            }
            _ => {}
        }
        assert!(used.len() <= MAX);
    }
}

proptest! {
    /// Whatever connections do: there are no more than allowed, a newcomer is never turned away, and nobody has to leave
    /// without need.
    #[test]
    fn a_newcomer_always_finds_a_place(steps in vec(step(), 0..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(check(steps));
    }
}
