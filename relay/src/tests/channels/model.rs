//! Whoever adds and removes whom, in whatever order: the list is what a plain list says.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use qpq_proto::limits::RelayLimits;

use crate::tables::CHANNELS;
use crate::tests::world::{Device, World};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A step is who acts on whom: adding, or removing.
    #[test]
    fn lists_are_what_a_plain_list_says(steps in vec((0..4_u8, 0..4_u8, any::<bool>()), 1..60)) {
        let mut world = World::with(RelayLimits { members_per_channel_max: 3, ..RelayLimits::ROUTER });
        let device = |person: u8| Device { person: person + 1, number: 1 };
        let devices = [0, 1, 2, 3].map(|person| world.enrol(device(person)));
        let channel = world.group(devices[0], devices[1]).unwrap();
        // In the order in which they came, and who added each.
        let mut list: Vec<(u8, u8)> = vec![(0, 0), (1, 0)];
        for (who, whom, adds) in steps {
            let has = |person: u8| list.iter().any(|(member, _)| *member == person);
            let added: BTreeMap<u8, u8> = list.iter().copied().collect();
            let is_first = list.first().is_some_and(|(first, _)| *first == who);
            if adds {
                let is_done = world.add(devices[usize::from(who)], &channel, devices[usize::from(whom)]);
                let may = who != whom && has(who) && (has(whom) || list.len() < 3);
                prop_assert_eq!(is_done.is_ok(), may);
                if may && !has(whom) {
                    list.push((whom, who));
                }
            } else {
                let is_done = world.remove(devices[usize::from(who)], &channel, devices[usize::from(whom)]);
                let may = has(who) && has(whom)
                    && (who == whom || is_first || added.get(&whom) == Some(&who));
                prop_assert_eq!(is_done.is_ok(), may);
                if may {
                    list.retain(|(member, _)| *member != whom);
                }
            }
            for (member, _) in &list {
                let expected: BTreeSet<Vec<u8>> =
                    list.iter().map(|(person, _)| device(*person).identity().to_vec()).collect();
                prop_assert_eq!(world.members(device(*member), &channel), expected);
            }
            prop_assert_eq!(world.memory.count(CHANNELS), usize::from(!list.is_empty()));
        }
    }
}
