//! Mailboxes: whose they are, what giving one up leaves, and the tokens with which strangers write.

use qpq_crypto::digest::sha256;
use qpq_proto::v1::{
    EnqueueRequest, EnqueueResponse, RevokeMailboxRequest, RevokeMailboxResponse, SetDeliveryTokensRequest,
    SetDeliveryTokensResponse,
};
use qpq_proto::{Method, Status};

use super::queues::{ALICE, BOB, both, own};
use super::world::{STRANGER, World, delivery};
use crate::tables::{DELIVERIES, DELIVERY_IDS, DUES, GRAVES, MAILBOXES, TOKENS};

const BOX: [u8; 32] = [0xb0; 32];

fn set_tokens(world: &mut World, add: &[&[u8; 32]], revoke: &[&[u8; 32]]) -> Result<u32, Status> {
    let hashes = |tokens: &[&[u8; 32]]| tokens.iter().map(|token| sha256(&[*token]).to_vec()).collect();
    let request = SetDeliveryTokensRequest {
        mailbox: BOX.to_vec(),
        add_hashes: hashes(add),
        revoke_hashes: hashes(revoke),
    };
    let answer: Result<SetDeliveryTokensResponse, _> =
        world.call(BOB.caller(), Method::SetDeliveryTokens, &request);
    answer.map(|response| response.held).map_err(|failure| failure.status)
}

fn enqueue_with(world: &mut World, token: &[u8], text: &str) -> Result<u64, Status> {
    let request = EnqueueRequest { token: token.to_vec(), ..delivery(&BOX, text) };
    let answer: Result<EnqueueResponse, _> = world.call(STRANGER, Method::Enqueue, &request);
    answer.map(|response| response.seq).map_err(|failure| failure.status)
}

#[test]
fn a_token_is_good_for_one_delivery() {
    let mut world = both();
    world.register_mailbox(BOB, BOX, true).unwrap();
    assert_eq!(set_tokens(&mut world, &[&[1; 32], &[2; 32], &[1; 32]], &[]), Ok(2));
    assert_eq!(enqueue_with(&mut world, &[1; 32], "first"), Ok(1));
    assert_eq!(enqueue_with(&mut world, &[1; 32], "second"), Err(Status::Forbidden));
    assert_eq!(set_tokens(&mut world, &[&[3; 32]], &[&[2; 32], &[9; 32]]), Ok(1));
    assert_eq!(enqueue_with(&mut world, &[2; 32], "second"), Err(Status::Forbidden));
    assert_eq!(enqueue_with(&mut world, &[3; 31], "second"), Err(Status::BadRequest));
    assert_eq!(enqueue_with(&mut world, &[], "second"), Err(Status::Forbidden));
    assert_eq!(enqueue_with(&mut world, &[3; 32], "second"), Ok(2));
    let by_session = world.enqueue(ALICE.caller(), &BOX, "third");
    assert_eq!(by_session.unwrap_err().status, Status::Forbidden, "tokens only");
}

#[test]
fn a_refused_delivery_costs_no_token() {
    let mut world = both();
    world.register_mailbox(BOB, BOX, true).unwrap();
    set_tokens(&mut world, &[&[1; 32]], &[]).unwrap();
    let bad = EnqueueRequest { delivery_id: vec![0; 16], token: vec![1; 32], ..delivery(&BOX, "x") };
    let answer: Result<EnqueueResponse, _> = world.call(STRANGER, Method::Enqueue, &bad);
    assert_eq!(answer.unwrap_err().field, "delivery_id");
    assert_eq!(enqueue_with(&mut world, &[1; 32], "x"), Ok(1));
}

#[test]
fn a_mailbox_is_its_owners_alone() {
    let mut world = both();
    world.register_mailbox(BOB, BOX, false).unwrap();
    world.register_mailbox(BOB, BOX, false).unwrap();
    let taken = world.register_mailbox(ALICE, BOX, false);
    assert_eq!(taken.unwrap_err().status, Status::Conflict);
    let of_an_account = world.register_mailbox(ALICE, *BOB.identity().as_bytes(), false);
    assert_eq!(of_an_account.unwrap_err().status, Status::Conflict);
    let revoke = RevokeMailboxRequest { mailbox: BOX.to_vec() };
    let stolen: Result<RevokeMailboxResponse, _> = world.call(ALICE.caller(), Method::RevokeMailbox, &revoke);
    assert_eq!(stolen.unwrap_err().status, Status::Forbidden);
}

#[test]
fn a_mailbox_that_was_given_up_is_gone_at_once_and_leaves_nothing() {
    let mut world = both();
    world.register_mailbox(BOB, BOX, false).unwrap();
    set_tokens(&mut world, &[&[1; 32], &[2; 32]], &[]).unwrap();
    for number in 0..10 {
        world.enqueue(ALICE.caller(), &BOX, &number.to_string()).unwrap();
    }
    let revoke = RevokeMailboxRequest { mailbox: BOX.to_vec() };
    let revoked: RevokeMailboxResponse = world.call(BOB.caller(), Method::RevokeMailbox, &revoke).unwrap();
    assert_eq!(revoked.removed, 10);
    let late = world.enqueue(ALICE.caller(), &BOX, "late");
    assert_eq!(late.unwrap_err().status, Status::NotFound);
    world.register_mailbox(ALICE, BOX, false).unwrap();
    assert_eq!(world.enqueue(BOB.caller(), &BOX, "new").unwrap().seq, 1);
    assert_eq!(enqueue_with(&mut world, &[1; 32], "old token"), Err(Status::Forbidden));
    world.pass(60_000);
    for (table, left) in [(DELIVERIES, 1), (DELIVERY_IDS, 1), (DUES, 1), (TOKENS, 0), (GRAVES, 0)] {
        assert_eq!(world.memory.count(table), left, "{table:?}");
    }
    assert_eq!(world.memory.count(MAILBOXES), 3, "the new one, and those of the identities");
}

#[test]
fn whoever_squats_on_an_identitys_mailbox_loses_it_when_the_identity_registers() {
    let mut world = World::new();
    world.enrol(ALICE);
    world.register_mailbox(ALICE, *BOB.identity().as_bytes(), false).unwrap();
    world.enqueue(ALICE.caller(), BOB.identity().as_bytes(), "a trap").unwrap();
    world.enrol(BOB);
    world.pass(60_000);
    assert_eq!(world.fetch(BOB), own(&[]));
    world.enqueue(ALICE.caller(), BOB.identity().as_bytes(), "hello").unwrap();
    assert_eq!(world.fetch(BOB), own(&[(1, "hello")]));
}
