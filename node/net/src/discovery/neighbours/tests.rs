use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn heard(node: u8, address: &str) -> Heard {
    Heard { node: NodeKey::from_bytes([node; 32]), addresses: vec![address.parse().unwrap()] }
}

fn name(node: u8) -> String {
    full_name(NodeKey::from_bytes([node; 32]))
}

fn nodes(neighbours: &Neighbours) -> Vec<u8> {
    neighbours.nodes().map(|node| node.as_bytes()[0]).collect()
}

#[test]
fn an_answer_counts_until_it_expires() {
    let (mut neighbours, now) = (Neighbours::new(9), Instant::now());
    let answer = heard(1, "192.0.2.1:1");
    assert_eq!(neighbours.answered(answer.clone(), now), Some(answer.clone()));
    assert_eq!(neighbours.next_expiry(), Some(now + UNCONFIRMED));
    assert!(neighbours.expired(now + UNCONFIRMED - Duration::from_millis(1)).is_empty());
    assert_eq!(neighbours.expired(now + UNCONFIRMED), [answer.node]);
    assert_eq!((nodes(&neighbours), neighbours.next_expiry()), (vec![], None));
}

#[test]
fn an_announcement_confirms_an_answer_and_knows_better() {
    let (mut neighbours, now) = (Neighbours::new(9), Instant::now());
    neighbours.answered(heard(1, "192.0.2.1:1"), now).unwrap();
    let announced = heard(1, "192.0.2.2:1");
    assert_eq!(neighbours.announced(announced.clone()), Some(announced.clone()));
    assert_eq!(neighbours.answered(heard(1, "192.0.2.1:1"), now), None);
    assert_eq!(neighbours.next_expiry(), None);
    assert!(neighbours.expired(now + 2 * UNCONFIRMED).is_empty());
    assert_eq!(neighbours.removed(&name(1)), Some(announced.node));
    assert_eq!(neighbours.removed(&name(1)), None);
}

#[test]
fn answers_on_several_interfaces_add_up() {
    let (mut neighbours, now) = (Neighbours::new(9), Instant::now());
    let reached =
        |heard: Option<Heard>| heard.unwrap().addresses.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(reached(neighbours.answered(heard(1, "[fe80::1%2]:1"), now)), ["[fe80::1%2]:1"]);
    assert_eq!(reached(neighbours.answered(heard(1, "192.0.2.1:1"), now)), ["192.0.2.1:1"]);
    let both = reached(neighbours.answered(heard(1, "[2001:db8::1]:1"), now));
    assert_eq!(both, ["192.0.2.1:1", "[2001:db8::1]:1"]);
}

#[test]
fn a_goodbye_ends_an_answer_too() {
    let mut neighbours = Neighbours::new(9);
    let answer = neighbours.answered(heard(1, "192.0.2.1:1"), Instant::now()).unwrap();
    assert_eq!(neighbours.removed(&name(1)), Some(answer.node));
    assert_eq!(neighbours.next_expiry(), None);
}

#[test]
fn there_is_room_for_so_many_and_no_more() {
    let (mut neighbours, now) = (Neighbours::new(2), Instant::now());
    neighbours.answered(heard(1, "192.0.2.1:1"), now).unwrap();
    neighbours.announced(heard(2, "192.0.2.2:1")).unwrap();
    assert_eq!(neighbours.answered(heard(3, "192.0.2.3:1"), now), None);
    assert_eq!(neighbours.announced(heard(3, "192.0.2.3:1")), None);
    assert!(neighbours.announced(heard(1, "192.0.2.9:1")).is_some());
    assert_eq!(nodes(&neighbours), [1, 2]);
    neighbours.removed(&name(1));
    assert!(neighbours.announced(heard(3, "192.0.2.3:1")).is_some());
}

