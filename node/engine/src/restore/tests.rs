//! What a backup must hold, and what becomes of its records on a new device.

use qpq_proto::{Status, ids::NodeKey};

use super::*;
use crate::{
    Config,
    records::{InvitationRecord, RouteRecord},
    tables::{INVITATIONS, OUTGOING},
    tests::{bench::Bench, memory::Memory},
};

/// A node without a person, over what a backup brought.
fn restoring(memory: Memory) -> Bench {
    let mut bench = Bench::over(NodeKey::from_bytes([8; 32]), Memory::default());
    bench.memory = memory;
    bench
}

fn restore(bench: &mut Bench) -> Result<RestoreBackupResponse, Failure> {
    bench.owner(qpq_proto::Method::RestoreBackup, &qpq_proto::v1::RestoreBackupRequest::default())
}

/// A backup of alice's, with her record changed.
fn backup(change: impl FnOnce(&mut IdentityRecord)) -> Memory {
    let mut memory = Bench::of_village().memory.backup();
    let record: Option<IdentityRecord> = tables::load(&memory, IDENTITY, tables::key(SINGLE)).unwrap();
    let mut record = record.unwrap();
    change(&mut record);
    tables::save(&mut memory, IDENTITY, tables::key(SINGLE), &record).unwrap();
    memory
}

#[test]
fn a_backup_without_a_usable_identity_is_refused_and_nothing_is_made_of_it() {
    let another = Bench::of("mallory");
    let of_another = another.engine.me().unwrap().device_list.clone();
    let mut without = backup(|_| ());
    crate::storage::Transaction::delete(&mut without, IDENTITY, tables::key(SINGLE)).unwrap();
    for (memory, what) in [
        (Memory::default(), "nothing"),
        (without, "no identity"),
        (backup(|record| record.identity_seed.clear()), "no seed"),
        (backup(|record| record.identity_seed.truncate(31)), "a short seed"),
        (backup(|record| record.identity_seed.push(0)), "a long seed"),
        (backup(|record| record.device_list.clear()), "no device list"),
        (backup(|record| record.device_list[40] ^= 1), "a changed device list"),
        (backup(|record| record.device_list = vec![0xff; 9]), "garbage for a device list"),
    ] {
        let mut bench = restoring(memory);
        let refusal = restore(&mut bench).unwrap_err();
        assert_eq!((refusal.status, refusal.field.as_str()), (Status::BadRequest, "path"), "{what}");
        assert!(bench.engine.me.is_none(), "{what}");
    }
    let mut bench = restoring(backup(|record| record.device_list = of_another));
    assert!(restore(&mut bench).is_err(), "another's device list");
    assert!(bench.engine.me.is_none());
}

#[test]
fn a_node_that_serves_somebody_restores_nobody() {
    let mut bench = Bench::of("bob");
    assert_eq!(restore(&mut bench).unwrap_err().status, Status::Conflict);
    assert_eq!(bench.engine.me().unwrap().name, "bob");
}

#[test]
fn the_new_device_follows_the_old_one_in_the_list() {
    let old = Bench::of_village();
    let (old_list, old_device) = {
        let me = old.engine.me().unwrap();
        (DeviceList::decode_and_verify(&me.device_list).unwrap(), me.device.public())
    };
    let mut bench = restoring(old.memory.backup());
    let restored = restore(&mut bench).unwrap();
    assert_eq!((restored.name.as_str(), restored.contacts), ("alice", 2));
    for time in ["restored", "started again"] {
        let me = bench.engine.me().unwrap();
        let list = DeviceList::decode_and_verify(&me.device_list).unwrap();
        assert_eq!((list.sequence, list.identity), (old_list.sequence + 1, old_list.identity), "{time}");
        assert!(list.revoked.contains(&old_device) && list.contains(&me.device.public()).is_some(), "{time}");
        assert_eq!(me.certificate.node, NodeKey::from_bytes([8; 32]), "{time}");
        bench.restart();
    }
}

#[test]
fn conversations_wait_and_hold_no_secrets_of_the_old_device() {
    let mut bench = Bench::of_village();
    bench.with(|engine, cx| {
        let mut ended = engine.new_conversation(cx, Kind::Group, &[]).unwrap();
        ended.stage = Stage::Ended.into();
        ended.name = "ended".into();
        ended.routes = vec![RouteRecord::default()];
        engine.save_conversation(cx, &ended).unwrap();
        let invitation = InvitationRecord { token: vec![1; 16], ..InvitationRecord::default() };
        tables::save(cx.tx, INVITATIONS, tables::key(&[1; 16]), &invitation).unwrap();
    });
    let mut bench = restoring(bench.memory.backup());
    restore(&mut bench).unwrap();
    let conversations: Vec<ConversationRecord> = tables::all(&bench.memory, CONVERSATIONS).unwrap();
    assert_eq!(conversations.len(), 4);
    for conversation in conversations {
        let is_ended = conversation.name == "ended";
        let expected = if is_ended { Stage::Ended } else { Stage::Waiting };
        assert_eq!(conversation.stage(), expected);
        assert_eq!((conversation.routes.len(), conversation.epoch_ordinal), (0, 0));
        assert_eq!(conversation.group_id.is_empty(), conversation.kind() == Kind::Direct || is_ended);
    }
    assert_eq!(bench.memory.count(INVITATIONS), 0, "they lead to the old node");
    assert_eq!(bench.memory.count(OUTGOING), 2, "a request to each contact");
}

#[test]
fn contacts_who_cannot_be_asked_are_counted_and_left_alone() {
    let mut bench = Bench::of_village();
    for (name, standing, has_key) in [("bob", Standing::Blocked, true), ("carol", Standing::Accepted, false)]
    {
        bench.with(|engine, cx| {
            let mut person = engine.find_contact(cx, name).unwrap();
            person.standing = standing.into();
            if !has_key {
                person.hybrid_key.clear();
            }
            engine.save_person(cx, &person).unwrap();
        });
    }
    let mut bench = restoring(bench.memory.backup());
    assert_eq!(restore(&mut bench).unwrap().contacts, 2);
    assert_eq!(bench.memory.count(OUTGOING), 0);
}

#[test]
fn events_go_on_behind_those_of_the_backup() {
    let old = Bench::of_village();
    let newest = old.engine.next_event - 1;
    let mut bench = restoring(old.memory.backup());
    restore(&mut bench).unwrap();
    let cursor = bench.with(|engine, cx| engine.log_event(cx, Default::default()).unwrap());
    assert_eq!(cursor, newest + 1);
}

#[test]
fn a_rollback_is_dealt_with_once() {
    let old = Bench::of_village();
    let (node, limits) = (NodeKey::from_bytes([1; 32]), old.engine.limits.clone());
    let mut bench = Bench::over(node, old.memory.clone());
    let config = Config {
        node,
        version: "test".into(),
        limits,
        has_peers: true,
        seeks_strangers: false,
        is_rolled_back: true,
        custody_is_volatile: false,
        password_cost: crate::tests::PASSWORD_COST,
    };
    bench.engine = Engine::open(config, &mut bench.memory).unwrap();
    assert!(bench.engine.is_rolled_back());
    bench.input(crate::Input::Started);
    assert!(!bench.engine.is_rolled_back());
    let sequence = bench.engine.me().unwrap().device_list_sequence;
    bench.input(crate::Input::Started);
    assert_eq!((sequence, bench.engine.me().unwrap().device_list_sequence), (2, 2));
}
