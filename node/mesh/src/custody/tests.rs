use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::bundle::{Bundle, Class, Label, SizeClass};
use crate::wire::Refusal;

const KIB: u64 = 1_024;
const QUOTAS: Quotas = Quotas {
    bytes_max: 64 * (KIB + OVERHEAD_BYTES),
    bundles_max: 60,
    neighbour_bytes_max: 16 * (KIB + OVERHEAD_BYTES),
    neighbour_bundles_max: 12,
};

fn node(byte: u8) -> NodeKey {
    NodeKey::from_bytes([byte; 32])
}

fn record(
    number: u64,
    class: Class,
    size: SizeClass,
    expires_ms: u64,
    tier: Tier,
    bringer: Option<u8>,
) -> Record {
    let salt = number.to_be_bytes();
    let label = Label { class, lifetime_max_s: 60, salt, tag: [0; 16], settle: None };
    let bundle = Bundle::new(label, vec![0; size.bytes()].into()).unwrap();
    Record {
        header: Arc::clone(bundle.header()),
        expires_ms,
        arrival: number,
        hops_left: 1,
        copies: 1,
        bringer: bringer.map(node),
        tier,
        is_mine: false,
        is_opened: false,
    }
}

fn message(number: u64, tier: Tier, bringer: u8) -> Record {
    record(number, Class::Message, SizeClass::Kib1, 1_000, tier, (tier != Tier::Own).then_some(bringer))
}

/// Takes a bundle in as the mesh does; what went for it.
fn take(custody: &mut Custody, record: &Record) -> Result<usize, Refusal> {
    let victims = custody.make_room(&QUOTAS, &record.header, record.tier, record.bringer)?;
    for victim in &victims {
        assert!(custody.remove(*victim).is_some());
    }
    custody.insert(record);
    Ok(victims.len())
}

/// Custody full of messages of one bringer each in these tiers.
fn full_of(of: &[(Tier, u8, u64)]) -> Custody {
    let mut custody = Custody::default();
    let mut number = 0;
    for (tier, bringer, count) in of {
        for _ in 0..*count {
            number += 1;
            take(&mut custody, &message(number, *tier, *bringer)).unwrap();
        }
    }
    custody
}

#[test]
fn a_contact_has_its_share_and_no_more() {
    let mut custody = full_of(&[(Tier::Contact, 1, 12)]);
    assert_eq!(take(&mut custody, &message(100, Tier::Contact, 1)), Err(Refusal::QuotaExceeded));
    assert_eq!(take(&mut custody, &message(101, Tier::Contact, 2)), Ok(0));
    let control = record(102, Class::Control, SizeClass::Kib1, 1_000, Tier::Contact, Some(1));
    assert_eq!(take(&mut custody, &control), Ok(1), "in place of a message of its own");
    assert_eq!(custody.accounts().of(Tier::Contact, Some(node(1))).unwrap().1.count(), 12);
}

#[test]
fn nothing_makes_room_for_its_own_class_from_the_same_neighbour() {
    let make = |number, class, size| record(number, class, size, 1_000, Tier::Contact, Some(1));
    let mut custody = Custody::default();
    for number in 0..3 {
        take(&mut custody, &make(number, Class::Message, SizeClass::Kib4)).unwrap();
    }
    // Smaller ones go first on a link, and are worth no more for that.
    for number in 3..8 {
        take(&mut custody, &make(number, Class::Message, SizeClass::Kib1)).unwrap();
    }
    for size in [SizeClass::Kib1, SizeClass::Kib4] {
        let same = make(10, Class::Message, size);
        assert_eq!(take(&mut custody, &same), Err(Refusal::QuotaExceeded), "{size:?}");
        assert_eq!(custody.len(), 8, "what is refused displaces nothing");
    }
    assert_eq!(take(&mut custody, &make(11, Class::Control, SizeClass::Kib1)), Ok(1));
}

#[test]
fn strangers_share_a_quarter() {
    let mut custody = full_of(&[(Tier::Stranger, 1, 4), (Tier::Stranger, 2, 4), (Tier::Stranger, 3, 4)]);
    assert_eq!(
        take(&mut custody, &message(100, Tier::Stranger, 1)),
        Err(Refusal::QuotaExceeded),
        "its quarter of it"
    );
    for number in 0..4 {
        take(&mut custody, &message(200 + number, Tier::Stranger, 4)).unwrap();
    }
    assert_eq!(custody.accounts().tier_bytes(Tier::Stranger), QUOTAS.tier_bytes_max(Tier::Stranger));
    assert_eq!(
        take(&mut custody, &message(300, Tier::Stranger, 5)),
        Ok(1),
        "the largest makes room for a new one"
    );
    assert_eq!(take(&mut custody, &message(400, Tier::Contact, 9)), Ok(0));
}

