//! By what a device that is not there is woken.

use super::*;
use crate::input::{Input, Wake};

#[test]
fn a_push_token_is_the_devices_own_and_of_a_service() {
    let mut world = world();
    assert!(world.push_token(LAPTOP, PushKind::UnifiedPush, b"https://push.example.org/x").unwrap());
    assert!(!world.push_token(LAPTOP, PushKind::Apns, b"token").unwrap(), "this relay cannot");
    assert!(!world.push_token(LAPTOP, PushKind::Fcm, b"token").unwrap(), "this relay cannot");
    for (kind, token, field) in [
        (PushKind::Unspecified, &b"token"[..], "kind"),
        (PushKind::Apns, &[b'x'; 4_097], "token"),
        (PushKind::UnifiedPush, b"http://push.example.org/x", "token"),
        (PushKind::UnifiedPush, b"https://192.168.1.1/", "token"),
    ] {
        let refused = world.push_token(LAPTOP, kind, token).unwrap_err();
        assert_eq!((refused.status, refused.field.as_str()), (Status::BadRequest, field));
    }
    for (device_id, expected) in [
        (vec![1; 31], Status::BadRequest),
        (BOB.key().to_vec(), Status::Forbidden),
        (PHONE.key().to_vec(), Status::Forbidden),
    ] {
        let request =
            RegisterPushTokenRequest { device_id, kind: PushKind::Fcm.into(), token: b"x".to_vec() };
        let refused: Result<RegisterPushTokenResponse, _> =
            world.call(LAPTOP.caller(), Method::RegisterPushToken, &request);
        assert_eq!(refused.unwrap_err().status, expected);
    }
    assert_eq!(world.memory.count(PUSH_TOKENS), 1);
    assert!(!world.push_token(LAPTOP, PushKind::UnifiedPush, b"").unwrap());
    assert_eq!(world.memory.count(PUSH_TOKENS), 0);
}

#[test]
fn a_device_that_is_away_is_woken_once_in_an_interval_until_it_comes() {
    let mut world = world();
    let endpoint = "https://push.example.org/x";
    world.push_token(LAPTOP, PushKind::UnifiedPush, endpoint.as_bytes()).unwrap();
    let mut number = 0;
    let mut send = |world: &mut World| {
        number += 1;
        let laptop = LAPTOP.identity();
        world.enqueue(BOB.caller(), laptop.as_bytes(), &number.to_string()).unwrap();
        world.ended_and_woken().1
    };
    assert_eq!(send(&mut world), [""; 0], "it is there");
    world.leave(LAPTOP);
    assert_eq!(send(&mut world), [endpoint]);
    assert_eq!(send(&mut world), [""; 0]);
    world.pass(60_000);
    assert_eq!(send(&mut world), [endpoint]);
    world.log_in(LAPTOP, false);
    world.leave(LAPTOP);
    assert_eq!(send(&mut world), [endpoint], "it came and went");
    world.log_in(LAPTOP, false);
    world.push_token(LAPTOP, PushKind::Fcm, b"token").unwrap();
    world.leave(LAPTOP);
    assert_eq!(send(&mut world), [""; 0], "by no service that the relay does not reach");
}

#[test]
fn an_endpoint_that_is_gone_is_forgotten_and_the_one_in_its_place_is_not() {
    let mut world = world();
    let [old, new] = ["https://push.example.org/old", "https://push.example.org/new"];
    let gone = |endpoint: &str| {
        let (owner, device) = (LAPTOP.identity(), LAPTOP.key());
        Input::EndpointGone(Wake { owner, device, endpoint: endpoint.to_owned() })
    };
    world.push_token(LAPTOP, PushKind::UnifiedPush, old.as_bytes()).unwrap();
    world.push_token(LAPTOP, PushKind::UnifiedPush, new.as_bytes()).unwrap();
    world.give(gone(old));
    assert_eq!(world.memory.count(PUSH_TOKENS), 1, "the device named another one meanwhile");
    world.give(gone(new));
    assert_eq!(world.memory.count(PUSH_TOKENS), 0);
    world.give(gone(new));
    world.push_token(LAPTOP, PushKind::Fcm, new.as_bytes()).unwrap();
    world.give(gone(new));
    assert_eq!(world.memory.count(PUSH_TOKENS), 1, "a token of another service is no endpoint");
}
