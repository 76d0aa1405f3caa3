use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn header() -> Kind {
    Kind::Header(Header { name: "alice".to_owned(), created_at_ms: 7, ..Header::default() })
}

fn record(ordinal: u64) -> Kind {
    let value = Bytes::from(vec![9; 300]);
    Kind::Record(BackupRecord {
        table: "messages".to_owned(),
        prefix: Bytes::from_static(b"p"),
        ordinal,
        value,
    })
}

fn trailer(records: u64) -> Kind {
    Kind::Trailer(Trailer { records })
}

/// Reads entries in pieces of some size; the ordinals of the records and the name in the header.
fn read(entries: &[Kind], piece: usize) -> Result<(Vec<u64>, String), EntriesError> {
    let bytes: Vec<u8> = entries.iter().cloned().flat_map(encode).collect();
    let mut ordinals = Vec::new();
    let mut reader = Reader::default();
    for piece in bytes.chunks(piece) {
        reader.push::<EntriesError>(piece, &mut |record| {
            ordinals.push(record.ordinal);
            Ok(())
        })?;
    }
    Ok((ordinals, reader.finish()?.name))
}

#[test]
fn entries_come_back_however_they_are_cut() {
    let entries = [header(), record(1), record(2), trailer(2)];
    for piece in [1, 2, 7, 64, 1 << 20] {
        assert_eq!(read(&entries, piece), Ok((vec![1, 2], "alice".to_owned())), "{piece}");
    }
}

#[test]
fn what_is_missing_or_misplaced_is_noticed() {
    let cases: &[(&[Kind], EntriesError)] = &[
        (&[], EntriesError::Incomplete),
        (&[header()], EntriesError::Incomplete),
        (&[header(), record(1)], EntriesError::Incomplete),
        (&[header(), record(1), trailer(2)], EntriesError::Incomplete),
        (&[record(1), trailer(1)], EntriesError::Order),
        (&[header(), header()], EntriesError::Order),
        (&[header(), trailer(0), record(1)], EntriesError::Order),
        (&[trailer(0)], EntriesError::Order),
    ];
    for (entries, error) in cases {
        assert_eq!(read(entries, 64), Err(*error), "{entries:?}");
    }
}

#[test]
fn garbage_is_refused_before_it_is_kept() {
    let push = |bytes: &[u8]| Reader::default().push::<EntriesError>(bytes, &mut |_| Ok(()));
    assert_eq!(push(&[0xff; 10]), Err(EntriesError::Malformed));
    assert_eq!(push(&[0xff, 0xff, 0xff, 0xff, 0x7f]), Err(EntriesError::TooLong));
    assert_eq!(push(&[2, 0xff, 0xff]), Err(EntriesError::Malformed));
    assert_eq!(push(&[0]), Err(EntriesError::Order));
    let mut reader = Reader::default();
    assert_eq!(reader.push::<EntriesError>(&encode(header())[..3], &mut |_| Ok(())), Ok(()));
    assert_eq!(reader.finish(), Err(EntriesError::Incomplete));
}

/// Reads bytes cut at these places: the ordinals, whether or not all went well.
fn read_cut(bytes: &[u8], cuts: &[prop::sample::Index]) -> (Vec<u64>, Result<String, EntriesError>) {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    let mut reader = Reader::default();
    let mut ordinals = Vec::new();
    for pair in places.windows(2) {
        let pushed = reader.push::<EntriesError>(&bytes[pair[0]..pair[1]], &mut |record| {
            ordinals.push(record.ordinal);
            Ok(())
        });
        if let Err(error) = pushed {
            return (ordinals, Err(error));
        }
    }
    (ordinals, reader.finish().map(|header| header.name))
}

fn whole(records: u64) -> Vec<u8> {
    let middle = (0..records).map(record);
    std::iter::once(header()).chain(middle).chain([trailer(records)]).flat_map(encode).collect()
}

proptest! {
    /// However the bytes are cut, the same is read.
    #[test]
    fn cuts_make_no_difference(records in 0_u64..6, cuts in vec(any::<prop::sample::Index>(), 0..20)) {
        let (ordinals, read) = read_cut(&whole(records), &cuts);
        prop_assert_eq!((ordinals, read), ((0..records).collect(), Ok("alice".to_owned())));
    }

    /// What is cut off is missed, wherever the cut is.
    #[test]
    fn what_is_cut_off_is_missed(records in 0_u64..6, end in any::<prop::sample::Index>()) {
        let bytes = whole(records);
        let (ordinals, read) = read_cut(&bytes[..end.index(bytes.len())], &[]);
        prop_assert_eq!(read, Err(EntriesError::Incomplete));
        prop_assert!(ordinals.is_sorted() && ordinals.len() as u64 <= records);
    }

    /// What is repeated or exchanged is not taken for a backup. Entries are sealed; this is what a defect would write.
    #[test]
    fn entries_out_of_order_are_refused(
        order in Just((0..4_usize).collect::<Vec<_>>()).prop_shuffle(),
        repeated in 0_usize..4,
    ) {
        let entries = [header(), record(1), record(2), trailer(2)];
        let shuffled: Vec<u8> = order.iter().flat_map(|index| encode(entries[*index].clone())).collect();
        let is_in_order = order[0] == 0 && order[3] == 3;
        prop_assert_eq!(read_cut(&shuffled, &[]).1.is_ok(), is_in_order);
        let twice = entries.iter().enumerate().flat_map(|(index, entry)| {
            let times = if index == repeated { 2 } else { 1 };
            encode(entry.clone()).repeat(times)
        });
        prop_assert!(read_cut(&twice.collect::<Vec<_>>(), &[]).1.is_err());
    }

    /// Garbage is refused, and no more of it is kept than an entry may have.
    #[test]
    fn garbage_is_survived(bytes in vec(any::<u8>(), 0..600), cuts in vec(any::<prop::sample::Index>(), 0..6)) {
        let (ordinals, read) = read_cut(&bytes, &cuts);
        prop_assert!(ordinals.is_empty() && read.is_err());
    }
}

#[test]
fn an_entry_that_is_announced_too_long_is_not_waited_for() {
    let announce = |length: usize| {
        let mut bytes = Vec::new();
        prost::encode_length_delimiter(length, &mut bytes).unwrap();
        Reader::default().push::<EntriesError>(&bytes, &mut |_| Ok(()))
    };
    assert_eq!(announce(ENTRY_BYTES_MAX), Ok(()));
    assert_eq!(announce(ENTRY_BYTES_MAX + 1), Err(EntriesError::TooLong));
    assert_eq!(announce(usize::MAX), Err(EntriesError::TooLong));
}

#[test]
fn what_the_sink_cannot_take_ends_the_reading() {
    let mut taken = 0;
    let pushed = Reader::default().push::<EntriesError>(&whole(5), &mut |_| {
        taken += 1;
        if taken == 3 { Err(EntriesError::TooLong) } else { Ok(()) }
    });
    assert_eq!((pushed, taken), (Err(EntriesError::TooLong), 3));
}
