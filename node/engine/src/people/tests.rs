//! Names: who may have which, and who is found by them.

use proptest::prelude::*;
use qpq_proto::{Method, Status, v1};

use super::*;
use crate::tests::bench::Bench;
use names::{Name, Names, POOL};

mod names;

/// Adds somebody by a link, and returns the name given.
fn add(bench: &mut Bench, who: u8, in_link: &str, wanted: &str) -> Result<String, Failure> {
    let request = v1::AddContactRequest { link: names::link(who, in_link), name: wanted.into() };
    let added: v1::AddContactResponse = bench.owner(Method::AddContact, &request)?;
    Ok(added.contact.unwrap().name)
}

fn rename(bench: &mut Bench, name: &str, new_name: &str) -> Result<String, Failure> {
    let request = v1::RenameContactRequest { name: name.into(), new_name: new_name.into() };
    let renamed: v1::RenameContactResponse = bench.owner(Method::RenameContact, &request)?;
    Ok(renamed.contact.unwrap().name)
}

fn contacts(bench: &mut Bench) -> Vec<(String, String)> {
    let request = v1::ListContactsRequest {};
    let listed: v1::ListContactsResponse = bench.owner(Method::ListContacts, &request).unwrap();
    listed.contacts.into_iter().map(|contact| (contact.name, contact.state)).collect()
}

#[test]
fn a_name_that_is_taken_or_looks_like_one_gets_a_number() {
    for (names, given) in [
        (["bob", "bob", "BOB"], ["bob", "bob-2", "BOB-3"]),
        (["bob", "b0b", "ВОВ"], ["bob", "b0b-2", "ВОВ-3"]),
        (["bill", "biII", "bi1l"], ["bill", "biII-2", "bi1l-3"]),
        (["alice", "аlice", "Аlice"], ["alice-2", "аlice-3", "Аlice-4"]),
        (["bob-2", "bob", "bob"], ["bob-2", "bob", "bob-3"]),
        (["Ян", "ян", "Яна"], ["Ян", "ян-2", "Яна"]),
    ] {
        let mut bench = Bench::of("alice");
        let got = [1, 2, 3].map(|who| add(&mut bench, who, names[usize::from(who) - 1], "").unwrap());
        assert_eq!(got, given);
    }
}

#[test]
fn a_number_still_fits_into_the_longest_name() {
    let mut bench = Bench::of("alice");
    let long = "x".repeat(64);
    assert_eq!(add(&mut bench, 1, &long, "").unwrap(), long);
    let second = add(&mut bench, 2, &long, "").unwrap();
    assert_eq!(second, format!("{}-2", "x".repeat(56)));
    assert_eq!(rename(&mut bench, &second, &second).unwrap(), second, "it is a name like any other");
}

#[test]
fn the_owner_may_choose_what_looks_like_another_but_not_what_is_taken() {
    let mut bench = Bench::of("alice");
    add(&mut bench, 1, "bob", "").unwrap();
    add(&mut bench, 2, "b0b", "").unwrap();
    assert_eq!(rename(&mut bench, "b0b-2", "b0b").unwrap(), "b0b");
    assert_eq!(rename(&mut bench, "b0b", "alice").unwrap(), "alice", "even one's own");
    let refused = rename(&mut bench, "alice", "BoB").unwrap_err();
    assert_eq!(
        (refused.status, refused.message.as_str()),
        (Status::Conflict, "another contact is named @BoB already")
    );
    assert_eq!(
        contacts(&mut bench).iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["alice", "bob"]
    );
}