#[test]
fn who_announced_itself_to_an_mdns_that_is_over_is_in_sight_as_long_as_an_answer() {
    let (mut neighbours, now) = (Neighbours::new(9), Instant::now());
    let kept = neighbours.announced(heard(1, "192.0.2.1:1")).unwrap();
    let gone = neighbours.announced(heard(2, "192.0.2.2:1")).unwrap();
    neighbours.answered(heard(3, "192.0.2.3:1"), now).unwrap();
    let renewed = now + UNCONFIRMED / 2;
    neighbours.doubt(renewed);
    assert_eq!(neighbours.next_expiry(), Some(now + UNCONFIRMED), "an answer is doubted already");
    assert_eq!(neighbours.announced(kept.clone()), Some(kept));
    assert_eq!(nodes(&neighbours), [1, 2, 3]);
    assert_eq!(neighbours.expired(now + UNCONFIRMED).len(), 1);
    assert_eq!(neighbours.expired(renewed + UNCONFIRMED), [gone.node]);
    assert_eq!((nodes(&neighbours), neighbours.next_expiry()), (vec![1], None));
}

#[test]
fn an_answer_shows_that_a_doubted_node_is_there_and_changes_nothing_else() {
    let (mut neighbours, now) = (Neighbours::new(9), Instant::now());
    neighbours.announced(heard(1, "192.0.2.1:1")).unwrap();
    neighbours.doubt(now);
    let later = now + UNCONFIRMED / 2;
    assert_eq!(neighbours.answered(heard(1, "192.0.2.9:1"), later), None);
    assert!(neighbours.expired(now + UNCONFIRMED).is_empty());
    assert_eq!(neighbours.expired(later + UNCONFIRMED).len(), 1);
}

#[derive(Debug, Clone)]
enum Step {
    Announced(u8),
    Answered(u8),
    Removed(u8),
    Doubt,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u8..8).prop_map(Step::Announced),
        4 => (0_u8..8).prop_map(Step::Answered),
        2 => (0_u8..8).prop_map(Step::Removed),
        1 => Just(Step::Doubt),
        3 => (0_u64..12_000).prop_map(Step::Wait),
    ]
}

/// The nodes in sight with the moment until which each is, `None` for those that announce themselves.
type Model = BTreeMap<u8, Option<Instant>>;

const MAX: usize = 5;

fn apply(neighbours: &mut Neighbours, model: &mut Model, now: &mut Instant, step: &Step) {
    let has_room = |model: &Model, node: u8| model.len() < MAX || model.contains_key(&node);
    match *step {
        Step::Announced(node) => {
            let told = neighbours.announced(heard(node, "192.0.2.1:1"));
            assert_eq!(told.is_some(), has_room(model, node));
            told.map(|_| model.insert(node, None));
        }
        Step::Answered(node) => {
            let told = neighbours.answered(heard(node, "192.0.2.1:1"), *now);
            assert!(has_room(model, node) || told.is_none());
            if has_room(model, node) && model.get(&node) != Some(&None) {
                model.insert(node, Some(*now + UNCONFIRMED));
            }
        }
        Step::Removed(node) => {
            assert_eq!(neighbours.removed(&name(node)).is_some(), model.remove(&node).is_some());
        }
        Step::Doubt => {
            neighbours.doubt(*now);
            model.values_mut().for_each(|until| {
                until.get_or_insert(*now + UNCONFIRMED);
            });
        }
        Step::Wait(ms) => *now += Duration::from_millis(ms),
    }
}

proptest! {
    /// Whatever happens: there are no more than allowed, and each is in sight exactly as long as it should be.
    #[test]
    fn who_is_in_sight_is_as_expected(steps in vec(step(), 0..120)) {
        let (mut neighbours, mut model, mut now) = (Neighbours::new(MAX), Model::new(), Instant::now());
        for step in &steps {
            apply(&mut neighbours, &mut model, &mut now, step);
            prop_assert_eq!(neighbours.next_expiry(), model.values().flatten().min().copied());
            let gone = neighbours.expired(now).len();
            let before = model.len();
            model.retain(|_, until| until.is_none_or(|until| until > now));
            prop_assert_eq!(gone, before - model.len());
            prop_assert_eq!(nodes(&neighbours), model.keys().copied().collect::<Vec<_>>());
            prop_assert!(neighbours.len() <= MAX);
        }
    }
}
