//! Blobs: resumed, checked before they are readable, shared, read by whoever has the token, removed when nobody has them.

mod model;
mod store;

use qpq_crypto::digest::sha256;
use qpq_proto::Status;
use qpq_proto::limits::RelayLimits;
use qpq_proto::v1::{DownloadBlobRequest, UploadBlobRequest};

use self::store::{Fate, Store, hash_of, piece};
use super::world::{Device, STRANGER, World};
use crate::blobs::BlobJob;
use crate::tables::{ACCOUNT_BLOBS, BLOB_ACCESS, BLOB_ACCOUNTS, BLOB_GARBAGE, BLOBS, GRAVES, OWNED_BLOBS};

const ALICE: Device = Device { person: 1, number: 1 };
const BOB: Device = Device { person: 2, number: 1 };
const TEXT: &[u8] = b"what is uploaded";
const TOKEN: [u8; 32] = [7; 32];
const HOUR_MS: u64 = 3_600_000;

fn limits() -> RelayLimits {
    RelayLimits {
        blob_bytes_max: 30,
        blob_bytes_per_account_max: 50,
        blobs_per_account_max: 3,
        blob_ttl_default_s: 4 * 3_600,
        blob_ttl_max_s: 5 * 3_600,
        upload_ttl_s: 2 * 3_600,
        blob_chunk_default_bytes: 1_024,
        blob_jobs_max: 3,
        removals_per_step_max: 2,
        ..RelayLimits::ROUTER
    }
}

fn world() -> (World, Store) {
    let mut world = World::with(limits());
    world.enrol(ALICE);
    world.enrol(BOB);
    (world, Store::default())
}

/// All of a blob in one piece, readable with the token.
fn whole(bytes: &[u8]) -> UploadBlobRequest {
    UploadBlobRequest { access_token_hash: sha256(&[&TOKEN]).to_vec(), ..piece(bytes, 0, bytes.len()) }
}

fn ask(bytes: &[u8], token: &[u8]) -> DownloadBlobRequest {
    let (hash, access_token) = (hash_of(bytes).0.to_vec(), token.to_vec());
    DownloadBlobRequest { hash, access_token, ..Default::default() }
}

#[test]
fn an_upload_is_resumed_and_readable_when_it_is_whole() {
    let (mut world, mut store) = world();
    let query = UploadBlobRequest { last: false, ..piece(TEXT, 0, 0) };
    assert_eq!(world.upload_piece(&mut store, ALICE, &query).unwrap().received, 0);
    let first = world.upload_piece(&mut store, ALICE, &piece(TEXT, 0, 5)).unwrap();
    assert_eq!((first.received, first.complete), (5, false));
    for from in [0, 4, 6] {
        let refused = world.upload_piece(&mut store, ALICE, &piece(TEXT, from, 7)).unwrap_err();
        assert_eq!(refused.status, Status::Conflict);
    }
    assert_eq!(world.upload_piece(&mut store, ALICE, &query).unwrap().received, 5);
    let early = world.download(&mut store, ALICE.caller(), &ask(TEXT, &[]));
    assert_eq!(early.unwrap_err().status, Status::NotFound);
    world.upload_piece(&mut store, ALICE, &piece(TEXT, 5, 10)).unwrap();
    let whole = world.upload_piece(&mut store, ALICE, &piece(TEXT, 10, TEXT.len())).unwrap();
    assert_eq!((whole.received, whole.complete), (TEXT.len() as u64, true));
    assert_eq!(whole.expires_at_ms, world.now.wall_ms + 4 * HOUR_MS);
    let found = world.download(&mut store, ALICE.caller(), &ask(TEXT, &[])).unwrap();
    assert_eq!((&found.chunk[..], found.total_size), (TEXT, TEXT.len() as u64));
}

#[test]
fn ranges_are_read_to_the_end_and_not_beyond() {
    let (mut world, mut store) = world();
    world.upload_piece(&mut store, ALICE, &whole(TEXT)).unwrap();
    for (offset, length, expected) in
        [(0, 4, &TEXT[..4]), (4, 0, &TEXT[4..]), (10, 100, &TEXT[10..]), (16, 5, &[])]
    {
        let request = DownloadBlobRequest { offset, length, ..ask(TEXT, &[]) };
        let found = world.download(&mut store, ALICE.caller(), &request).unwrap();
        assert_eq!((&found.chunk[..], found.total_size), (expected, 16), "{offset} {length}");
    }
    for (request, field) in [
        (DownloadBlobRequest { offset: 17, ..ask(TEXT, &[]) }, "offset"),
        (DownloadBlobRequest { length: 1_048_577, ..ask(TEXT, &[]) }, "length"),
        (DownloadBlobRequest { hash: vec![1; 31], ..ask(TEXT, &[]) }, "hash"),
        (ask(TEXT, &[1; 31]), "access_token"),
    ] {
        let refused = world.download(&mut store, ALICE.caller(), &request).unwrap_err();
        assert_eq!((refused.status, refused.field.as_str()), (Status::BadRequest, field));
    }
}