#[test]
fn groups_and_contacts_do_not_take_each_others_names() {
    let mut bench = Bench::of("alice");
    for (name, given) in [("bob", "bob"), ("b0b", "b0b-2")] {
        let (group, contact) = bench.with(|engine, cx| {
            let id = [name.as_bytes()[1]; 32];
            let group = engine.claim_name(cx, '#', name, &id).unwrap();
            let record = ConversationRecord {
                id: id.to_vec(),
                kind: Kind::Group.into(),
                name: group.clone(),
                ..Default::default()
            };
            engine.save_conversation(cx, &record).unwrap();
            let contact = engine.claim_name(cx, '@', name, &id).unwrap();
            let record = PersonRecord {
                identity: id.to_vec(),
                standing: Standing::Accepted.into(),
                name: contact.clone(),
                ..Default::default()
            };
            engine.save_person(cx, &record).unwrap();
            (group, contact)
        });
        assert_eq!((group.as_str(), contact.as_str()), (given, given));
    }
}

#[test]
fn what_is_no_name_is_called_unnamed() {
    let mut bench = Bench::empty();
    for (target, (wanted, given)) in
        [("", "unnamed"), ("two words", "unnamed-2"), ("\u{202e}bob", "unnamed-3")].into_iter().enumerate()
    {
        let target = [u8::try_from(target).unwrap(); 32];
        let name = bench.with(|engine, cx| engine.claim_name(cx, '@', wanted, &target).unwrap());
        assert_eq!(name, given, "{wanted:?}");
    }
}

#[test]
fn a_member_is_shown_so_that_nobody_takes_it_for_a_contact() {
    let mut bench = Bench::of("alice");
    add(&mut bench, 1, "bob", "").unwrap();
    let member = names::key(7);
    let short = &member.to_string()[..4];
    let meet = |bench: &mut Bench, identity: Identity, name: &str| {
        let profile = MemberProfile { name: name.into(), ..MemberProfile::default() };
        bench.with(|engine, cx| {
            engine.learn_member(cx, identity, names::node(9), Some(&profile)).unwrap();
            engine.display_name(cx, identity.as_bytes()).unwrap()
        })
    };
    assert_eq!(meet(&mut bench, member, "bob"), format!("~bob-{short}"));
    assert_eq!(
        meet(&mut bench, member, "two words"),
        format!("~bob-{short}"),
        "what is no name changes nothing"
    );
    assert_eq!(
        meet(&mut bench, member, "robert"),
        format!("~robert-{short}"),
        "members may rename themselves"
    );
    assert_eq!(meet(&mut bench, names::key(1), "mallory"), "bob", "and contacts may not");
    assert_eq!(
        bench.with(|engine, cx| engine.find_contact(cx, "robert").unwrap_err().status),
        Status::NotFound
    );
    let stranger = bench.with(|engine, cx| engine.display_name(cx, &[5; 32]).unwrap());
    assert_eq!((stranger.len(), stranger.starts_with('~')), (5, true), "nobody knows more than the key");
    let own = bench.engine.me().unwrap().id();
    assert_eq!(bench.with(|engine, cx| engine.display_name(cx, &own).unwrap()), "alice");
}

#[test]
fn the_newest_addresses_are_kept_and_none_twice() {
    let mut person = PersonRecord::default();
    let address = |port: usize| format!("192.0.2.1:{port}");
    let learn = |person: &mut PersonRecord, ports: &[usize]| {
        person.learn_addresses(&ports.iter().copied().map(address).collect::<Vec<_>>());
    };
    learn(&mut person, &[1, 2, 3]);
    learn(&mut person, &[3, 4]);
    assert_eq!(person.addresses, [3, 4, 1, 2].map(address));
    learn(&mut person, &(10..30).collect::<Vec<_>>());
    assert_eq!(person.addresses, (10..18).map(address).collect::<Vec<_>>());
    person.learn_addresses(&["localhost:1".into(), "192.0.2.1".into(), String::new(), "[::1]:7".into()]);
    assert_eq!(person.addresses[0], "[::1]:7", "what is no address is not kept");
    assert_eq!(person.socket_addresses().len(), ADDRESSES_MAX);
}

