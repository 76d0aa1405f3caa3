//! Who commits and who may remove, in groups of chance, against rules written down once more.

use proptest::prelude::*;

use super::*;

/// Somebody in a group, or not.
#[derive(Debug, Clone)]
struct Lot {
    is_member: bool,
    is_administrator: bool,
    is_leaving: bool,
    is_revoked: bool,
}

fn lot() -> impl Strategy<Value = Lot> {
    (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(is_member, is_administrator, is_leaving, is_revoked)| Lot {
            is_member,
            is_administrator,
            is_leaving,
            is_revoked,
        },
    )
}

proptest! {
    #[test]
    fn there_is_one_committer_and_administrators_remove(
        lots in proptest::collection::vec(lot(), 6),
        turned in 0..6usize,
    ) {
        let people: Vec<(Person, Lot)> = (1..).map(Person).zip(lots).collect();
        let chosen = |wanted: fn(&Lot) -> bool| people.iter().filter(move |(_, lot)| wanted(lot));
        let mut members: Vec<mls::Member> =
            chosen(|lot| lot.is_member).map(|(person, _)| person.member()).collect();
        let length = members.len();
        members.rotate_left(if length == 0 { 0 } else { turned % length });
        let administrators: Vec<&Person> =
            chosen(|lot| lot.is_administrator).map(|(person, _)| person).collect();
        let group = GroupView { members, ..group(GroupKind::Group, &administrators) };
        let leaving: Vec<Vec<u8>> = chosen(|lot| lot.is_leaving).map(|(person, _)| person.id()).collect();
        let revoked: Vec<Vec<u8>> = chosen(|lot| lot.is_revoked)
            .map(|(person, _)| person.device().public().as_bytes().to_vec())
            .collect();

        // The people stand in the order of their leaves.
        let first = people.iter().find(|(_, lot)| lot.is_member && !lot.is_leaving && !lot.is_revoked);
        let commits = committer(&group, Away { leaving: &leaving, revoked: &revoked });
        prop_assert_eq!(commits.map(|member| member.leaf), first.map(|(person, _)| person.0.into()));

        let lowest = people.iter().find(|(_, lot)| lot.is_member).map(|(person, _)| person.0);
        let has_administrator = people.iter().any(|(_, lot)| lot.is_member && lot.is_administrator);
        for (person, lot) in &people {
            let may = if has_administrator { lot.is_administrator } else { lowest == Some(person.0) };
            prop_assert_eq!(may_remove(&group, &person.id()), may);
            let asks = check_change(&group, &person.asks(5, remove(&ALICE)));
            prop_assert_eq!(asks.is_ok(), may && lot.is_member, "only members ask");
        }
    }
}
