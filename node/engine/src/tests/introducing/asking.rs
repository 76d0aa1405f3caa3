//! The way of a request from this node: the hybrid key first, then the request itself.

use super::*;

/// A node that asks bob, and whose connection to him comes up.
fn asking() -> (Bench, CallId) {
    let mut bench = Bench::of("alice");
    let request = v1::AddContactRequest { link: BOB.link(), name: String::new() };
    bench.owner::<v1::AddContactResponse>(Method::AddContact, &request).unwrap();
    let call = hybrid_key_call(&connect(&mut bench)).expect("the key is asked for");
    (bench, call)
}

fn connect(bench: &mut Bench) -> Vec<Effect> {
    bench.input(Input::PeerConnected { node: BOB.node(), address: "192.0.2.1:1".into() }).effects
}

/// The call for the hybrid key among effects.
fn hybrid_key_call(effects: &[Effect]) -> Option<CallId> {
    effects.iter().find_map(|effect| match effect {
        Effect::Call { call, node, method: Method::FetchHybridKey, .. } if *node == BOB.node() => Some(*call),
        _ => None,
    })
}

fn is_delivery(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Call { method: Method::Enqueue, .. }))
}

fn response(from: &Stranger, sequence: u64) -> v1::FetchHybridKeyResponse {
    let (hybrid_public_key, signature) = from.signed_hybrid_key(sequence);
    v1::FetchHybridKeyResponse { hybrid_public_key, signature, sequence }
}

fn state(bench: &mut Bench) -> String {
    contacts(bench).remove(0).1
}

fn alarms(bench: &mut Bench) -> Vec<String> {
    let page: v1::ReadEventsResponse =
        bench.owner(Method::ReadEvents, &v1::ReadEventsRequest::default()).unwrap();
    let alarm = |event: v1::Event| match event.kind {
        Some(v1::event::Kind::Alarm(alarm)) => Some(format!("{}: {}", alarm.code, alarm.text)),
        _ => None,
    };
    page.events.into_iter().filter_map(alarm).collect()
}

#[test]
fn the_key_is_asked_for_once_at_a_time_and_the_request_follows() {
    let (mut bench, call) = asking();
    assert_eq!(hybrid_key_call(&connect(&mut bench)), None, "one call is enough");
    let effects = bench.answer(call, Ok(response(&BOB, 1).encode_to_vec().into()));
    assert!(is_delivery(&effects), "{effects:?}");
    assert_eq!((state(&mut bench).as_str(), alarms(&mut bench)), ("requested", vec![]));
    assert_eq!(hybrid_key_call(&connect(&mut bench)), None, "it is known now");
    assert_eq!(bench.memory.count(tables::OUTGOING), 1);
}

#[test]
fn a_node_that_cannot_be_reached_is_asked_again() {
    let (mut bench, call) = asking();
    assert_eq!(bench.answer(call, Err(CallFailure::Unreachable)), []);
    assert_eq!(state(&mut bench), "requested");
    bench.input(Input::PeerDisconnected { node: BOB.node() });
    assert!(hybrid_key_call(&connect(&mut bench)).is_some());
    bench.restart();
    assert!(hybrid_key_call(&connect(&mut bench)).is_some(), "and after a restart");
}

#[test]
fn a_key_that_is_not_its_persons_ends_the_request() {
    let forged = |change: &dyn Fn(&mut v1::FetchHybridKeyResponse)| {
        let mut response = response(&BOB, 1);
        change(&mut response);
        Ok(response.encode_to_vec().into())
    };
    let refusal = Failure::not_found("this node does not serve that person");
    for (result, what) in [
        (Err(CallFailure::Refused(refusal)), "a refusal"),
        (Ok(Bytes::from_static(&[0xff; 9])), "nonsense"),
        (Ok(Bytes::new()), "nothing"),
        (Ok(response(&CAROL, 1).encode_to_vec().into()), "another's key"),
        (forged(&|response| response.sequence = 2), "another sequence than is signed"),
        (forged(&|response| response.signature[3] ^= 1), "a broken signature"),
        (forged(&|response| response.hybrid_public_key[3] ^= 1), "another key than is signed"),
        (forged(&|response| drop(response.hybrid_public_key.split_off(40))), "half a key"),
    ] {
        let (mut bench, call) = asking();
        assert!(!is_delivery(&bench.answer(call, result)), "{what}");
        assert_eq!(state(&mut bench), "refused", "{what}");
        let told = "contact-request-failed: the request to bob failed: the node in the link does not serve that person";
        assert_eq!(alarms(&mut bench), [told], "{what}");
        assert_eq!(bench.memory.count(tables::OUTGOING), 0);
    }
}

#[test]
fn a_request_that_failed_can_be_made_again() {
    let (mut bench, call) = asking();
    bench.answer(call, Ok(Bytes::new()));
    let request = v1::AddContactRequest { link: BOB.link(), name: "ignored".into() };
    let again: v1::AddContactResponse = bench.owner(Method::AddContact, &request).unwrap();
    let contact = again.contact.unwrap();
    assert_eq!((contact.name.as_str(), contact.state.as_str()), ("bob", "requested"), "the name stays");
}

#[test]
fn an_answer_that_comes_after_the_contact_was_removed_is_passed_over() {
    let (mut bench, call) = asking();
    let remove = v1::RemoveContactRequest { name: "bob".into() };
    bench.owner::<v1::RemoveContactResponse>(Method::RemoveContact, &remove).unwrap();
    assert_eq!(bench.answer(call, Ok(response(&BOB, 1).encode_to_vec().into())), []);
    assert_eq!((contacts(&mut bench), bench.memory.count(tables::PEOPLE)), (vec![], 0));
}

#[test]
fn the_request_is_refused_by_whoever_used_the_link_up() {
    let (mut bench, call) = asking();
    let effects = bench.answer(call, Ok(response(&BOB, 1).encode_to_vec().into()));
    let delivery = effects.iter().find_map(|effect| match effect {
        Effect::Call { call, method: Method::Enqueue, .. } => Some(*call),
        _ => None,
    });
    let refusal = Failure::not_found("the invitation was used, revoked, or has expired");
    bench.answer(delivery.unwrap(), Err(CallFailure::Refused(refusal)));
    assert_eq!(state(&mut bench), "refused");
    let told =
        "contact-request-failed: the request to bob failed: the invitation was used, revoked, or has expired";
    assert_eq!(alarms(&mut bench), [told]);
}

#[test]
fn a_contact_is_not_added_while_a_group_is_asked_for_through_it() {
    let mut bench = Bench::of("alice");
    let (identity, node, token) = (BOB.identity().public(), BOB.node(), [9; 16]);
    let (name, addresses) = ("bob".into(), Vec::new());
    let invitation = Invitation { identity, node, token, reusable: false, name, addresses, mailbox: None };
    let link = Link::Group { invitation, group: "village".into() }.to_string();
    bench.owner::<v1::JoinGroupResponse>(Method::JoinGroup, &v1::JoinGroupRequest { link }).unwrap();
    let request = v1::AddContactRequest { link: BOB.link(), name: String::new() };
    let refused = bench.owner::<v1::AddContactResponse>(Method::AddContact, &request).unwrap_err();
    assert_eq!(refused.status, Status::Conflict, "the answer would find no group any more");
    assert_eq!(contacts(&mut bench), []);
}