#[derive(Debug, Clone)]
enum Step {
    Add { who: u8, in_link: Name, wanted: Option<Name> },
    Rename { who: u8, new_name: Name },
    Remove(u8),
    Block { who: u8, unblock: bool },
    Meet { who: u8, name: Name },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let (who, name) = (|| 1..6u8, || (0..POOL.len()).prop_map(|index| POOL[index]));
    prop_oneof![
        5 => (who(), name(), proptest::option::of(name()))
            .prop_map(|(who, in_link, wanted)| Step::Add { who, in_link, wanted }),
        3 => (who(), name()).prop_map(|(who, new_name)| Step::Rename { who, new_name }),
        2 => who().prop_map(Step::Remove),
        2 => (who(), any::<bool>()).prop_map(|(who, unblock)| Step::Block { who, unblock }),
        1 => (who(), name()).prop_map(|(who, name)| Step::Meet { who, name }),
        1 => Just(Step::Restart),
    ]
}

/// Does a step with the node and with the model, which must agree.
fn take(bench: &mut Bench, model: &mut Names, step: Step) {
    match step {
        Step::Add { who, in_link, wanted } => {
            let added = add(bench, who, in_link.text, wanted.map_or("", |wanted| wanted.text));
            assert_eq!(added.ok(), model.add(who, wanted.unwrap_or(in_link)));
        }
        Step::Rename { who, new_name } => {
            let Some(name) = model.name(who) else { return };
            assert_eq!(rename(bench, &name, new_name.text).ok(), model.rename(who, new_name));
        }
        Step::Remove(who) => {
            let Some(name) = model.name(who) else { return };
            let request = v1::RemoveContactRequest { name: format!("@{name}") };
            bench.owner::<v1::RemoveContactResponse>(Method::RemoveContact, &request).unwrap();
            model.remove(who);
        }
        Step::Block { who, unblock } => {
            let Some(name) = model.name(who) else { return };
            let request = v1::BlockContactRequest { name, unblock };
            bench.owner::<v1::BlockContactResponse>(Method::BlockContact, &request).unwrap();
            model.block(who, unblock);
        }
        Step::Meet { who, name } => bench.with(|engine, cx| {
            let profile = MemberProfile { name: name.text.into(), ..MemberProfile::default() };
            engine.learn_member(cx, names::key(who), names::node(who), Some(&profile)).unwrap();
        }),
        Step::Restart => drop(bench.restart()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn names_are_unique_and_lead_to_whom_they_were_given(steps in proptest::collection::vec(step(), 1..40)) {
        let mut bench = Bench::of(names::OWN.text);
        let mut model = Names::default();
        for step in steps {
            take(&mut bench, &mut model, step);
            prop_assert_eq!(contacts(&mut bench), model.listed());
            let find = |bench: &mut Bench, name: &str| {
                bench.with(|engine, cx| engine.find_contact(cx, name).ok().map(|person| person.identity))
            };
            for (who, name) in model.names() {
                for spelling in [name.clone(), format!("@{name}"), name.to_uppercase(), name.to_lowercase()] {
                    prop_assert_eq!(find(&mut bench, &spelling), Some(names::key(who).as_bytes().to_vec()));
                }
            }
            for name in POOL.iter().filter(|name| !model.is_taken(**name)) {
                prop_assert_eq!(find(&mut bench, name.text), None, "{} is free", name.text);
            }
            let conversations = bench.memory.count(CONVERSATIONS);
            prop_assert_eq!(conversations, model.names().len(), "each contact has one conversation");
        }
    }
}

#[test]
fn so_many_nodes_of_a_member_are_known_and_the_newest() {
    let mut bench = Bench::of("alice");
    let identity = Identity::from_bytes([7; 32]);
    bench.with(|engine, cx| {
        for number in 0..20 {
            engine.learn_member(cx, identity, NodeKey::from_bytes([number; 32]), None).unwrap();
        }
        let nodes = engine.person(cx, &[7; 32]).unwrap().unwrap().nodes;
        assert_eq!(nodes, (15..20).map(|number| vec![number; 32]).collect::<Vec<_>>());
        assert_eq!(engine.owners_of_node(cx, NodeKey::from_bytes([3; 32])).unwrap().len(), 0);
    });
}
