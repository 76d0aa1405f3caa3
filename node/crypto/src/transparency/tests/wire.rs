use qpq_proto::v1;

use super::lookups::three;
use super::*;
use crate::account::sign_revocation;
use crate::identity::IdentityKey;
use crate::transparency::prefix::PrefixProofError;

/// An answer as it travels.
pub(super) fn on_the_wire(
    relay: &Relay,
    name: &str,
    seen: u64,
    found: Option<(u64, u8)>,
) -> v1::ResolveUserResponse {
    let answer = relay.answer(Subject::Name(name), seen);
    let (version, byte) = found.unwrap_or_default();
    v1::ResolveUserResponse {
        identity_key: found.map(|_| identity(byte).to_vec()).unwrap_or_default(),
        version,
        proof: Some(v1::LookupProof {
            vrf_proof: answer.vrf_proof,
            opening: answer.opening.map(|opening| opening.to_vec()).unwrap_or_default(),
            prefix_path: answer.prefix_path.iter().map(|hash| hash.to_vec()).collect(),
            inclusion: answer.newest.as_ref().map(|newest| v1::InclusionProof {
                leaf_index: newest.index,
                tree_size: newest.size,
                path: newest.path.iter().map(|hash| hash.to_vec()).collect(),
            }),
            newest: answer.newest.as_ref().map(|newest| (&newest.entry).into()),
            neighbour: answer.neighbour.as_ref().map(Into::into),
        }),
        consistency: answer.consistency.as_ref().map(Into::into),
        tree_head: Some((&answer.head).into()),
    }
}

#[test]
fn names_are_resolved_from_the_wire() {
    let relay = three();
    let mut view = LogView::new(keys());
    let found = view.check_name("alice", &on_the_wire(&relay, "alice", 0, Some((2, 3))));
    assert_eq!(found, Ok(Some(NamedIdentity { identity: identity(3), version: 2 })));
    assert_eq!(view.check_name("dave", &on_the_wire(&relay, "dave", 3, None)), Ok(None));
    let another = view.check_name("bob", &on_the_wire(&relay, "alice", 3, Some((2, 3))));
    assert_eq!(another, Err(Violation::Label(crate::vrf::VrfError::Invalid)));
}

#[test]
fn a_name_that_was_given_up_is_nobodys_until_somebody_takes_it() {
    let (mut relay, mut view) = (three(), LogView::new(keys()));
    relay.set(Subject::Name("alice"), Value::Nobody);
    let given_up =
        v1::ResolveUserResponse { identity_key: Vec::new(), ..on_the_wire(&relay, "alice", 0, Some((3, 0))) };
    assert_eq!(view.check_name("alice", &given_up), Ok(None));
    let root = Err(Violation::Prefix(PrefixProofError::Root));
    let as_if = |version, byte| {
        let answer = v1::ResolveUserResponse { version, ..on_the_wire(&relay, "alice", 0, Some((3, byte))) };
        LogView::new(keys()).check_name("alice", &answer)
    };
    assert_eq!(as_if(3, 3), root, "whoever had it");
    let absent = v1::ResolveUserResponse { version: 0, ..given_up.clone() };
    assert_eq!(LogView::new(keys()).check_name("alice", &absent), root, "never taken");
    let older = v1::ResolveUserResponse { version: 2, ..given_up };
    assert_eq!(LogView::new(keys()).check_name("alice", &older), root, "another version");
    relay.set(Subject::Name("alice"), Value::Identity(&identity(9)));
    let taken = view.check_name("alice", &on_the_wire(&relay, "alice", 4, Some((4, 9))));
    assert_eq!(taken, Ok(Some(NamedIdentity { identity: identity(9), version: 4 })));
}

#[test]
fn keys_come_over_the_wire() {
    let sent = v1::TransparencyKeys::from(&keys());
    assert_eq!(LogKeys::try_from(&sent), Ok(keys()));
    let with = |change: &dyn Fn(&mut v1::TransparencyKeys)| {
        let mut changed = sent.clone();
        change(&mut changed);
        LogKeys::try_from(&changed)
    };
    assert_eq!(with(&|keys| keys.origin.clear()), Err(Violation::Malformed("origin")));
    assert_eq!(with(&|keys| keys.origin = "x".repeat(254)), Err(Violation::Malformed("origin")));
    assert_eq!(with(&|keys| keys.log_key.truncate(31)), Err(Violation::Malformed("log_key")));
    let no_key = Err(Violation::Label(crate::vrf::VrfError::PublicKey));
    assert_eq!(with(&|keys| keys.vrf_key.clear()), no_key);
}

