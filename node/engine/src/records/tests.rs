//! What earlier versions wrote can be read: each record in the bytes in which it lies on disk, encoded by hand.

use std::fmt::Debug;

use prost::Message;

use super::*;

/// Checks that the bytes are the record, whole.
fn reads<R: Message + Default + PartialEq + Debug>(hex: &str, record: &R) {
    let digit = |digit: &[u8]| u8::from_str_radix(std::str::from_utf8(digit).unwrap(), 16).unwrap();
    let bytes: Vec<u8> = hex.as_bytes().chunks(2).map(digit).collect();
    assert_eq!(&R::decode(bytes.as_slice()).unwrap(), record);
    assert_eq!(record.encoded_len(), bytes.len(), "a field of {record:?} is not written");
}

/// Bytes that tell which field they are in.
fn two(number: u8) -> Vec<u8> {
    vec![number; 2]
}

fn route() -> RouteRecord {
    RouteRecord { secret: two(1), until_node_ms: 200, group_id: two(3) }
}

#[test]
fn people() {
    let identity = IdentityRecord {
        identity_seed: two(1),
        device_seed: two(2),
        hybrid_seed: two(3),
        name: "alice".into(),
        created_at_ms: 500,
        device_list: two(6),
        hybrid_signature: two(7),
    };
    reads("0a020101120202021a0203032205616c69636528f403320206063a020707", &identity);
    reads("086410c801", &ClockRecord { node_ms: 100, wall_ms: 200 });
    let person = PersonRecord {
        identity: two(1),
        name: "bob".into(),
        standing: Standing::Blocked.into(),
        verification: Verification::Mismatched.into(),
        verified_at_ms: 500,
        device_list: two(6),
        nodes: vec![two(7), two(8)],
        addresses: vec!["[::1]:1".into()],
        hybrid_key: two(9),
        met_at: Vec::new(),
        added_at_ms: 1_000,
        conversation: two(11),
        token: two(12),
        joining: two(13),
        request_sealed: true,
        standing_before_block: Standing::Accepted.into(),
        crossing_token: two(16),
        is_refused: true,
        is_renewing: true,
        welcome_key: two(19),
        welcome_sequence: 2_000,
        hybrid_signature: two(21),
        hybrid_sequence: 2_200,
    };
    let hex = "0a0201011203626f621804200228f403320206063a0207073a02080842075b3a3a315d3a314a02090950e8075a020b0b6202\
               0c0c6a020d0d7001780382010210108801019001019a01021313a001d00faa01021515b0019811";
    reads(hex, &person);
    let invitation = InvitationRecord {
        token: two(1),
        reusable: true,
        created_at_ms: 300,
        expires_at_ms: 400,
        expires_node_ms: 500,
        used: 600,
        conversation: two(7),
        link: "qpq:".into(),
        is_untold: true,
    };
    reads("0a020101100118ac0220900328f40330d8043a02070742047170713a4801", &invitation);
    reads("0a0201010a020202", &KeyPackagesRecord { packages: vec![two(1), two(2)] });
    reads("0a020101", &NameRecord { target: two(1) });
}

#[test]
fn groups() {
    reads("0a02010110c8011a020303", &route());
    let conversation = ConversationRecord {
        id: two(1),
        kind: Kind::Group.into(),
        stage: Stage::Ended.into(),
        name: "village".into(),
        contact: two(5),
        group_id: two(6),
        routes: vec![route()],
        unread: 800,
        last_at_ms: 900,
        own_sequence: 1_000,
        read_cursor: 1_100,
        members: 12,
        leaving: vec![two(13)],
        retired_groups: vec![two(14)],
        stable_epoch: two(15),
        suite: 79,
        epoch_ordinal: 1_700,
        revoked: vec![two(18)],
        interruption: Some(InterruptionRecord { own_sequence: 100, members: vec![two(2)] }),
        departed: vec![two(20)],
    };
    let hex = "0a02010110011802220776696c6c6167652a020505320206063a0b0a02010110c8011a02030340a00648840750e80758cc08\
               600c6a020d0d72020e0e7a020f0f80014f8801a40d92010212129a0106086412020202a201021414";
    reads(hex, &conversation);
    let sender = SenderRecord {
        contiguous: 100,
        ahead: vec![200, 201],
        epoch_ordinal: 300,
        asked_node_ms: 400,
        conversation: two(5),
        identity: two(6),
        joined_after: 700,
    };
    reads("08641204c801c90118ac022090032a0205053202060638bc05", &sender);
    let change = ChangeRecord { signed: two(1), id: two(2), author: two(3), refused_by: two(4), refusal: 3 };
    reads("0a020101120202021a020303220204042803", &change);
    let state = ChangeStateRecord { conversation: two(1), committed: true, failed: "overtaken".into() };
    reads("0a02010110011a096f76657274616b656e", &state);
    let commit = CommitRecord { parent: two(1), epoch: two(2), commit: two(3), at_node_ms: 400 };
    reads("0a020101120202021a020303209003", &commit);
    let checkpoint =
        CheckpointRecord { group_id: two(1), epoch: two(2), at_node_ms: 300, epoch_ordinal: 400 };
    reads("0a0201011202020218ac02209003", &checkpoint);
}

