use proptest::prelude::*;

use super::*;
use crate::bundle::Class;
use crate::tests::world::Made;

const WALL_MS: u64 = 1_767_225_600_000;

fn bundles(count: u64) -> Vec<Bundle> {
    let made = |number: u64| match number % 3 {
        0 => Made { size: SizeClass::Kib64, ..Made::to(1) },
        1 => Made { size: SizeClass::Kib4, settles: false, ..Made::to(1) },
        _ => Made::to(1),
    };
    (0..count).map(|number| made(number).bundle(number)).collect()
}

fn file(bundles: &[Bundle]) -> Vec<u8> {
    let (mut writer, start) = Writer::begin(WALL_MS);
    let mut file = start.to_vec();
    bundles.iter().for_each(|bundle| file.extend_from_slice(&writer.bundle(bundle)));
    file.extend_from_slice(&writer.end());
    file
}

/// Reads a file that comes in parts of these lengths, in turns.
fn read(file: &[u8], parts: &[usize]) -> Result<Vec<Bundle>, FileError> {
    let (mut reader, mut found, mut rest) = (Reader::new(), Vec::new(), file);
    for part in parts.iter().cycle() {
        let (now, later) = rest.split_at((*part).min(rest.len()));
        reader.push(now);
        rest = later;
        while let Some(bundle) = reader.next()? {
            found.push(bundle);
        }
        if rest.is_empty() {
            break;
        }
    }
    reader.finish()?;
    assert_eq!(reader.wall_ms(), Some(WALL_MS));
    Ok(found)
}

#[test]
fn files_round_trip() {
    for count in [0, 1, 7] {
        assert_eq!(read(&file(&bundles(count)), &[1 << 20]), Ok(bundles(count)));
    }
}

#[test]
fn other_files_are_refused_at_once() {
    let mut newer = file(&[]);
    newer[8] = 2;
    let mut long = file(&[]);
    long.splice(17..21, 70_000_u32.to_be_bytes());
    for (file, error) in [
        (b"MZ".to_vec(), FileError::Magic),
        (b"qpqmesx".to_vec(), FileError::Magic),
        (newer, FileError::Version(2)),
        (long, FileError::TooLong(70_000)),
        (Vec::new(), FileError::Length),
    ] {
        assert_eq!(read(&file, &[9]), Err(error));
    }
}

#[test]
fn what_lies_in_a_drawer_grows_older() {
    let mut bundle = Made { class: Class::Control, lifetime_s: 30 * 86_400, ..Made::to(1) }.bundle(1);
    for (exported_ms, imported_ms, days) in [
        (WALL_MS, WALL_MS, 30.0),
        (WALL_MS, WALL_MS + 3 * 86_400_000, 27.0),
        (WALL_MS, WALL_MS + 40 * 86_400_000, 0.0),
        (WALL_MS, 0, 29.75),
        (0, WALL_MS, 29.75),
    ] {
        bundle.transit.remaining_s = 30 * 86_400;
        charge(&mut bundle, exported_ms, imported_ms);
        assert_eq!(f64::from(bundle.transit.remaining_s) / 86_400.0, days);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn it_does_not_matter_how_the_file_comes(parts in prop::collection::vec(1..5_000_usize, 1..20)) {
        prop_assert_eq!(read(&file(&bundles(4)), &parts), Ok(bundles(4)));
    }

    #[test]
    fn a_file_cut_off_anywhere_is_found_to_be(at: prop::sample::Index) {
        let file = file(&bundles(3));
        let cut = &file[..at.index(file.len())];
        prop_assert_eq!(read(cut, &[1_000]), Err(FileError::Length));
    }

    /// No damage goes unseen, and no bundle that is read has another body than its id says.
    #[test]
    fn damage_is_found(at: prop::sample::Index, bit in 0..8_u8) {
        let good = file(&bundles(3));
        let mut damaged = good.clone();
        let at = at.index(damaged.len());
        damaged[at] ^= 1 << bit;
        prop_assume!(!(9..17).contains(&at));
        prop_assert!(read(&damaged, &[1_000]).is_err());
    }

    #[test]
    fn garbage_never_panics(bytes: Vec<u8>) {
        let mut file = MAGIC.to_vec();
        file.push(VERSION);
        file.extend_from_slice(&bytes);
        let mut reader = Reader::new();
        reader.push(&file);
        while let Ok(Some(_)) = reader.next() {}
    }
}
