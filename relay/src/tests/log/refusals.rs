//! What is refused, and which field is named.

use qpq_proto::limits::REASON_BYTES_MAX;
use qpq_proto::v1::{ResolveIdentityRequest, ResolveIdentityResponse};
use qpq_proto::{Failure, Status};

use super::*;
use crate::input::RelayError;
use crate::tests::people::status;

/// The field that a call is refused for.
fn refused<R: std::fmt::Debug>(answer: Result<R, Failure>) -> String {
    let failure = answer.unwrap_err();
    assert_eq!(failure.status, Status::BadRequest, "{failure:?}");
    failure.field
}

#[test]
fn a_name_is_a_name() {
    let mut world = World::new();
    for name in ["", "-rf", "a b", &"x".repeat(65)] {
        let request = ResolveUserRequest { username: name.to_owned(), last_tree_size: 0 };
        let answer: Result<ResolveUserResponse, _> = world.call(NODE, Method::ResolveUser, &request);
        assert_eq!(refused(answer), "username", "{name:?}");
    }
}

#[test]
fn an_identity_key_has_32_bytes() {
    let mut world = World::new();
    for length in [0, 31, 33] {
        let identity_key = vec![1; length];
        let request = CheckRevocationRequest { identity_key: identity_key.clone(), last_tree_size: 0 };
        let answer: Result<CheckRevocationResponse, _> = world.call(NODE, Method::CheckRevocation, &request);
        assert_eq!(refused(answer), "identity_key");
        let request = ResolveIdentityRequest { identity_key };
        let answer: Result<ResolveIdentityResponse, _> = world.call(NODE, Method::ResolveIdentity, &request);
        assert_eq!(refused(answer), "identity_key");
    }
    let nobody = ResolveIdentityRequest { identity_key: vec![1; 32] };
    let answer: Result<ResolveIdentityResponse, _> = world.call(NODE, Method::ResolveIdentity, &nobody);
    assert_eq!(status(answer), Status::NotFound);
}

#[test]
fn an_audit_goes_forward() {
    let mut world = World::new();
    #[expect(clippy::reversed_empty_ranges, reason = "that is what is refused")]
    let answer = read(&mut world, 2..1, 0);
    assert_eq!(refused(answer), "end");
}

#[test]
fn a_revocation_is_of_something_by_whoever_it_is_about_and_newer_than_its_devices() {
    let mut world = World::new();
    let mut client = Client::new(&mut world);
    let (ada, bob) = (join(&mut world, 1, "ada"), join(&mut world, 2, "bob"));
    log_in(&mut world, &ada, 1, 1).unwrap();
    let key = ada.identity();
    let nothing: Result<RevokeKeyResponse, _> =
        world.call(on(1), Method::RevokeKey, &RevokeKeyRequest { revocation: None });
    assert_eq!(refused(nothing), "revocation");
    assert_eq!(refused(revoke(&mut world, 1, Revoked::DeviceList(vec![0; 9]))), "device_list");
    let bobs = revoke(&mut world, 1, Revoked::DeviceList(bob.list()));
    assert_eq!(status(bobs), Status::Forbidden);

    let mut end = |ending: IdentityRevocation| revoke(&mut world, 1, Revoked::Identity(ending));
    let good = ending(&key, 2, "lost");
    let short = IdentityRevocation { identity_key: vec![1; 31], ..good.clone() };
    assert_eq!(refused(end(short)), "identity.identity_key");
    assert_eq!(status(end(ending(&bob.identity(), 2, "lost"))), Status::Forbidden);
    let long = ending(&key, 2, &"x".repeat(REASON_BYTES_MAX + 1));
    assert_eq!(refused(end(long)), "identity.reason");
    for changed in [
        IdentityRevocation { sequence: 3, ..good.clone() },
        IdentityRevocation { reason: "sold".to_owned(), ..good.clone() },
        IdentityRevocation { signature: vec![0; 64], ..good.clone() },
        IdentityRevocation { signature: Vec::new(), ..good.clone() },
    ] {
        assert_eq!(refused(end(changed)), "identity.signature");
    }
    assert_eq!(status(end(ending(&key, 1, "lost"))), Status::Conflict, "the device list has sequence 1");
    assert_eq!(client.end_of(&mut world, &key.public()), Ok(None), "nothing of all this counted");
    assert_eq!(client.view.size(), 2);
    revoke(&mut world, 1, Revoked::Identity(good)).unwrap();
}

#[test]
fn a_domain_is_no_longer_than_one_is_and_has_no_blanks() {
    let mut world = World::new();
    for domain in [&"x".repeat(254), "relay example", "relay+example", "relay\nexample"] {
        let answer = world.restart(domain);
        assert!(matches!(answer, Err(RelayError::Domain(_))), "{domain:?}");
    }
    for domain in [&"x".repeat(253), "relay.example"] {
        world.restart(domain).unwrap();
        let client = Client::new(&mut world);
        assert_eq!(client.view.keys().relay, *domain);
        assert_eq!(audit_all(&mut world, &client.view).len(), 1);
    }
    world.restart("").unwrap();
    let node = world.relay.node.public().to_string();
    assert_eq!(Client::new(&mut world).view.keys().relay, node, "the node's key where there is no domain");
}
