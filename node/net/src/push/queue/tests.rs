use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const BOUNDS: Bounds = Bounds { events_max: 4, bytes_max: 1_000 };

/// What is taken: the number of an event, or how many were dropped.
#[derive(Debug, PartialEq, Eq)]
enum Taken {
    Event(u8),
    Lagged(u64),
}

fn take(queue: &mut Queue) -> Option<Taken> {
    let frame = queue.take()?;
    assert_eq!(frame.header.payload_bytes, frame.payload.len());
    Some(match frame.header.event.unwrap() {
        PushEvent::Lagged => Taken::Lagged(Lagged::decode(frame.payload).unwrap().dropped),
        _ => Taken::Event(frame.payload[0]),
    })
}

fn take_all(queue: &mut Queue) -> Vec<Taken> {
    std::iter::from_fn(|| take(queue)).collect()
}

fn push(queue: &mut Queue, number: u8, bytes: usize) -> bool {
    queue.push(PushEvent::NewMessage, vec![number; bytes].into(), BOUNDS)
}

#[test]
fn the_oldest_make_room_and_are_counted_where_they_were() {
    let mut queue = Queue::default();
    for number in 0..6 {
        assert!(push(&mut queue, number, 10));
    }
    use Taken::{Event, Lagged};
    assert_eq!(take_all(&mut queue), [Lagged(2), Event(2), Event(3), Event(4), Event(5)]);
    assert!(queue.is_empty() && queue.bytes() == 0);
    for number in 0..3 {
        push(&mut queue, number, 400);
    }
    assert_eq!(take_all(&mut queue), [Lagged(1), Event(1), Event(2)]);
}

#[test]
fn what_never_fits_drops_what_came_before_it_too() {
    let mut queue = Queue::default();
    push(&mut queue, 1, 10);
    assert!(push(&mut queue, 2, 1_000));
    push(&mut queue, 3, 10);
    assert_eq!(take_all(&mut queue), [Taken::Lagged(2), Taken::Event(3)]);
}

#[test]
fn a_mute_queue_only_counts() {
    let mut queue = Queue::default();
    push(&mut queue, 1, 10);
    queue.mute();
    assert!(!push(&mut queue, 2, 10) && queue.is_empty() && queue.bytes() == 0);
    assert_eq!(take(&mut queue), None);
    queue.listen();
    assert!(!queue.is_empty());
    assert_eq!(take_all(&mut queue), [Taken::Lagged(2)]);
}

#[derive(Debug, Clone)]
enum Step {
    Push(usize),
    Take,
    Mute,
    Listen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1_usize..1_100).prop_map(Step::Push),
        3 => Just(Step::Take),
        1 => Just(Step::Mute),
        1 => Just(Step::Listen),
    ]
}

proptest! {
    /// Every event is taken once and in order, or counted as dropped where it was; the bounds hold at every moment.
    #[test]
    fn nothing_is_lost_uncounted(steps in vec(step(), 0..200)) {
        let mut queue = Queue::default();
        let (mut pushed, mut next) = (0_u64, 0_u64);
        let check = |taken: Taken, next: &mut u64| match taken {
            Taken::Event(number) => {
                assert_eq!(u64::from(number), *next % 256);
                *next += 1;
            }
            Taken::Lagged(dropped) => *next += dropped,
        };
        for step in steps {
            match step {
                Step::Push(bytes) => {
                    push(&mut queue, u8::try_from(pushed % 256).unwrap(), bytes);
                    pushed += 1;
                }
                Step::Take => if let Some(taken) = take(&mut queue) { check(taken, &mut next) },
                Step::Mute => queue.mute(),
                Step::Listen => queue.listen(),
            }
            prop_assert!(queue.events.len() <= BOUNDS.events_max && queue.bytes() <= BOUNDS.bytes_max);
            let bytes = queue.events.iter().map(|(_, payload)| payload.len() + EVENT_OVERHEAD_BYTES);
            prop_assert_eq!(queue.bytes(), bytes.sum::<usize>());
        }
        queue.listen();
        for taken in take_all(&mut queue) {
            check(taken, &mut next);
        }
        prop_assert_eq!(next, pushed);
    }
}