#[test]
fn whoever_has_the_token_reads_and_nobody_else() {
    let (mut world, mut store) = world();
    world.upload_piece(&mut store, ALICE, &whole(TEXT)).unwrap();
    assert_eq!(&world.download(&mut store, STRANGER, &ask(TEXT, &TOKEN)).unwrap().chunk[..], TEXT);
    for (caller, token, expected) in [
        (STRANGER, &[1; 32][..], Status::NotFound),
        (STRANGER, &[], Status::Unauthorized),
        (BOB.caller(), &[], Status::NotFound),
    ] {
        let refused = world.download(&mut store, caller, &ask(TEXT, token)).unwrap_err();
        assert_eq!(refused.status, expected);
    }
    let elsewhere = world.download(&mut store, STRANGER, &ask(b"another blob", &TOKEN));
    assert_eq!(elsewhere.unwrap_err().status, Status::NotFound);
    let other_token = sha256(&[&[8; 32]]).to_vec();
    let end = piece(TEXT, TEXT.len(), TEXT.len());
    let renewed = UploadBlobRequest { access_token_hash: other_token, ttl_secs: 60, ..end };
    let renewed = world.upload_piece(&mut store, ALICE, &renewed).unwrap();
    assert_eq!((renewed.complete, renewed.expires_at_ms), (true, world.now.wall_ms + 60_000));
    assert!(world.download(&mut store, STRANGER, &ask(TEXT, &TOKEN)).is_err());
    assert!(world.download(&mut store, STRANGER, &ask(TEXT, &[8; 32])).is_ok());
    world.pass(60_000);
    assert!(world.download(&mut store, STRANGER, &ask(TEXT, &[8; 32])).is_err(), "it has ended");
    assert!(world.download(&mut store, ALICE.caller(), &ask(TEXT, &[])).is_err(), "it has ended");
}

#[test]
fn two_accounts_share_the_bytes_once_each_has_shown_them() {
    let (mut world, mut store) = world();
    world.upload_piece(&mut store, ALICE, &whole(TEXT)).unwrap();
    let mut garbled = piece(TEXT, 0, TEXT.len());
    garbled.chunk = vec![b'?'; TEXT.len()].into();
    let refused = world.upload_piece(&mut store, BOB, &garbled).unwrap_err();
    assert_eq!((refused.status, refused.field.as_str()), (Status::BadRequest, "hash"));
    assert!(
        world.download(&mut store, BOB.caller(), &ask(TEXT, &[])).is_err(),
        "nobody owns by the hash alone"
    );
    assert!(world.download(&mut store, ALICE.caller(), &ask(TEXT, &[])).is_ok());
    world.upload_piece(&mut store, BOB, &whole(TEXT)).unwrap();
    world.run_jobs(&mut store, Fate::Done);
    assert_eq!(store.objects.len(), 1);
    let drop_soon = UploadBlobRequest { ttl_secs: 1, ..piece(TEXT, TEXT.len(), TEXT.len()) };
    world.upload_piece(&mut store, ALICE, &drop_soon).unwrap();
    world.pass(2 * HOUR_MS);
    world.run_jobs(&mut store, Fate::Done);
    assert!(world.download(&mut store, ALICE.caller(), &ask(TEXT, &[])).is_err());
    assert_eq!(&world.download(&mut store, STRANGER, &ask(TEXT, &TOKEN)).unwrap().chunk[..], TEXT);
    world.pass(3 * HOUR_MS);
    world.run_jobs(&mut store, Fate::Done);
    assert_eq!((store.objects.len(), store.uploads.len()), (0, 0));
    assert_eq!(world.memory.count(BLOB_ACCESS), 0);
}

#[test]
fn quotas_count_uploads_whole_and_give_room_back() {
    let (mut world, mut store) = world();
    let contents: Vec<Vec<u8>> = (0..4_u8).map(|number| vec![number; 20]).collect();
    world.upload_piece(&mut store, ALICE, &piece(&contents[0], 0, 1)).unwrap();
    world.upload_piece(&mut store, ALICE, &piece(&contents[1], 0, 20)).unwrap();
    let refused = world.upload_piece(&mut store, ALICE, &piece(&contents[2], 0, 1)).unwrap_err();
    assert_eq!(refused.status, Status::QuotaExceeded);
    world.upload_piece(&mut store, ALICE, &piece(b"a", 0, 1)).unwrap();
    let refused = world.upload_piece(&mut store, ALICE, &piece(b"b", 0, 1)).unwrap_err();
    assert_eq!(refused.status, Status::QuotaExceeded, "three are the most");
    world.pass(3 * HOUR_MS);
    world.run_jobs(&mut store, Fate::Done);
    // A step gives so many jobs, and what is done asks for the next.
    world.pass(0);
    world.run_jobs(&mut store, Fate::Done);
    assert_eq!(store.uploads.len(), 0, "what took too long is dropped");
    world.upload_piece(&mut store, ALICE, &piece(&contents[2], 0, 1)).unwrap();
}

