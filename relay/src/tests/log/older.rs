//! A relay that starts again, that gets another name, whose clock goes back, and whose storage is put back.

use qpq_crypto::transparency::merkle::ProofError;
use qpq_crypto::transparency::{Contradiction, ForkProof, TreeHeadError};

use qpq_proto::Status;

use super::*;
use crate::log::SignedTree;
use crate::relay::{Config, Relay};
use crate::tests::world::config;

/// Starts the relay again, which is told what it has signed.
fn restart_knowing(world: &mut World, domain: &str, signed: &[SignedTree]) {
    let config = Config { signed_trees: signed.to_vec(), ..config(world.relay.limits.clone(), domain) };
    world.relay = Relay::open(config, &mut world.rng, &mut world.memory).unwrap();
}

/// How the relay answers who asks for a name or reads its log.
fn refusals(world: &mut World) -> [Option<Failure>; 2] {
    let request = ResolveUserRequest { username: "ada".to_owned(), last_tree_size: 0 };
    let asked: Result<ResolveUserResponse, _> = world.call(NODE, Method::ResolveUser, &request);
    [asked.err(), read(world, 0..9, 0).err()]
}

#[test]
fn a_tree_is_given_to_be_kept_once_and_again_after_a_crash() {
    let mut world = World::new();
    join(&mut world, 1, "ada");
    assert_eq!(world.relay.signed_tree(), None, "nobody has seen it");
    let mut client = Client::new(&mut world);
    client.who_is(&mut world, "ada").unwrap();
    let signed = world.relay.signed_tree().cloned().unwrap();
    assert_eq!((signed.size, &signed.root), (1, &client.view.newest().unwrap().root));
    world.relay.tree_is_kept();
    client.who_is(&mut world, "ada").unwrap();
    assert_eq!(world.relay.signed_tree(), None, "it is the same tree");
    restart_knowing(&mut world, "", &[]);
    assert_eq!(world.relay.signed_tree(), Some(&signed), "who knows whether it was kept");
    restart_knowing(&mut world, "", &[signed]);
    assert_eq!((world.relay.signed_tree(), world.relay.is_log_older()), (None, false));
}

#[test]
fn a_log_that_is_older_than_what_was_signed_is_proved_no_more_until_it_has_another_name() {
    let mut world = World::new();
    join(&mut world, 1, "ada");
    let older = world.memory.clone();
    join(&mut world, 2, "bob");
    Client::new(&mut world).who_is(&mut world, "bob").unwrap();
    let signed = [world.relay.signed_tree().cloned().unwrap()];
    world.memory = older;
    restart_knowing(&mut world, "", &signed);
    assert!(world.relay.is_log_older());
    for refused in refusals(&mut world) {
        let refused = refused.unwrap();
        assert_eq!(refused.status, Status::Unavailable);
        assert!(refused.message.contains("relay_domain"), "{refused}");
    }
    // As many entries as were signed, but others.
    join(&mut world, 3, "cyd");
    restart_knowing(&mut world, "", &signed);
    assert!(world.relay.is_log_older());
    restart_knowing(&mut world, "relay.example", &signed);
    assert_eq!(refusals(&mut world), [None, None]);
    assert_eq!(world.relay.signed_tree().unwrap().relay, "relay.example");
}

#[test]
fn a_relay_that_starts_again_has_the_same_log() {
    let mut world = World::new();
    let mut client = Client::new(&mut world);
    let ada = join(&mut world, 1, "ada").identity().public();
    client.who_is(&mut world, "ada").unwrap();
    world.restart("").unwrap();
    join(&mut world, 2, "bob");
    assert_eq!(client.who_is(&mut world, "ada"), Ok((1, Some(ada))));
    let seen = LogView::decode(&client.view.encode()).unwrap();
    assert_eq!(audit_all(&mut world, &seen).len(), 3);
}

#[test]
fn a_relay_with_another_name_signs_anew() {
    let mut world = World::new();
    join(&mut world, 1, "ada");
    let mut before = Client::new(&mut world);
    before.who_is(&mut world, "ada").unwrap();
    world.restart("relay.example").unwrap();
    let mut after = Client::new(&mut world);
    assert!(after.who_is(&mut world, "ada").is_ok());
    let refused = before.who_is(&mut world, "ada").unwrap_err();
    assert_eq!(*refused, Violation::Head(TreeHeadError::OtherRelay));
}

#[test]
fn no_head_is_signed_for_a_time_before_the_last_one() {
    let mut world = World::new();
    let mut client = Client::new(&mut world);
    join(&mut world, 1, "ada");
    client.who_is(&mut world, "ada").unwrap();
    world.now.wall_ms -= 86_400_000;
    join(&mut world, 2, "bob");
    client.who_is(&mut world, "bob").unwrap();
    let times: Vec<_> = client.heads.iter().map(|head| (head.size, head.signed_at_ms)).collect();
    let at = world.now.wall_ms + 86_400_000;
    assert_eq!(times, [(1, at), (2, at)]);
}

/// A relay with so many names of which a client has seen all, and its storage as it was two names before.
fn put_back() -> (World, Client) {
    let mut world = World::new();
    let mut client = Client::new(&mut world);
    join(&mut world, 1, "ada");
    join(&mut world, 2, "bob");
    client.who_is(&mut world, "ada").unwrap();
    let older = world.memory.clone();
    join(&mut world, 3, "cyd");
    join(&mut world, 4, "dee");
    world.pass(1_000);
    client.who_is(&mut world, "dee").unwrap();
    assert_eq!(client.view.size(), 4);
    world.memory = older;
    world.pass(1_000);
    (world, client)
}

/// What somebody makes of a violation who knows the relay's keys, and nothing else of its log.
fn convict(client: &Client, violation: Violation) -> Contradiction {
    let Violation::Fork(proof) = violation else { panic!("{violation:?} is no proof") };
    let LogKeys { relay, log, .. } = client.view.keys();
    let shown = ForkProof::decode(&proof.encode()).unwrap();
    shown.verify(relay, log).unwrap()
}

#[test]
fn storage_that_is_put_back_is_noticed_at_once() {
    let (mut world, mut client) = put_back();
    let refused = client.who_is(&mut world, "dee").unwrap_err();
    assert_eq!(*refused, Violation::Stale { known: 4, size: 2 });
    assert_eq!(client.view.size(), 4, "and nothing of it is remembered");
}

#[test]
fn whoever_puts_storage_back_and_goes_on_signs_the_proof_against_the_relay() {
    let (mut world, mut client) = put_back();
    join(&mut world, 5, "eve");
    let smaller = *client.who_is(&mut world, "eve").unwrap_err();
    assert_eq!(convict(&client, smaller), Contradiction::RolledBack);
    join(&mut world, 6, "fay");
    let as_large = *client.who_is(&mut world, "eve").unwrap_err();
    assert_eq!(convict(&client, as_large), Contradiction::TwoRoots);
    join(&mut world, 7, "gus");
    let larger = client.who_is(&mut world, "eve").unwrap_err();
    assert_eq!(*larger, Violation::Consistency(ProofError::Root));
    let fork = TreeHead::try_from(read(&mut world, 0..0, 0).unwrap().tree_head.as_ref().unwrap()).unwrap();
    assert_eq!((fork.size, client.view.size()), (5, 4));
}