#[test]
fn a_stranger_never_displaces_anybody_closer() {
    let mut custody = full_of(&[(Tier::Contact, 1, 12), (Tier::Contact, 2, 12), (Tier::Contact, 3, 12)]);
    (0..24).for_each(|number| {
        take(&mut custody, &message(1_000 + number, Tier::Own, 0)).unwrap();
    });
    assert_eq!(custody.len(), 60);
    assert_eq!(take(&mut custody, &message(2_000, Tier::Stranger, 9)), Err(Refusal::QuotaExceeded));
    assert_eq!(
        take(&mut custody, &message(2_001, Tier::Own, 0)),
        Ok(1),
        "this node's own displaces a contact's"
    );
}

#[test]
fn paired_nodes_displace_contacts_up_to_half() {
    let mut custody = full_of(&[(Tier::Contact, 1, 12), (Tier::Contact, 2, 12), (Tier::Contact, 3, 12)]);
    (0..24).for_each(|number| {
        take(&mut custody, &message(1_000 + number, Tier::Paired, 9)).unwrap();
    });
    assert_eq!(custody.len(), 60);
    for number in 0..8 {
        assert_eq!(take(&mut custody, &message(2_000 + number, Tier::Paired, 8)), Ok(1));
    }
    assert_eq!(custody.accounts().tier_bytes(Tier::Paired), QUOTAS.tier_bytes_max(Tier::Paired));
    assert_eq!(take(&mut custody, &message(3_000, Tier::Paired, 9)), Err(Refusal::QuotaExceeded));
}

#[test]
fn what_is_worth_least_goes_first() {
    let mut custody = Custody::default();
    let make =
        |number, class, size, expires_ms| record(number, class, size, expires_ms, Tier::Contact, Some(1));
    let order = [
        make(1, Class::Topic, SizeClass::Kib1, 9_000),
        make(2, Class::Bulk, SizeClass::Kib4, 5_000),
        make(3, Class::Bulk, SizeClass::Kib1, 1_000),
        make(4, Class::Message, SizeClass::Kib1, 500),
        make(5, Class::Message, SizeClass::Kib1, 600),
        make(6, Class::Control, SizeClass::Kib1, 1),
    ];
    let keys: Vec<_> = order.iter().rev().map(|record| custody.insert(record)).rev().collect();
    let (_, account) = custody.accounts().of(Tier::Contact, Some(node(1))).unwrap();
    assert!(account.least_worthy().eq(keys));
}

#[test]
fn topics_have_a_budget_of_their_own() {
    let mut custody = Custody::default();
    for number in 0..16 {
        let topic = record(number, Class::Topic, SizeClass::Kib1, 1, Tier::Paired, Some(1));
        assert_eq!(take(&mut custody, &topic), Ok(0));
    }
    for tier in [Tier::Paired, Tier::Contact, Tier::Stranger] {
        let topic = record(99, Class::Topic, SizeClass::Kib1, 1, tier, Some(1));
        assert_eq!(take(&mut custody, &topic), Err(Refusal::QuotaExceeded), "{tier:?}");
    }
    let message = record(100, Class::Message, SizeClass::Kib1, 1, Tier::Contact, Some(2));
    assert_eq!(take(&mut custody, &message), Ok(0));
}

#[test]
fn posts_of_strangers_make_room_for_posts_of_contacts_and_own_ones() {
    let mut custody = Custody::default();
    let topic = |number, tier, by: u8| {
        let bringer = (tier != Tier::Own).then_some(by);
        record(number, Class::Topic, SizeClass::Kib1, number, tier, bringer)
    };
    for number in 0..12 {
        take(&mut custody, &topic(number, Tier::Stranger, u8::try_from(number / 3).unwrap() + 1)).unwrap();
    }
    (12..16).for_each(|number| assert_eq!(take(&mut custody, &topic(number, Tier::Contact, 9)), Ok(0)));
    for (number, tier) in (16..20).map(|n| (n, Tier::Contact)).chain((20..28).map(|n| (n, Tier::Own))) {
        assert_eq!(take(&mut custody, &topic(number, tier, 8)), Ok(1), "{number}");
    }
    let left = |tier| custody.accounts().tier_bytes(tier) / (1_024 + OVERHEAD_BYTES);
    assert_eq!((left(Tier::Stranger), left(Tier::Contact), left(Tier::Own)), (0, 8, 8));
    (28..36).for_each(|number| assert_eq!(take(&mut custody, &topic(number, Tier::Own, 0)), Ok(1)));
    assert_eq!(take(&mut custody, &topic(99, Tier::Own, 0)), Err(Refusal::QuotaExceeded), "own ones stay");
}

