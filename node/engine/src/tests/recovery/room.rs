//! Contacts for whom there is no room in a bundle.

use super::*;
use crate::records::{PersonRecord, Standing};

/// Contacts whose records are so long that a bundle holds three of them, besides bob.
const LONG_BYTES: usize = 300_000;

#[test]
fn the_contacts_of_late_come_back_and_the_owner_is_told_of_the_others() {
    let (mut world, links) = with_relays(1);
    world.act(ALICE, |engine, cx| {
        for number in 1..=5u8 {
            let person = PersonRecord {
                identity: vec![number; 32],
                name: format!("long {number}"),
                standing: Standing::Blocked.into(),
                // Since 1970: longer ago than anything else.
                added_at_ms: number.into(),
                hybrid_key: vec![number; LONG_BYTES],
                ..PersonRecord::default()
            };
            engine.save_person(cx, &person).unwrap();
        }
    });
    let made = propose(&mut world, ALICE).unwrap();
    assert_eq!((made.contacts, made.contacts_left_out), (4, 2));
    confirm(&mut world, ALICE, &made.set).unwrap();
    world.pass(1_000);
    let shown = show(&mut world, ALICE);
    assert_eq!((shown.contacts, shown.contacts_left_out, shown.relays[0].stored), (4, 2, 8));
    world.stop(ALICE);
    let again = fresh(&mut world);
    let used = use_code(&mut world, again, &links[0], &made.codes[0]).unwrap();
    // What is no contact, for want of a device list, is passed over.
    assert_eq!((used.contacts, used.contacts_left_out), (1, 2));
}
