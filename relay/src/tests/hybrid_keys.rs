//! Hybrid keys: signed by their person, replaced by later ones only.

use qpq_crypto::digest::sha256;
use qpq_crypto::hybrid::HybridSecret;
use qpq_crypto::signature::Domain;
use qpq_proto::ids::NodeKey;
use qpq_proto::v1::{
    FetchHybridKeyRequest, FetchHybridKeyResponse, FetchHybridKeysRequest, FetchHybridKeysResponse,
    RegisterMailboxRequest, RegisterMailboxResponse, SetDeliveryTokensRequest, SetDeliveryTokensResponse,
    UploadHybridKeyRequest, UploadHybridKeyResponse,
};
use qpq_proto::{Method, Status};

use super::world::{Device, STRANGER, World};
use crate::input::{Caller, ConnectionId, Peer};

const ALICE: Device = Device { person: 1, number: 1 };
const BOB: Device = Device { person: 2, number: 1 };
const NODE: Caller = Caller {
    connection: ConnectionId(7),
    peer: Peer::Node(NodeKey::from_bytes([7; 32])),
    address: None,
    exporter: [0; 32],
};

pub(super) fn hybrid_key(device: Device, seed: u8, sequence: u64) -> UploadHybridKeyRequest {
    let hybrid_public_key = HybridSecret::from_seed(&[seed; 32]).public().to_bytes().to_vec();
    let signed: [&[u8]; 2] = [&hybrid_public_key, &sequence.to_be_bytes()];
    let signature = device.identity_key().sign(Domain::HybridKey, &signed).to_vec();
    UploadHybridKeyRequest { hybrid_public_key, signature, sequence }
}

pub(super) fn publish(world: &mut World, request: &UploadHybridKeyRequest) -> Result<(), (Status, String)> {
    let answer: Result<UploadHybridKeyResponse, _> =
        world.call(BOB.caller(), Method::UploadHybridKey, request);
    answer.map(|_| ()).map_err(|failure| (failure.status, failure.field))
}

fn asked(device: Device) -> FetchHybridKeyRequest {
    FetchHybridKeyRequest { identity_key: device.identity().to_vec(), ..FetchHybridKeyRequest::default() }
}

#[test]
fn a_stranger_gets_the_key_of_whoever_gave_it_a_token_as_often_as_it_asks() {
    let mut world = World::new();
    world.enrol(ALICE);
    world.enrol(BOB);
    publish(&mut world, &hybrid_key(BOB, 1, 1)).unwrap();
    let (mailbox, token) = (vec![7; 32], vec![8; 32]);
    let register = RegisterMailboxRequest { mailbox: mailbox.clone(), policy: None };
    world.call::<RegisterMailboxResponse>(BOB.caller(), Method::RegisterMailbox, &register).unwrap();
    let add_hashes = vec![sha256(&[&token]).to_vec()];
    let set = SetDeliveryTokensRequest { mailbox: mailbox.clone(), add_hashes, revoke_hashes: Vec::new() };
    world.call::<SetDeliveryTokensResponse>(BOB.caller(), Method::SetDeliveryTokens, &set).unwrap();
    let good = FetchHybridKeyRequest { mailbox, token, ..asked(BOB) };
    for _ in 0..3 {
        let held: FetchHybridKeyResponse = world.call(STRANGER, Method::FetchHybridKey, &good).unwrap();
        assert_eq!(held.sequence, 1);
    }
    for (what, bad) in [
        ("no token", asked(BOB)),
        ("another's key", FetchHybridKeyRequest { identity_key: ALICE.identity().to_vec(), ..good.clone() }),
        ("another token", FetchHybridKeyRequest { token: vec![9; 32], ..good.clone() }),
        ("no mailbox", FetchHybridKeyRequest { mailbox: vec![9; 32], ..good.clone() }),
        ("a short token", FetchHybridKeyRequest { token: vec![8; 31], ..good.clone() }),
    ] {
        let refused: Result<FetchHybridKeyResponse, _> = world.call(STRANGER, Method::FetchHybridKey, &bad);
        assert_eq!(refused.unwrap_err().status, Status::Forbidden, "{what}");
    }
}

#[test]
fn a_hybrid_key_is_its_persons_and_gives_way_to_later_ones_only() {
    let mut world = World::new();
    world.enrol(ALICE);
    world.enrol(BOB);
    let good = hybrid_key(BOB, 1, 5);
    publish(&mut world, &good).unwrap();
    for (request, status, field) in [
        (hybrid_key(BOB, 2, 5), Status::Conflict, ""),
        (hybrid_key(BOB, 2, 4), Status::Conflict, ""),
        (hybrid_key(BOB, 2, 0), Status::BadRequest, "sequence"),
        (hybrid_key(ALICE, 2, 6), Status::BadRequest, "signature"),
        (UploadHybridKeyRequest { sequence: 6, ..good.clone() }, Status::BadRequest, "signature"),
        (
            UploadHybridKeyRequest { hybrid_public_key: vec![1; 1215], ..good.clone() },
            Status::BadRequest,
            "hybrid_public_key",
        ),
    ] {
        assert_eq!(publish(&mut world, &request), Err((status, field.to_owned())), "{request:?}");
    }
    let request = asked(BOB);
    let held: FetchHybridKeyResponse = world.call(NODE, Method::FetchHybridKey, &request).unwrap();
    assert_eq!(
        (held.hybrid_public_key, held.signature, held.sequence),
        (good.hybrid_public_key, good.signature, 5)
    );
    publish(&mut world, &hybrid_key(BOB, 2, 6)).unwrap();
    let of_alice = asked(ALICE);
    let none: Result<FetchHybridKeyResponse, _> = world.call(NODE, Method::FetchHybridKey, &of_alice);
    assert_eq!(none.unwrap_err().status, Status::NotFound);

    let several = |identity_keys| FetchHybridKeysRequest { identity_keys };
    let request = several(vec![ALICE.identity().to_vec(), BOB.identity().to_vec()]);
    let found: FetchHybridKeysResponse =
        world.call(ALICE.caller(), Method::FetchHybridKeys, &request).unwrap();
    assert_eq!(found.keys.iter().map(|key| key.sequence).collect::<Vec<_>>(), [0, 6]);
    for bad in [several(vec![]), several(vec![vec![1; 31]]), several(vec![vec![1; 32]; 257])] {
        let refused: Result<FetchHybridKeysResponse, _> =
            world.call(ALICE.caller(), Method::FetchHybridKeys, &bad);
        let refused = refused.unwrap_err();
        assert_eq!((refused.status, refused.field.as_str()), (Status::BadRequest, "identity_keys"));
    }
}