#[derive(Clone, Debug)]
enum Step {
    Take { number: u64, class: usize, size: usize, tier: usize, bringer: u8 },
    Remove(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..400_u64, 0..4_usize, 0..3_usize, 0..4_usize, 1..6_u8)
            .prop_map(|(number, class, size, tier, bringer)| Step::Take { number, class, size, tier, bringer }),
        1 => any::<prop::sample::Index>().prop_map(Step::Remove),
    ]
}

const TIERS: [Tier; 4] = [Tier::Own, Tier::Paired, Tier::Contact, Tier::Stranger];

proptest! {
    /// Against a plain list of what is held: quotas are never exceeded, a tier never loses to one further away, nothing
    /// disappears but what was said to.
    #[test]
    fn custody_keeps_its_promises(steps in prop::collection::vec(step(), 1..300)) {
        let mut custody = Custody::default();
        let mut model: BTreeMap<SortKey, Record> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Remove(index) => {
                    let Some(key) = model.keys().nth(index.index(model.len().max(1))).copied() else { continue };
                    model.remove(&key);
                    prop_assert!(custody.remove(key).is_some());
                    prop_assert!(custody.remove(key).is_none());
                }
                Step::Take { number, class, size, tier, bringer } => {
                    let tier = TIERS[tier];
                    let bringer = (tier != Tier::Own).then_some(bringer);
                    let (class, size) = (Class::ALL[class], SizeClass::ALL[size]);
                    let record = record(number, class, size, number * 7 % 50, tier, bringer);
                    let key = SortKey::of(&record.header);
                    if model.contains_key(&key) {
                        continue;
                    }
                    if let Ok(victims) = custody.make_room(&QUOTAS, &record.header, tier, record.bringer) {
                        for victim in victims {
                            let gone = model.remove(&victim).expect("it was held, and goes once");
                            let is_own_account = gone.tier == tier && gone.bringer == record.bringer;
                            prop_assert!(gone.tier != Tier::Own || tier == Tier::Own && is_own_account);
                            prop_assert!(gone.tier >= tier, "{:?} made room for {:?}", gone.tier, tier);
                            custody.remove(victim);
                        }
                        custody.insert(&record);
                        model.insert(key, record);
                    }
                }
            }
            check(&custody, &model)?;
        }
    }
}

fn check(custody: &Custody, model: &BTreeMap<SortKey, Record>) -> Result<(), TestCaseError> {
    prop_assert!(custody.iter().map(|(key, _)| key).eq(model.keys().copied()));
    let bytes = |of: &dyn Fn(&Record) -> bool| -> u64 {
        model.values().filter(|record| of(record)).map(|record| cost_bytes(&record.header)).sum()
    };
    let accounts = custody.accounts();
    prop_assert_eq!(accounts.total_bytes(), bytes(&|_| true));
    prop_assert!(accounts.total_bytes() <= QUOTAS.bytes_max && custody.len() <= QUOTAS.bundles_max);
    prop_assert!(bytes(&|record| record.header.kind().class == Class::Topic) <= QUOTAS.topic_bytes_max());
    for tier in TIERS {
        prop_assert_eq!(accounts.tier_bytes(tier), bytes(&|record| record.tier == tier));
        prop_assert!(accounts.tier_bytes(tier) <= QUOTAS.tier_bytes_max(tier));
        let (bytes_max, count_max) = QUOTAS.bringer_max(tier);
        for (_, account) in accounts.of_tier(tier) {
            prop_assert!(account.bytes <= bytes_max && account.count() <= count_max);
        }
    }
    prop_assert_eq!(custody.next_expiry_ms(), model.values().map(|record| record.expires_ms).min());
    for (key, entry) in custody.iter() {
        prop_assert_eq!(&custody.record(entry), &model[&key]);
        prop_assert_eq!(custody.find(key.short()), Some(key));
    }
    Ok(())
}