#[test]
fn what_is_malformed_is_refused_by_field() {
    let (mut world, mut store) = world();
    world.upload_piece(&mut store, ALICE, &piece(TEXT, 0, 3)).unwrap();
    let good = piece(TEXT, 3, 6);
    for (request, field) in [
        (UploadBlobRequest { hash: vec![1; 33], ..good.clone() }, "hash"),
        (UploadBlobRequest { total_size: 0, ..good.clone() }, "total_size"),
        (UploadBlobRequest { total_size: 31, ..good.clone() }, "total_size"),
        (UploadBlobRequest { total_size: 17, ..good.clone() }, "total_size"),
        (UploadBlobRequest { offset: 15, ..good.clone() }, "chunk"),
        (UploadBlobRequest { offset: u64::MAX, ..good.clone() }, "chunk"),
        (UploadBlobRequest { chunk: vec![1; 1_048_577].into(), ..good.clone() }, "chunk"),
        (UploadBlobRequest { last: true, ..good.clone() }, "last"),
        (UploadBlobRequest { access_token_hash: vec![1; 31], ..good }, "access_token_hash"),
    ] {
        let refused = world.upload_piece(&mut store, ALICE, &request).unwrap_err();
        assert_eq!((refused.status, refused.field.as_str()), (Status::BadRequest, field));
    }
}

#[test]
fn only_so_many_jobs_are_under_way_and_one_for_an_upload() {
    let (mut world, mut store) = world();
    let first = world.submit_piece(ALICE, &piece(TEXT, 0, 5));
    assert_eq!(world.answer(first), None);
    let again = world.submit_piece(ALICE, &piece(TEXT, 0, 5));
    assert_eq!(world.answer(again).unwrap().unwrap_err().status, Status::Unavailable);
    world.submit_piece(ALICE, &piece(b"second", 0, 5));
    world.submit_piece(BOB, &piece(TEXT, 0, 5));
    let fourth = world.submit_piece(BOB, &piece(b"fourth", 0, 5));
    assert_eq!(world.answer(fourth).unwrap().unwrap_err().status, Status::Unavailable);
    world.run_jobs(&mut store, Fate::Done);
    assert!(world.answer(first).unwrap().is_ok());
    let appends = store.done.iter().filter(|job| matches!(job, BlobJob::Append { .. }));
    assert_eq!(appends.count(), 3);
}

#[test]
fn an_object_is_not_removed_while_somebody_makes_it_anew() {
    let (mut world, mut store) = world();
    world.upload_piece(&mut store, ALICE, &UploadBlobRequest { ttl_secs: 60, ..whole(TEXT) }).unwrap();
    let call = world.submit_piece(BOB, &whole(TEXT));
    world.run_once(&mut store);
    assert_eq!(world.answer(call), None, "the end is being checked");
    world.pass(HOUR_MS);
    world.run_jobs(&mut store, Fate::Done);
    assert!(world.answer(call).unwrap().is_ok());
    world.pass(60_000);
    world.run_jobs(&mut store, Fate::Done);
    assert_eq!(&world.download(&mut store, BOB.caller(), &ask(TEXT, &[])).unwrap().chunk[..], TEXT);
    assert_eq!(world.memory.count(BLOB_GARBAGE), 0);
}

#[test]
fn nothing_stays_of_an_account_that_goes() {
    let (mut world, mut store) = world();
    world.upload_piece(&mut store, ALICE, &whole(TEXT)).unwrap();
    world.upload_piece(&mut store, ALICE, &piece(b"second", 0, 5)).unwrap();
    world.upload_piece(&mut store, BOB, &whole(TEXT)).unwrap();
    // A piece is under way when the account goes.
    let late = world.submit_piece(ALICE, &piece(b"second", 5, 6));
    crate::blobs::forget_account(&mut world.memory, ALICE.identity()).unwrap();
    world.pass(60_000);
    world.run_jobs(&mut store, Fate::Done);
    assert_eq!(world.answer(late).unwrap().unwrap_err().status, Status::NotFound);
    world.pass(60_000);
    world.run_jobs(&mut store, Fate::Done);
    assert_eq!((store.objects.len(), store.uploads.len()), (1, 0), "Bob's is left");
    for (table, left) in
        [(BLOBS, 1), (OWNED_BLOBS, 1), (ACCOUNT_BLOBS, 1), (BLOB_ACCOUNTS, 1), (BLOB_GARBAGE, 0), (GRAVES, 0)]
    {
        assert_eq!(world.memory.count(table), left, "{table:?}");
    }
    assert!(world.download(&mut store, STRANGER, &ask(TEXT, &TOKEN)).is_ok());
}
