//! Records as bytes, for storages that keep bytes: fields of fixed length in a fixed order, after a version.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes};
use qpq_proto::ids::NodeKey;

use super::{Record, Tier, TombstoneRecord};
use crate::bundle::{BundleId, Header, Kind, Label, Secret};

/// A stored record cannot be read: the file was changed, or this is a bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a record of the mesh is malformed")]
pub struct RecordError;

/// A record as bytes.
#[must_use]
pub fn encode_record(record: &Record) -> Bytes {
    let header = &record.header;
    let mut bytes = Vec::with_capacity(RECORD_BYTES);
    bytes.put_u8(RECORD_VERSION);
    bytes.put_slice(header.id().as_bytes());
    bytes.put_slice(header.salt());
    bytes.put_slice(header.tag());
    bytes.put_slice(header.settle().unwrap_or(&[0; 32]));
    bytes.put_u8(header.kind().to_byte());
    bytes.put_u32(header.lifetime_max_s());
    bytes.put_u64(record.expires_ms);
    bytes.put_u64(record.arrival);
    bytes.put_u8(record.hops_left);
    bytes.put_u16(record.copies);
    bytes.put_slice(record.bringer.as_ref().map_or(&[0_u8; 32], NodeKey::as_bytes).as_slice());
    bytes.put_u8(record.tier as u8);
    let flags = [header.settle().is_some(), record.bringer.is_some(), record.is_mine, record.is_opened];
    bytes.put_u8(flags.iter().rev().fold(0, |byte, flag| byte << 1 | u8::from(*flag)));
    bytes.into()
}

/// Reads what [`encode_record`] wrote, now or in its first version, which had one field more.
///
/// # Errors
/// [`RecordError`].
pub fn decode_record(mut bytes: &[u8]) -> Result<Record, RecordError> {
    let is_first = match (bytes.first(), bytes.len()) {
        (Some(&RECORD_VERSION), RECORD_BYTES) => false,
        (Some(&FIRST_VERSION), FIRST_RECORD_BYTES) => true,
        _ => return Err(RecordError),
    };
    bytes.advance(1);
    let id = BundleId::from_bytes(array(&mut bytes));
    let (salt, tag, settle) = (array(&mut bytes), array(&mut bytes), array(&mut bytes));
    let kind = Kind::from_byte(bytes.get_u8()).ok_or(RecordError)?;
    let lifetime_max_s = bytes.get_u32();
    let (expires_ms, arrival) = (bytes.get_u64(), bytes.get_u64());
    let (hops_left, copies) = (bytes.get_u8(), bytes.get_u16());
    bytes.advance(usize::from(is_first));
    let bringer = NodeKey::from_bytes(array(&mut bytes));
    let tier = *TIERS.get(usize::from(bytes.get_u8())).ok_or(RecordError)?;
    let flags = bytes.get_u8();
    let flag = |bit: u8| flags & (1 << bit) != 0;
    let label = Label { class: kind.class, lifetime_max_s, salt, tag, settle: flag(0).then_some(settle) };
    Ok(Record {
        header: Arc::new(Header::stored(id, kind.size, label)),
        expires_ms,
        arrival,
        hops_left,
        copies,
        bringer: flag(1).then_some(bringer),
        tier,
        is_mine: flag(2),
        is_opened: flag(3),
    })
}

/// A tombstone as bytes.
#[must_use]
pub fn encode_tombstone(tombstone: &TombstoneRecord) -> Bytes {
    let mut bytes = Vec::with_capacity(TOMBSTONE_BYTES);
    bytes.put_u8(VERSION);
    bytes.put_u8(u8::from(tombstone.secret.is_some()));
    bytes.put_slice(tombstone.secret.as_ref().map_or(&[0_u8; 32], Secret::as_bytes).as_slice());
    bytes.put_u64(tombstone.expires_ms);
    bytes.put_u64(tombstone.sequence);
    bytes.into()
}

