//! Whatever fails, and whenever the program ends: nothing unchecked is readable, and nothing acknowledged is lost.

use proptest::collection::vec;
use proptest::prelude::*;
use qpq_crypto::digest::sha256;
use qpq_proto::Status;
use qpq_proto::v1::{DownloadBlobRequest, UploadBlobRequest};

use super::store::{Fate, Store, hash_of, piece};
use super::{ALICE, BOB, limits};
use crate::tables::{ACCOUNT_BLOBS, BLOB_ACCESS, BLOB_GARBAGE, BLOBS, DUES, OWNED_BLOBS};
use crate::tests::world::{STRANGER, World};

const CONTENTS: [&[u8]; 2] = [b"abcdefghijklmnop", b"0123456789"];
const TOKEN: [u8; 32] = [9; 32];

#[derive(Debug, Clone)]
struct Step {
    person: usize,
    content: usize,
    bytes: usize,
    /// The piece holds other bytes than it should.
    is_wrong: bool,
    fate: Fate,
    pause_min: u64,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let fate = prop_oneof![
        6 => Just(Fate::Done),
        1 => Just(Fate::Fails),
        1 => Just(Fate::DoneButFails),
        1 => Just(Fate::CrashBefore),
        1 => Just(Fate::CrashAfter),
    ];
    let step = (0..2_usize, 0..2_usize, 1..12_usize, prop::bool::weighted(0.1), fate, 0..90_u64).prop_map(
        |(person, content, bytes, is_wrong, fate, pause_min)| Step {
            person,
            content,
            bytes,
            is_wrong,
            fate,
            pause_min,
        },
    );
    vec(step, 1..60)
}

fn query(content: &[u8]) -> UploadBlobRequest {
    UploadBlobRequest { last: false, ..piece(content, 0, 0) }
}

/// The world and the store, with what was acknowledged to each person of each content: bytes, and until when.
struct Run {
    world: World,
    store: Store,
    acknowledged: [[(u64, u64); 2]; 2],
}

impl Run {
    fn log_in(&mut self) {
        self.world.log_in(ALICE, false);
        self.world.log_in(BOB, false);
    }

    fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        self.world.pass(step.pause_min * 60_000);
        if !self.world.run_jobs(&mut self.store, step.fate) {
            self.log_in();
        }
        let (who, content) = ([ALICE, BOB][step.person], CONTENTS[step.content]);
        let held = self.world.upload_piece(&mut self.store, who, &query(content)).unwrap();
        let (bytes, until_ms) = self.acknowledged[step.person][step.content];
        if until_ms > self.world.now.wall_ms {
            prop_assert!(held.received >= bytes, "{} of {bytes} acknowledged bytes are left", held.received);
        }
        if held.complete {
            return Ok(());
        }
        let from = usize::try_from(held.received).unwrap();
        let to = content.len().min(from + step.bytes);
        let mut request = piece(content, from, to);
        request.access_token_hash = sha256(&[&TOKEN]).to_vec();
        request.ttl_secs = 7_200;
        if step.is_wrong {
            request.chunk = vec![b'?'; request.chunk.len()].into();
        }
        let answer = self.world.try_upload(&mut self.store, step.fate, who, &request);
        let place = &mut self.acknowledged[step.person][step.content];
        match answer {
            None => self.log_in(),
            Some(Ok(response)) => *place = (response.received, response.expires_at_ms),
            Some(Err(failure)) if failure.field == "hash" => *place = (0, 0),
            Some(Err(failure)) => prop_assert_eq!(failure.status, Status::Unavailable),
        }
        Ok(())
    }

    /// What is readable is right.
    fn check(&mut self) -> Result<(), TestCaseError> {
        for content in CONTENTS {
            let hash = hash_of(content).0.to_vec();
            let request = DownloadBlobRequest { hash, access_token: TOKEN.to_vec(), ..Default::default() };
            match self.world.download(&mut self.store, STRANGER, &request) {
                Ok(found) => prop_assert_eq!(&found.chunk[..], content),
                Err(failure) => prop_assert_eq!(failure.status, Status::NotFound),
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn nothing_unchecked_is_readable_and_nothing_acknowledged_is_lost(steps in steps()) {
        let mut world = World::with(limits());
        world.enrol(ALICE);
        world.enrol(BOB);
        let mut run = Run { world, store: Store::default(), acknowledged: [[(0, 0); 2]; 2] };
        for step in &steps {
            run.step(step)?;
            run.check()?;
        }
        for _ in 0..8 {
            run.world.pass(3_600_000);
            run.world.run_jobs(&mut run.store, Fate::Done);
        }
        for table in [BLOBS, OWNED_BLOBS, ACCOUNT_BLOBS, BLOB_ACCESS, BLOB_GARBAGE, DUES] {
            prop_assert_eq!(run.world.memory.count(table), 0, "{:?}", table);
        }
        prop_assert_eq!((run.store.uploads.len(), run.store.objects.len()), (0, 0));
    }
}