#[test]
fn fields_of_the_wire_have_their_lengths() {
    let honest = on_the_wire(&three(), "alice", 0, Some((2, 3)));
    let with = |change: &dyn Fn(&mut v1::ResolveUserResponse, &mut v1::LookupProof)| {
        let mut answer = honest.clone();
        let mut proof = answer.proof.take().unwrap();
        change(&mut answer, &mut proof);
        answer.proof = Some(proof);
        LogView::new(keys()).check_name("alice", &answer)
    };
    let malformed = |field| Err(Violation::Malformed(field));
    assert!(with(&|_, _| ()).is_ok());
    let given_up = with(&|answer, _| answer.identity_key.clear());
    assert_eq!(given_up, Err(Violation::Prefix(PrefixProofError::Root)), "nobody instead of somebody");
    assert_eq!(with(&|answer, _| answer.identity_key.truncate(31)), malformed("identity_key"));
    assert_eq!(with(&|answer, _| answer.version = 0), malformed("version"));
    assert_eq!(with(&|answer, _| answer.tree_head = None), malformed("tree_head"));
    assert_eq!(with(&|_, proof| proof.opening.push(0)), malformed("opening"));
    assert_eq!(with(&|_, proof| proof.opening.clear()), malformed("opening"));
    assert_eq!(with(&|_, proof| proof.inclusion = None), malformed("inclusion"));
    assert_eq!(with(&|_, proof| proof.prefix_path = vec![vec![0; 32]; 257]), malformed("prefix_path"));
    assert_eq!(with(&|_, proof| proof.prefix_path[0].truncate(31)), malformed("prefix_path"));
}

#[test]
fn revocations_are_shown_and_signed() {
    let key = IdentityKey::from_seed(&[5; 32]);
    let identity = key.public();
    let subject = Subject::Revocation(&identity);
    let signature = sign_revocation(&key, 4, "lost").to_vec();
    let revocation = Revocation { sequence: 4, at_ms: 77, reason: "lost".to_owned(), signature };
    let mut relay = three();
    let answer = |relay: &Relay, revocation: Option<&Revocation>| {
        let lookup = relay.answer(subject, 0);
        let resolved = on_the_wire(relay, "alice", 0, None);
        let inclusion = resolved.proof.and_then(|proof| proof.inclusion);
        v1::CheckRevocationResponse {
            revoked: revocation.is_some(),
            reason: revocation.map(|revocation| revocation.reason.clone()).unwrap_or_default(),
            timestamp_ms: revocation.map_or(0, |revocation| revocation.at_ms),
            sequence: revocation.map_or(0, |revocation| revocation.sequence),
            signature: revocation.map(|revocation| revocation.signature.clone()).unwrap_or_default(),
            proof: Some(v1::RevocationProof {
                inclusion,
                prefix_path: lookup.prefix_path.iter().map(|hash| hash.to_vec()).collect(),
                tree_head: Some((&lookup.head).into()),
                vrf_proof: lookup.vrf_proof,
                opening: lookup.opening.map(|opening| opening.to_vec()).unwrap_or_default(),
                newest: lookup.newest.as_ref().map(|newest| (&newest.entry).into()),
                neighbour: lookup.neighbour.as_ref().map(Into::into),
                consistency: None,
            }),
        }
    };
    let check = |answer| LogView::new(keys()).check_revocation(&identity, &answer);
    assert_eq!(check(answer(&relay, None)), Ok(None));
    assert!(check(answer(&relay, Some(&revocation))).is_err(), "not in the log");
    relay.set(subject, Value::Revocation(&revocation));
    assert_eq!(check(answer(&relay, Some(&revocation))), Ok(Some(revocation.clone())));
    assert_eq!(check(answer(&relay, None)), Err(Violation::Prefix(PrefixProofError::Root)));
    let invented = Revocation { reason: "banned".to_owned(), ..revocation };
    assert_eq!(check(answer(&relay, Some(&invented))), Err(Violation::Revocation));
}