/// Reads what [`encode_tombstone`] wrote.
///
/// # Errors
/// [`RecordError`].
pub fn decode_tombstone(mut bytes: &[u8]) -> Result<TombstoneRecord, RecordError> {
    if bytes.len() != TOMBSTONE_BYTES || bytes.get_u8() != VERSION {
        return Err(RecordError);
    }
    let has_secret = bytes.get_u8() == 1;
    let secret = Secret::from_bytes(array(&mut bytes));
    let (expires_ms, sequence) = (bytes.get_u64(), bytes.get_u64());
    Ok(TombstoneRecord { secret: has_secret.then_some(secret), expires_ms, sequence })
}

fn array<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    let mut array = [0; N];
    bytes.copy_to_slice(&mut array);
    array
}

const VERSION: u8 = 1;
const RECORD_VERSION: u8 = 2;
const FIRST_VERSION: u8 = 1;
/// A byte after the copies counted those that had been given in addition.
const FIRST_RECORD_BYTES: usize = RECORD_BYTES + 1;
const RECORD_BYTES: usize = 1 + 32 + 8 + 16 + 32 + 1 + 4 + 8 + 8 + 1 + 2 + 32 + 1 + 1;
const TOMBSTONE_BYTES: usize = 1 + 1 + 32 + 8 + 8;
const TIERS: [Tier; 4] = [Tier::Own, Tier::Paired, Tier::Contact, Tier::Stranger];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bundle::{Bundle, Class};

    fn record(settle: Option<[u8; 32]>, bringer: Option<[u8; 32]>, flags: (bool, bool)) -> Record {
        let label = Label { class: Class::Bulk, lifetime_max_s: 77, salt: [1; 8], tag: [2; 16], settle };
        let bundle = Bundle::new(label, vec![3; 4096].into()).unwrap();
        Record {
            header: Arc::clone(bundle.header()),
            expires_ms: u64::MAX - 1,
            arrival: 5,
            hops_left: 6,
            copies: 700,
            bringer: bringer.map(NodeKey::from_bytes),
            tier: Tier::Contact,
            is_mine: flags.0,
            is_opened: flags.1,
        }
    }

    proptest! {
        #[test]
        fn records_round_trip(settle: Option<[u8; 32]>, bringer: Option<[u8; 32]>, flags: (bool, bool)) {
            let record = record(settle, bringer, flags);
            prop_assert_eq!(decode_record(&encode_record(&record)), Ok(record));
        }

        #[test]
        fn tombstones_round_trip(secret: Option<[u8; 32]>, expires_ms: u64, sequence: u64) {
            let tombstone = TombstoneRecord { secret: secret.map(Secret::from_bytes), expires_ms, sequence };
            prop_assert_eq!(decode_tombstone(&encode_tombstone(&tombstone)), Ok(tombstone));
        }

        #[test]
        fn garbage_is_refused_or_read(bytes: Vec<u8>, at: prop::sample::Index, byte: u8) {
            let _ = (decode_record(&bytes), decode_tombstone(&bytes));
            let mut changed = encode_record(&record(None, None, (true, false))).to_vec();
            let at = at.index(changed.len());
            changed[at] = byte;
            let _ = decode_record(&changed);
        }
    }

    #[test]
    fn records_of_the_first_version_are_read() {
        let record = record(Some([4; 32]), Some([5; 32]), (true, false));
        let mut first = encode_record(&record).to_vec();
        first[0] = FIRST_VERSION;
        let after_copies = RECORD_BYTES - 32 - 1 - 1;
        first.insert(after_copies, 3);
        assert_eq!(decode_record(&first), Ok(record));
    }

    #[test]
    fn other_lengths_and_versions_are_refused() {
        let good = encode_record(&record(None, None, (false, false)));
        assert_eq!(decode_record(&good[1..]), Err(RecordError));
        let mut newer = good.to_vec();
        newer[0] = RECORD_VERSION + 1;
        assert_eq!(decode_record(&newer), Err(RecordError));
        assert_eq!(decode_tombstone(&[VERSION; 12]), Err(RecordError));
    }
}
