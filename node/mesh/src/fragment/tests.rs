use proptest::prelude::*;
use qpq_proto::ids::NodeKey;

use super::*;
use crate::bundle::{Bundle, BundleId, Class, Label};
use crate::custody::OVERHEAD_BYTES;

/// What a bundle of 1 KiB costs.
const COST: u64 = 1_024 + OVERHEAD_BYTES;
const LIMITS: AssemblyLimits = AssemblyLimits { bytes_max: 10 * COST, neighbour_bytes_max: 6 * COST };

fn object(number: u8, length: usize) -> Bytes {
    (0..=250).cycle().take(length).map(|byte: u8| byte ^ number).collect()
}

/// An object of so many pieces.
fn pieces(number: u8, count: u16) -> Vec<Piece> {
    let length = usize::from(count) * 1_000;
    let pieces = cut([number; 16], &object(number, length), 1_000 + header_bytes(count)).unwrap();
    assert_eq!(pieces.len(), usize::from(count));
    pieces
}

/// The bundle that would hold a piece; its body does not matter here.
fn bundle(piece: &Piece, salt: u8) -> Bundle {
    let mut tag = piece.object();
    tag[0] ^= u8::try_from(piece.index()).unwrap();
    let label = Label { class: Class::Control, lifetime_max_s: 60, salt: [salt; 8], tag, settle: None };
    Bundle::new(label, vec![0; 1_024].into()).unwrap()
}

fn node(number: u8) -> NodeKey {
    NodeKey::from_bytes([number; 32])
}

fn waits() -> Noted {
    Noted::Waits { given_up: Vec::new() }
}

/// Notes a piece that a neighbour brought.
fn note(assembly: &mut Assembly, bringer: u8, piece: &Piece) -> Noted {
    assembly.note(&LIMITS, node(bringer), &bundle(piece, 1), piece)
}

#[test]
fn what_cannot_be_cut_is_refused() {
    let most = usize::from(PIECES_MAX) * 10_000;
    for (length, encoded_bytes_max, fits) in [
        (0, 100, false),
        (1, header_bytes(1) + 1, true),
        (1, header_bytes(1), false),
        (10, 0, false),
        (most, header_bytes(PIECES_MAX) + 10_000, true),
        (most + 1, header_bytes(PIECES_MAX) + 10_000, false),
        (OBJECT_BYTES_MAX, 65_000, true),
        (OBJECT_BYTES_MAX + 1, 65_000, false),
    ] {
        let bytes = Bytes::from(vec![0; length]);
        let expected = if fits { None } else { Some(FragmentError::Object(length)) };
        assert_eq!(
            cut([0; 16], &bytes, encoded_bytes_max).err(),
            expected,
            "{length} by {encoded_bytes_max}"
        );
    }
}

#[test]
fn a_piece_proves_that_it_is_one() {
    let [first, second, _] = pieces(1, 3).try_into().unwrap();
    let good = first.encode();
    assert_eq!(Piece::decode(&good.clone().into()), Ok(first.clone()));
    for (at, expected) in [(16, FragmentError::Header), (19, FragmentError::Header)] {
        let mut changed = good.clone();
        changed[at] = 0xff;
        assert_eq!(Piece::decode(&changed.into()), Err(expected), "byte {at}");
    }
    let header = header_bytes(3);
    for at in [17, FIXED_HEADER_BYTES, header, good.len() - 1] {
        let mut changed = good.clone();
        changed[at] ^= 1;
        assert_eq!(Piece::decode(&changed.into()), Err(FragmentError::Hash), "byte {at}");
    }
    assert_eq!(Piece::decode(&Bytes::from(good).slice(..header)), Err(FragmentError::Header));
    assert_eq!(first.object(), second.object());
    // Whoever names other pieces, or another name, names another object.
    let mut forged = first.encode();
    forged[FIXED_HEADER_BYTES + HASH_BYTES] ^= 1;
    assert_ne!(Piece::decode(&forged.into()).unwrap().object(), first.object());
    let mut renamed = first.encode();
    renamed[0] ^= 1;
    assert_ne!(Piece::decode(&renamed.into()).unwrap().object(), first.object());
}

