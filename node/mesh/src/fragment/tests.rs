use proptest::prelude::*;

use super::*;

const LIMITS: AssemblyLimits = AssemblyLimits {
    bytes_max: 10_000,
    objects_max: 6,
    sender_bytes_max: 6_000,
    sender_objects_max: 3,
    lifetime_ms: 1_000,
};

fn object(number: u8, length: usize) -> Bytes {
    (0..=250).cycle().take(length).map(|byte: u8| byte ^ number).collect()
}

fn pieces(number: u8, length: usize, piece_bytes: usize) -> Vec<Piece> {
    cut([number; 16], &object(number, length), piece_bytes).unwrap()
}

fn assembly() -> Assembly {
    Assembly::new(LIMITS)
}

#[test]
fn what_cannot_be_cut_is_refused() {
    for (length, piece_bytes, fits) in [
        (0, 10, false),
        (1, 10, true),
        (10, 0, false),
        (1_280, 10, true),
        (1_281, 10, false),
        (OBJECT_BYTES_MAX, 65_000, true),
        (OBJECT_BYTES_MAX + 1, 65_000, false),
    ] {
        let bytes = Bytes::from(vec![0; length]);
        let expected = if fits { None } else { Some(FragmentError::Object(length)) };
        assert_eq!(cut([0; 16], &bytes, piece_bytes).err(), expected, "{length} by {piece_bytes}");
    }
}

#[test]
fn a_sender_cannot_fill_what_is_there_for_others() {
    let mut assembly = assembly();
    for number in 0..3 {
        assert_eq!(assembly.take(1, pieces(number, 2_000, 1_000)[0].clone(), 0), Ok(None));
    }
    let refused = Err(FragmentError::TooMany);
    assert_eq!(assembly.take(1, pieces(9, 2_000, 1_000)[0].clone(), 0), refused, "a fourth object");
    assert_eq!(assembly.take(2, pieces(9, 12_000, 6_001)[0].clone(), 0), refused, "too long a piece");
    assert_eq!(assembly.take(2, pieces(9, 2_000, 1_000)[0].clone(), 0), Ok(None), "another sender");
}

#[test]
fn the_oldest_makes_room_and_time_ends() {
    let mut assembly = assembly();
    for sender in 0..7 {
        assert_eq!(assembly.take(sender, pieces(1, 2_000, 1_000)[0].clone(), sender), Ok(None));
    }
    assert_eq!(assembly.len(), 6);
    assert_eq!(assembly.take(0, pieces(1, 2_000, 1_000)[1].clone(), 10), Ok(None), "its first piece is gone");
    assert!(assembly.take(6, pieces(1, 2_000, 1_000)[1].clone(), 10).unwrap().is_some());
    assert_eq!(assembly.take(50, pieces(1, 2_000, 1_000)[0].clone(), 5_000), Ok(None));
    assert_eq!(assembly.len(), 1, "the others have waited too long");
}

#[test]
fn contradictions_are_refused_and_change_nothing() {
    let mut assembly = assembly();
    let good = pieces(1, 2_500, 1_000);
    assembly.take(1, good[0].clone(), 0).unwrap();
    for bad in [
        Piece { count: 4, ..good[1].clone() },
        Piece { bytes: object(1, 999), ..good[1].clone() },
        Piece { bytes: object(1, 1_001), ..good[2].clone() },
        Piece { bytes: object(2, 1_000), ..good[0].clone() },
    ] {
        assert_eq!(assembly.take(1, bad, 0), Err(FragmentError::Contradiction));
    }
    assert_eq!(assembly.take(1, good[2].clone(), 0), Ok(None));
    assert_eq!(assembly.take(1, good[1].clone(), 0), Ok(Some(object(1, 2_500))));
    assert!(assembly.is_empty() && assembly.bytes() == 0);
}

#[test]
fn malformed_headers_are_refused() {
    let good = pieces(1, 2_000, 1_000)[1].encode();
    assert_eq!(Piece::decode(&good.clone().into()), Ok(pieces(1, 2_000, 1_000)[1].clone()));
    let changed = |at: usize, bytes: [u8; 2]| {
        let mut changed = good.clone();
        changed[at..at + 2].copy_from_slice(&bytes);
        Piece::decode(&changed.into())
    };
    assert_eq!(changed(16, [0, 2]), Err(FragmentError::Header), "beyond the count");
    assert_eq!(changed(18, [0, 0]), Err(FragmentError::Header), "none at all");
    assert_eq!(changed(18, [0, 129]), Err(FragmentError::Header), "too many");
    for length in [0, 15, 17, 20] {
        assert_eq!(
            Piece::decode(&good[..length].to_vec().into()),
            Err(FragmentError::Header),
            "{length} bytes"
        );
    }
}

proptest! {
    #[test]
    fn objects_come_back_in_any_order_with_repetitions(
        length in 1..5_000_usize,
        piece_bytes in 50..2_000_usize,
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
    ) {
        let pieces = pieces(3, length, piece_bytes);
        let mut assembly = assembly();
        let mut whole = None;
        let picked = order.iter().map(|index| index.index(pieces.len())).chain(0..pieces.len());
        for index in picked {
            let piece = Piece::decode(&pieces[index].encode().into()).unwrap();
            whole = assembly.take(7, piece, 0).unwrap();
            if whole.is_some() {
                break;
            }
        }
        prop_assert_eq!(whole, Some(object(3, length)));
        prop_assert_eq!((assembly.len(), assembly.bytes()), (0, 0));
    }

    #[test]
    fn limits_hold_whatever_comes(
        all in prop::collection::vec((0..4_u64, 0..4_u8, 0..8_u16, 1..9_u16, 1..3_000_usize, 0..400_u64), 0..150),
    ) {
        let mut assembly = assembly();
        let mut now_ms = 0;
        for (sender, number, index, count, length, later_ms) in all {
            now_ms += later_ms;
            let piece = Piece { object: [number; 16], index: index % count, count, bytes: object(number, length) };
            let _ = assembly.take(sender, piece, now_ms);
            prop_assert!(assembly.bytes() <= LIMITS.bytes_max && assembly.len() <= LIMITS.objects_max);
            let sum: usize = assembly.unfinished.values().map(|object| object.bytes).sum();
            prop_assert_eq!(sum, assembly.bytes());
            prop_assert_eq!(assembly.by_age.len(), assembly.len());
        }
    }

    #[test]
    fn garbage_never_panics(bytes: Vec<u8>) {
        let _ = Piece::decode(&bytes.into());
    }
}
