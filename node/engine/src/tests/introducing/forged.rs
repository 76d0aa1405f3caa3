//! Introductions that are not what they seem.

use super::*;

#[test]
fn what_is_not_sealed_or_signed_as_it_should_be_is_refused() {
    let mut bench = Bench::of("alice");
    let token = invite(&mut bench, true);
    let good = BOB.signs(&bench, &BOB.request("bob", &token));
    let changed = |change: &dyn Fn(&mut v1::SignedIntroduction)| {
        let mut signed = good.clone();
        change(&mut signed);
        signed
    };
    let to_another = {
        let signature = BOB.device().sign(Domain::Introduction, &[&[9; 32], &good.introduction]).to_vec();
        changed(&|signed| signed.signature.clone_from(&signature))
    };
    let of_another_kind = {
        let receiver = bench.engine.me().unwrap().id();
        let signature = BOB.device().sign(Domain::GroupChange, &[&receiver, &good.introduction]).to_vec();
        changed(&|signed| signed.signature.clone_from(&signature))
    };
    for (signed, status, what) in [
        (changed(&|signed| signed.device_list.truncate(50)), Status::BadRequest, "half a device list"),
        (changed(&|signed| signed.device_list.clear()), Status::BadRequest, "no device list"),
        (changed(&|signed| signed.device.truncate(31)), Status::BadRequest, "a short device key"),
        (
            changed(&|signed| signed.device_list = CAROL.list().encode()),
            Status::Forbidden,
            "another's device list",
        ),
        (changed(&|signed| signed.device = vec![9; 32]), Status::Forbidden, "a device of nobody"),
        (changed(&|signed| signed.signature[5] ^= 1), Status::Forbidden, "a broken signature"),
        (changed(&|signed| signed.signature.clear()), Status::Forbidden, "no signature"),
        (changed(&|signed| signed.introduction[1] ^= 1), Status::Forbidden, "another text"),
        (to_another, Status::Forbidden, "signed for another receiver"),
        (of_another_kind, Status::Forbidden, "signed as something else"),
        (BOB.signs(&bench, &v1::Introduction::default()), Status::BadRequest, "nothing said"),
    ] {
        assert_eq!(bring(&mut bench, &signed).unwrap_err().status, status, "{what}");
        assert_eq!(contacts(&mut bench), [], "{what}");
    }
    let own = bench.engine.me().unwrap().hybrid.public();
    for (key, inner, what) in [
        (CAROL.hybrid(), good.encode_to_vec(), "sealed to another"),
        (own, vec![0xff; 40], "nonsense sealed"),
    ] {
        let payload = parcel(&mut bench, &key, &inner);
        let refused = deliver(&mut bench, payload).unwrap_err();
        assert_eq!((refused.status, refused.field.as_str()), (Status::BadRequest, "payload"), "{what}");
    }
    assert_eq!(bring(&mut bench, &good), Ok(v1::Disposition::Delivered));
    assert_eq!(contacts(&mut bench), [pending("bob")]);
}

#[test]
fn profiles_are_checked_before_a_link_is_used_up() {
    let mut bench = Bench::of("alice");
    let token = invite(&mut bench, false);
    let with = |change: &dyn Fn(&mut v1::Profile)| {
        let mut profile = BOB.profile("bob");
        change(&mut profile);
        let request = v1::ContactRequest {
            token: token.clone(),
            profile: Some(profile),
            ..v1::ContactRequest::default()
        };
        v1::Introduction { sent_at_ms: 1, kind: Some(Kind::Request(request)) }
    };
    let (stolen, of_carol) = CAROL.signed_hybrid_key(1);
    for (request, what) in [
        (with(&|profile| *profile = v1::Profile::default()), "nothing"),
        (with(&|profile| profile.hybrid_signature[0] ^= 1), "a broken signature"),
        (with(&|profile| profile.hybrid_sequence = 2), "another sequence than is signed"),
        (with(&|profile| profile.hybrid_key.truncate(100)), "half a key"),
        (with(&|profile| profile.hybrid_key.clone_from(&stolen)), "another's key"),
        (with(&|profile| profile.hybrid_signature.clone_from(&of_carol)), "another's signature"),
        (with(&|profile| profile.name.clear()), "no name"),
        (with(&|profile| profile.name = "\u{202e}bob".into()), "a bidirectional override"),
        (with(&|profile| profile.name = "x".repeat(65)), "a name that is too long"),
    ] {
        let refused = introduce(&mut bench, &BOB, &request).unwrap_err();
        assert_eq!((refused.status, refused.field.as_str()), (Status::BadRequest, "payload"), "{what}");
        assert_eq!((bench.memory.count(tables::INVITATIONS), contacts(&mut bench).len()), (1, 0), "{what}");
    }
}

#[test]
fn only_who_was_asked_can_accept() {
    let mut bench = Bench::of("alice");
    let accept = |bench: &mut Bench, from: &Stranger, token: &[u8]| {
        let refused = introduce(bench, from, &from.acceptance(token)).unwrap_err();
        assert_eq!(refused.status, Status::Forbidden);
        refused.message
    };
    let (not_asked, broken) = ("this person was not asked", "the welcome is not acceptable");
    for token in [&[][..], &[2; 16]] {
        assert_eq!(accept(&mut bench, &BOB, token), not_asked, "nobody was");
    }
    let request = v1::AddContactRequest { link: BOB.link(), name: String::new() };
    bench.owner::<v1::AddContactResponse>(Method::AddContact, &request).unwrap();
    for token in [&[][..], &[9; 16], &[2; 15]] {
        assert_eq!(accept(&mut bench, &BOB, token), not_asked, "{token:?}");
    }
    assert_eq!(accept(&mut bench, &CAROL, &[2; 16]), not_asked, "with the token of another's request");
    assert_eq!(accept(&mut bench, &BOB, &[2; 16]), broken, "the right token and a welcome that is none");
    assert_eq!(contacts(&mut bench), [("bob".to_owned(), "requested".to_owned())], "it is asked still");
    bench.with(|engine, cx| {
        let bob = engine.find_contact(cx, "bob").unwrap();
        engine.request_failed(cx, bob, "it was withdrawn").unwrap();
    });
    for token in [&[][..], &[2; 16]] {
        assert_eq!(accept(&mut bench, &BOB, token), not_asked, "no request is open any more");
    }
}
