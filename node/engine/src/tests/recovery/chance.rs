//! Whatever happens in between: a code that is counted at a relay brings its person back.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Event {
    SetUp,
    /// Codes that nobody is shown.
    Propose,
    Revoke(u32),
    Open(usize, bool),
    Silence(usize, bool),
    Leave(usize),
    Register(usize),
    Restart,
    Steps(usize),
    Pass(u64),
    Rename(u8),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        2 => Just(Event::SetUp),
        1 => Just(Event::Propose),
        2 => (1..9u32).prop_map(Event::Revoke),
        3 => (0..2usize, any::<bool>()).prop_map(|(office, is_up)| Event::Open(office, is_up)),
        2 => (0..2usize, any::<bool>()).prop_map(|(office, is_silent)| Event::Silence(office, is_silent)),
        1 => (0..2usize).prop_map(Event::Leave),
        1 => (0..2usize).prop_map(Event::Register),
        2 => Just(Event::Restart),
        3 => (1..12usize).prop_map(Event::Steps),
        3 => (1..4_000_000u64).prop_map(Event::Pass),
        1 => any::<u8>().prop_map(Event::Rename),
    ]
}

/// Does it; what cannot be done now is not.
fn happen(world: &mut World, links: &[String], written: &mut Vec<String>, event: &Event) {
    match event {
        Event::SetUp => {
            if let Ok(made) = propose(world, ALICE) {
                confirm(world, ALICE, &made.set).unwrap();
                *written = made.codes;
            }
        }
        Event::Propose => drop(propose(world, ALICE)),
        Event::Revoke(number) => {
            let request = v1::RevokeRecoveryCodeRequest { number: *number };
            drop(world.owner::<v1::RevokeRecoveryCodeResponse>(ALICE, Method::RevokeRecoveryCode, &request));
        }
        Event::Open(office, is_up) => world.open_office(*office, *is_up),
        Event::Silence(office, is_silent) => world.offices[*office].is_silent = *is_silent,
        Event::Leave(office) => {
            let request = v1::LeaveRelayRequest { relay: links[*office].clone() };
            drop(world.owner::<v1::LeaveRelayResponse>(ALICE, Method::LeaveRelay, &request));
        }
        Event::Register(office) => {
            drop(world.register(ALICE, &links[*office]));
            drop(world.log_in(ALICE, &links[*office], "correct horse"));
        }
        Event::Restart => {
            world.stop(ALICE);
            world.start(ALICE);
        }
        Event::Steps(steps) => {
            for _ in 0..*steps {
                world.step();
            }
        }
        Event::Pass(ms) => world.pass(*ms),
        Event::Rename(number) => {
            let contacts: v1::ListContactsResponse =
                world.owner(ALICE, Method::ListContacts, &v1::ListContactsRequest {}).unwrap();
            let name = contacts.contacts[0].name.clone();
            let request = v1::RenameContactRequest { name, new_name: format!("bob {number}") };
            drop(world.owner::<v1::RenameContactResponse>(ALICE, Method::RenameContact, &request));
        }
    }
}

/// Every code that is counted opens, at as many relays as it is said to lie at, and no other does.
fn check(world: &mut World, links: &[String], written: &[String]) {
    let counted = codes(world, ALICE);
    (0..links.len()).for_each(|office| {
        world.offices[office].is_silent = false;
        world.offices[office].is_up = true;
    });
    for (number, code) in (1..).zip(written) {
        let expected = counted.iter().find(|(of, _)| *of == number).map_or(0, |(_, relays)| *relays);
        let mut opened = 0;
        for link in links {
            let again = fresh(world);
            match use_code(world, again, link, code) {
                Ok(used) => {
                    assert_eq!(used.number, number);
                    assert_eq!(used.name, "alice");
                    opened += 1;
                }
                Err(refused) => assert_eq!(refused.status, Status::NotFound, "{refused}"),
            }
        }
        assert!(
            opened >= expected,
            "code {number} is said to lie at {expected} relays, and lies at {opened}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_code_that_is_counted_brings_back(events in proptest::collection::vec(event(), 1..16)) {
        let (mut world, links) = with_relays(2);
        let mut written = Vec::new();
        for event in &events {
            happen(&mut world, &links, &mut written, event);
        }
        check(&mut world, &links, &written);
    }

    #[test]
    fn whatever_happened_relays_are_brought_up_to_date(events in proptest::collection::vec(event(), 1..16)) {
        let (mut world, links) = with_relays(2);
        let mut written = Vec::new();
        for event in &events {
            happen(&mut world, &links, &mut written, event);
        }
        for (office, link) in links.iter().enumerate() {
            world.offices[office].is_silent = false;
            world.open_office(office, true);
            drop(world.log_in(ALICE, link, "correct horse"));
        }
        world.pass(8_000_000);
        let shown = show(&mut world, ALICE);
        for relay in &shown.relays {
            let expected = u32::try_from(shown.codes.len()).unwrap();
            prop_assert_eq!((relay.stored, relay.to_delete, relay.state.as_str()), (expected, 0, "stored"));
        }
        for office in &world.offices {
            prop_assert_eq!(office.bundles.len(), shown.codes.len());
        }
    }
}