#[test]
fn messages() {
    let message = MessageRecord {
        id: two(1),
        from: two(2),
        text: "hello".into(),
        sent_at_ms: 400,
        stored_at_ms: 500,
        own: true,
        recipients: 7,
        sent: 8,
        delivered: 9,
        lost: 10,
        sequence: 1_100,
        expired: true,
        is_unsealed: true,
        handed: 14,
        handed_at_ms: 150,
        carriers: vec![two(5)],
        handed_volatile: 3,
        is_kept_again: true,
        relayed: 16,
    };
    reads(
        "0a020101120202021a0568656c6c6f20900328f4033001380740084809500a58cc0860016801700e7896018201020505880103900101980110",
        &message,
    );
    reads("0a02010110c8011a020303", &PlaceRecord { conversation: two(1), cursor: 200, sender: two(3) });
    let delivery = DeliveryRecord {
        progress: Progress::Failed.into(),
        sent_at_ms: 400,
        ended_at_ms: 500,
        reason: "lost".into(),
        attempts: 7,
        relayed_at_ms: 800,
    };
    reads("100420900328f40332046c6f7374380740a006", &delivery);
    reads("0a02010110c801", &UnsealedRecord { content: two(1), expires_node_ms: 200 });
    let event = EventRecord {
        at_ms: 100,
        what: "alarm".into(),
        conversation: two(3),
        cursor: 400,
        person: two(5),
        code: "code".into(),
        text: "text".into(),
        number: 800,
    };
    reads("08641205616c61726d1a0203032090032a0205053204636f64653a047465787440a006", &event);
}

#[test]
fn the_outbox_and_what_came_in() {
    let parcel = ParcelRecord {
        remaining: 100,
        message: two(2),
        conversation: two(3),
        expires_node_ms: 400,
        recipient: two(5),
        delivery: two(6),
        content: two(7),
        except: vec![two(8), two(9)],
        device_list_sequence: 900,
        is_introduction: true,
        request: two(11),
        bundles: two(12),
        payload_bytes: 1_300,
        is_refused: true,
    };
    let hex = "0864120202021a0203032090032a020505320206063a020707420208084202090948840750015a020b0b62020c0c68940a7001";
    reads(hex, &parcel);
    let cursor =
        CursorRecord { through: 100, stored: vec![200, 201], done: vec![300, 400], relayed: vec![201] };
    reads("08641204c801c9011a04ac0290032202c901", &cursor);
    reads("0864", &OutboxRecord { reserved: 100 });
    reads("080212020202", &SeenRecord { disposition: 2, delivery: two(2), ..SeenRecord::default() });
    let future = FutureRecord {
        message: two(1),
        node: two(2),
        delivery: two(3),
        bundles: vec![two(4)],
        settle_secrets: vec![two(5)],
    };
    reads("0a020101120202021a020303220204042a020505", &future);
}

#[test]
fn what_a_newer_version_adds_is_passed_over() {
    let mut bytes = NameRecord { target: two(1) }.encode_to_vec();
    bytes.extend([0xf8, 0x07, 0x01]);
    assert_eq!(NameRecord::decode(bytes.as_slice()).unwrap(), NameRecord { target: two(1) });
    let person = PersonRecord { standing: 77, verification: -1, ..PersonRecord::default() };
    assert_eq!((person.standing(), person.verification()), (Standing::Member, Verification::Unverified));
    assert!(!person.is_contact(), "a standing that is not known gives no rights");
    let conversation = ConversationRecord { stage: 77, ..ConversationRecord::default() };
    assert_eq!(
        conversation.stage(),
        Stage::Waiting,
        "nor is anything sent into a conversation that is not known to be open"
    );
}

#[test]
fn secrets_are_not_shown() {
    let mut identity = IdentityRecord::default();
    identity.identity_seed = vec![171; 32];
    let conversation = ConversationRecord {
        routes: vec![RouteRecord { secret: vec![171; 32], until_node_ms: 0, group_id: Vec::new() }],
        ..ConversationRecord::default()
    };
    for shown in [format!("{identity:?}"), format!("{conversation:?}")] {
        assert!(!shown.contains("171") && !shown.to_lowercase().contains("ab, ab"), "{shown}");
    }
}
