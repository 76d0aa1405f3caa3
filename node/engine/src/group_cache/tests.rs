//! Which groups are in memory, against a list ordered by use.

use proptest::prelude::*;
use prost::Message as _;
use qpq_proto::v1::{GroupKind, GroupRecord};

use super::*;
use crate::tests::bench::Bench;

const GROUPS: usize = 6;

/// A node with groups of this person alone, none of them in memory, and room for so many.
fn bench(count_max: usize, bytes_max: usize) -> (Bench, Vec<Vec<u8>>) {
    let mut bench = Bench::of("alice");
    let ids = (0..GROUPS).map(|_| create(&mut bench)).collect();
    bench.engine.groups = GroupCache { count_max, bytes_max, ..GroupCache::default() };
    (bench, ids)
}

fn create(bench: &mut Bench) -> Vec<u8> {
    bench.with(|engine, cx| {
        let record = GroupRecord {
            version: 1,
            kind: GroupKind::Group.into(),
            routing_secret: cx.random::<32>().to_vec(),
            ..GroupRecord::default()
        };
        let me = engine.me.as_ref().unwrap();
        let group =
            mls::Group::create(&mut me.mls(cx), mls::Suite::Classical, &record.encode_to_vec()).unwrap();
        let id = group.id().0.to_vec();
        engine.groups.insert(group);
        id
    })
}

fn use_group(engine: &mut Engine, cx: &mut Context<'_>, id: &[u8]) {
    let is_active = engine.with_group(cx, id, |group, _| Ok(group.is_active())).unwrap();
    assert!(is_active);
}

fn cached(bench: &Bench) -> BTreeSet<Vec<u8>> {
    bench.engine.groups.groups.keys().cloned().collect()
}

#[derive(Debug, Clone)]
enum Step {
    /// Groups are used by one input, which is kept or dropped.
    Use {
        which: Vec<usize>,
        is_kept: bool,
    },
    Forget(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (prop::collection::vec(0..GROUPS, 1..4), any::<bool>())
            .prop_map(|(which, is_kept)| Step::Use { which, is_kept }),
        1 => (0..GROUPS).prop_map(Step::Forget),
    ];
    prop::collection::vec(step, 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_least_recently_used_make_room(count_max in 1..4_usize, steps in steps()) {
        let (mut bench, ids) = bench(count_max, usize::MAX);
        // The most recently used last.
        let mut model: Vec<usize> = Vec::new();
        for step in steps {
            match step {
                Step::Use { which, is_kept } => {
                    let act = |engine: &mut Engine, cx: &mut Context<'_>| {
                        which.iter().for_each(|number| use_group(engine, cx, &ids[*number]));
                    };
                    if is_kept { bench.with(act) } else { bench.in_vain(act) }
                    for number in &which {
                        model.retain(|other| other != number);
                        model.push(*number);
                        let surplus = model.len().saturating_sub(count_max);
                        model.drain(..surplus);
                    }
                    if !is_kept {
                        model.retain(|number| !which.contains(number));
                    }
                }
                Step::Forget(number) => {
                    bench.engine.groups.forget(&ids[number]);
                    model.retain(|other| *other != number);
                }
            }
            let expected: BTreeSet<Vec<u8>> = model.iter().map(|number| ids[*number].clone()).collect();
            prop_assert_eq!(cached(&bench), expected);
        }
    }
}

#[test]
fn memory_is_limited_too_but_one_group_may_stay() {
    let one = GROUP_BYTES + MEMBER_BYTES;
    for (bytes_max, expected) in [(0, 1), (one - 1, 1), (one, 1), (2 * one, 2), (3 * one + 1, 3)] {
        let (mut bench, ids) = bench(usize::MAX, bytes_max);
        for id in &ids {
            bench.with(|engine, cx| use_group(engine, cx, id));
        }
        assert_eq!(cached(&bench).len(), expected, "{bytes_max} bytes");
        assert!(cached(&bench).contains(ids.last().unwrap()));
    }
}

#[test]
fn what_a_dropped_input_changed_is_read_again() {
    let (mut bench, ids) = bench(8, usize::MAX);
    let seal = |engine: &mut Engine, cx: &mut Context<'_>| {
        engine.with_group(cx, &ids[0], |group, mls| {
            group.commit(
                mls,
                mls::Changes { add: &[], remove: &[], record: None, annotation: &[], force_path: true },
            )
        })
    };
    let epoch = |bench: &mut Bench| bench.with(|e, cx| e.group_view(cx, &ids[0]).unwrap().epoch_number);
    let before = epoch(&mut bench);
    bench.in_vain(seal).unwrap();
    assert_eq!(epoch(&mut bench), before);
    bench.with(seal).unwrap();
    assert_eq!(epoch(&mut bench), before + 1);
    bench.restart();
    assert_eq!(epoch(&mut bench), before + 1);
}

#[test]
fn groups_that_are_not_here_are_absent() {
    let (mut bench, ids) = bench(8, usize::MAX);
    for id in [&[][..], &[1; 31], &[1; 32], &[1; 33]] {
        let found = bench.with(|engine, cx| engine.group_view(cx, id).map(|view| view.epoch_number));
        assert!(matches!(found, Err(GroupFailure::Absent)), "{id:?}");
        bench.with(|engine, cx| engine.delete_group(cx, id)).unwrap();
    }
    bench.with(|engine, cx| engine.delete_group(cx, &ids[0])).unwrap();
    let found = bench.with(|engine, cx| engine.group_view(cx, &ids[0]).map(|view| view.epoch_number));
    assert!(matches!(found, Err(GroupFailure::Absent)));
    bench.with(|engine, cx| use_group(engine, cx, &ids[1]));
}

#[test]
fn nothing_is_done_with_groups_before_there_is_a_person() {
    let mut bench = Bench::empty();
    let found = bench.with(|engine, cx| engine.group_view(cx, &[1; 32]).map(|view| view.epoch_number));
    assert!(matches!(found, Err(GroupFailure::Absent)));
    bench.with(|engine, cx| engine.delete_group(cx, &[1; 32])).unwrap();
}

#[test]
fn a_message_that_cannot_be_opened_leaves_the_group_in_memory() {
    let (mut bench, ids) = bench(8, usize::MAX);
    bench.with(|engine, cx| use_group(engine, cx, &ids[0]));
    let opened = bench.with(|engine, cx| {
        engine.with_group(cx, &ids[0], |group, mls| group.open(mls, b"garbage", &mut |_| Ok(())))
    });
    assert!(matches!(opened, Err(GroupFailure::Mls(mls::MlsError::Malformed))));
    assert_eq!(cached(&bench), BTreeSet::from([ids[0].clone()]));
}

#[test]
fn a_caller_does_not_learn_what_is_wrong_inside() {
    let failure = qpq_proto::Failure::from(GroupFailure::Absent);
    assert_eq!((failure.status, failure.message.contains("group")), (qpq_proto::Status::Internal, false));
}