#[test]
fn a_neighbour_displaces_its_own_oldest_pieces() {
    let mut assembly = Assembly::default();
    let (of_one, of_two) = (pieces(1, 20), pieces(2, 20));
    for piece in &of_one[..6] {
        assert_eq!(note(&mut assembly, 1, piece), waits());
    }
    for piece in &of_two[..4] {
        assert_eq!(note(&mut assembly, 2, piece), waits());
    }
    let oldest = |piece: &Piece| Noted::Waits { given_up: vec![*bundle(piece, 1).id()] };
    assert_eq!(note(&mut assembly, 1, &of_one[6]), oldest(&of_one[0]), "its own share is full");
    assert_eq!(note(&mut assembly, 2, &of_two[4]), oldest(&of_one[1]), "whoever has most makes room");
    assert_eq!((assembly.len(), assembly.bytes()), (10, 10 * COST));
}

#[test]
fn one_that_is_missing_blocks_no_other() {
    let mut assembly = Assembly::default();
    let (unfinished, whole) = (pieces(1, 3), pieces(2, 2));
    assert_eq!(note(&mut assembly, 1, &unfinished[2]), waits());
    assert_eq!(note(&mut assembly, 1, &whole[1]), waits());
    let bundles: Vec<BundleId> = whole.iter().map(|piece| *bundle(piece, 1).id()).collect();
    assert_eq!(note(&mut assembly, 1, &whole[0]), Noted::Whole(bundles.clone()));
    assert_eq!(note(&mut assembly, 1, &whole[0]), Noted::Whole(bundles.clone()), "until it is forgotten");
    assert_eq!(assembly.object_of(&bundles[1]), bundles);
    bundles.iter().for_each(|id| assembly.forget(id));
    assert_eq!(assembly.len(), 1);
    assembly.forget(bundle(&unfinished[2], 1).id());
    assert!(assembly.is_empty());
    assert_eq!(assembly.bytes(), 0);
}

#[test]
fn a_piece_in_a_second_bundle_is_known() {
    let mut assembly = Assembly::default();
    let piece = &pieces(1, 2)[0];
    assert_eq!(note(&mut assembly, 1, piece), waits());
    assert_eq!(note(&mut assembly, 2, piece), waits(), "the same bundle again");
    assert_eq!(assembly.note(&LIMITS, node(1), &bundle(piece, 9), piece), Noted::Known);
    assert_eq!(assembly.len(), 1);
}

proptest! {
    #[test]
    fn pieces_come_together_in_any_order(
        length in 1..4_000_usize,
        piece_bytes in 40..700_usize,
        order in prop::collection::vec((any::<prop::sample::Index>(), 0..3_u8), 0..200),
    ) {
        let whole = object(7, length);
        let Ok(pieces) = cut([7; 16], &whole, piece_bytes) else { return Ok(()) };
        prop_assert!(pieces.iter().all(|piece| piece.encode().len() <= piece_bytes));
        let limits = AssemblyLimits { bytes_max: u64::MAX, neighbour_bytes_max: u64::MAX };
        let (mut assembly, mut seen) = (Assembly::default(), std::collections::BTreeSet::new());
        let chosen = order.iter().map(|(index, bringer)| (index.index(pieces.len()), *bringer));
        for (index, bringer) in chosen.chain((0..pieces.len()).map(|index| (index, 9))) {
            let piece = Piece::decode(&pieces[index].encode().into()).unwrap();
            seen.insert(index);
            let noted = assembly.note(&limits, node(bringer), &bundle(&piece, 1), &piece);
            prop_assert_eq!(matches!(noted, Noted::Whole(_)), seen.len() == pieces.len());
        }
        let joined: Vec<u8> = pieces.iter().flat_map(|piece| piece.bytes().to_vec()).collect();
        prop_assert_eq!(joined, whole.to_vec());
    }

    /// Whatever comes and goes, the bounds are kept and the books agree.
    #[test]
    fn bounds_are_kept(
        steps in prop::collection::vec((0..4_u8, 0..6_u8, 0..8_usize, any::<bool>()), 0..300),
    ) {
        let mut assembly = Assembly::default();
        let objects: Vec<Vec<Piece>> = (0..6).map(|number| pieces(number, 9)).collect();
        for (bringer, number, index, comes) in steps {
            let piece = &objects[usize::from(number)][index];
            if comes {
                note(&mut assembly, bringer, piece);
            } else {
                assembly.forget(bundle(piece, 1).id());
            }
            prop_assert!(assembly.bytes() <= LIMITS.bytes_max);
            prop_assert_eq!(assembly.bytes(), assembly.len() as u64 * COST);
        }
        for piece in objects.iter().flatten() {
            assembly.forget(bundle(piece, 1).id());
        }
        prop_assert!(assembly.is_empty());
        prop_assert_eq!(assembly.bytes(), 0);
    }

    #[test]
    fn garbage_never_panics(bytes: Vec<u8>) {
        let _ = Piece::decode(&bytes.into());
    }
}
