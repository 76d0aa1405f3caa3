use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use proptest::prelude::*;

use super::*;

const CHEAP: PassphraseCost = PassphraseCost { memory_kib: 8, passes: 1, lanes: 1 };
const FULL_CHUNK: usize = CHUNK_HEADER_BYTES + BACKUP_CHUNK_BYTES + TAG_BYTES;

/// A backup, pushed in pieces of `step` bytes.
fn write(seed: u8, plaintext: &[u8], step: usize) -> Vec<u8> {
    let mut rng = ChaCha20Rng::from_seed([seed; 32]);
    let (mut writer, mut file) = BackupWriter::new(&mut rng, b"passphrase", CHEAP).unwrap();
    for piece in plaintext.chunks(step) {
        file.extend(writer.push(piece));
    }
    file.extend(writer.finish());
    file
}

fn read(passphrase: &[u8], file: &[u8], step: usize) -> Result<Vec<u8>, BackupError> {
    let (header, chunks) = file.split_at(BACKUP_HEADER_BYTES.min(file.len()));
    let mut reader = BackupReader::new(passphrase, header)?;
    let mut plaintext = Vec::new();
    for piece in chunks.chunks(step) {
        plaintext.extend_from_slice(&reader.push(piece)?);
    }
    reader.finish()?;
    Ok(plaintext)
}

fn text(length: usize) -> Vec<u8> {
    (0..=250).cycle().take(length).collect()
}

/// Three chunks: two full ones and one of 100 bytes.
fn three_chunks() -> Vec<u8> {
    write(1, &text(2 * BACKUP_CHUNK_BYTES + 100), 10_000)
}

fn chunk_at(number: usize) -> usize {
    BACKUP_HEADER_BYTES + number * FULL_CHUNK
}

#[test]
fn lengths_around_the_chunks() {
    for length in [0, 1, 65_535, 65_536, 65_537, 131_072, 200_000] {
        let file = write(1, &text(length), 30_000);
        assert_eq!(read(b"passphrase", &file, 20_000), Ok(text(length)), "{length} bytes");
        let chunks = length.div_ceil(BACKUP_CHUNK_BYTES).max(1);
        let overhead = BACKUP_HEADER_BYTES + chunks * (CHUNK_HEADER_BYTES + TAG_BYTES);
        assert_eq!(file.len(), length + overhead);
    }
}

#[test]
fn a_wrong_passphrase_is_known_before_anything_is_read() {
    let file = three_chunks();
    let header = &file[..BACKUP_HEADER_BYTES];
    assert_eq!(BackupReader::new(b"passphrasf", header).unwrap_err(), BackupError::WrongPassphrase);
    let empty = BackupError::Passphrase(PassphraseError::Empty);
    assert_eq!(BackupReader::new(b"", header).unwrap_err(), empty);
}

#[test]
fn headers_that_are_none_are_refused() {
    let header = &three_chunks()[..BACKUP_HEADER_BYTES];
    let refuse = |header: &[u8]| BackupReader::new(b"passphrase", header).unwrap_err();
    assert_eq!(refuse(b""), BackupError::NotABackup);
    assert_eq!(refuse(&[b'Q'; BACKUP_HEADER_BYTES]), BackupError::NotABackup);
    assert_eq!(refuse(&header[..20]), BackupError::Truncated);
    assert_eq!(refuse(&[header, &[0]].concat()), BackupError::TrailingBytes);
    for position in 0..header.len() {
        let mut changed = header.to_vec();
        changed[position] ^= 0x80;
        match (position, refuse(&changed)) {
            (0..9, BackupError::NotABackup)
            | (9, BackupError::UnknownVersion(0x81))
            | (10..22, BackupError::Passphrase(PassphraseError::Cost(_)) | BackupError::WrongPassphrase)
            | (22.., BackupError::WrongPassphrase) => {}
            (position, error) => panic!("byte {position}: {error:?}"),
        }
    }
}

#[test]
fn truncation_is_noticed_wherever_it_happens() {
    let file = three_chunks();
    for end in [
        chunk_at(0),
        chunk_at(0) + 5,
        chunk_at(0) + 100,
        chunk_at(1),
        chunk_at(1) + 13,
        chunk_at(2),
        file.len() - 17,
        file.len() - 1,
    ] {
        assert_eq!(read(b"passphrase", &file[..end], 9_999), Err(BackupError::Truncated), "{end} bytes");
    }
}

#[test]
fn chunks_cannot_be_moved() {
    let file = three_chunks();
    let (one, two, end) = (chunk_at(0)..chunk_at(1), chunk_at(1)..chunk_at(2), chunk_at(2)..file.len());
    let arrange = |parts: &[&std::ops::Range<usize>]| {
        let mut arranged = file[..BACKUP_HEADER_BYTES].to_vec();
        parts.iter().for_each(|part| arranged.extend_from_slice(&file[(*part).clone()]));
        read(b"passphrase", &arranged, usize::MAX)
    };
    assert!(arrange(&[&one, &two, &end]).is_ok());
    let out_of_order = |expected, found| Err(BackupError::OutOfOrder { expected, found });
    assert_eq!(arrange(&[&two, &one, &end]), out_of_order(0, 1));
    assert_eq!(arrange(&[&one, &end]), out_of_order(1, 2));
    assert_eq!(arrange(&[&one, &one, &end]), out_of_order(1, 0));
    assert_eq!(arrange(&[&one, &two, &end, &end]), Err(BackupError::TrailingBytes));
}

#[test]
fn renumbering_does_not_help() {
    let mut file = three_chunks();
    let second = file[chunk_at(1)..chunk_at(2)].to_vec();
    file.splice(chunk_at(0)..chunk_at(1), second);
    file[chunk_at(0)..][..8].fill(0);
    assert_eq!(read(b"passphrase", &file, usize::MAX), Err(BackupError::Damaged { chunk: 0 }));
}

#[test]
fn a_chunk_cannot_be_declared_the_last() {
    let mut file = three_chunks();
    file[chunk_at(1) + 8] = 1;
    assert_eq!(read(b"passphrase", &file[..chunk_at(2)], 70_000), Err(BackupError::Damaged { chunk: 1 }));
    file[chunk_at(1) + 8] = 2;
    assert_eq!(read(b"passphrase", &file, 70_000), Err(BackupError::Damaged { chunk: 1 }));
}

#[test]
fn chunks_of_another_backup_are_damaged() {
    let mut file = three_chunks();
    let other = write(2, &text(2 * BACKUP_CHUNK_BYTES + 100), 10_000);
    file.splice(chunk_at(1)..chunk_at(2), other[chunk_at(1)..chunk_at(2)].to_vec());
    assert_eq!(read(b"passphrase", &file, usize::MAX), Err(BackupError::Damaged { chunk: 1 }));
}

#[test]
fn impossible_lengths_are_refused_before_they_are_waited_for() {
    for (is_last, length) in [(0, 0), (0, 65_535), (0, 65_537), (1, 65_537), (1, u32::MAX)] {
        let mut file = three_chunks();
        file[chunk_at(0) + 8] = is_last;
        file[chunk_at(0) + 9..][..4].copy_from_slice(&length.to_be_bytes());
        let read = read(b"passphrase", &file[..chunk_at(0) + 13], 13);
        assert_eq!(read, Err(BackupError::Length { chunk: 0, length }));
    }
}

#[test]
fn an_error_lasts() {
    let mut file = three_chunks();
    file[chunk_at(1) + 100] ^= 1;
    let mut reader = BackupReader::new(b"passphrase", &file[..BACKUP_HEADER_BYTES]).unwrap();
    assert_eq!(*reader.push(&file[chunk_at(0)..chunk_at(1)]).unwrap(), text(BACKUP_CHUNK_BYTES));
    let damaged = Err(BackupError::Damaged { chunk: 1 });
    assert_eq!(reader.push(&file[chunk_at(1)..]), damaged);
    assert_eq!(reader.push(&[]), damaged);
    assert_eq!(reader.finish(), Err(BackupError::Damaged { chunk: 1 }));
}

#[test]
fn the_file_does_not_depend_on_the_pieces() {
    let plaintext = text(150_000);
    assert_eq!(write(1, &plaintext, 7_001), write(1, &plaintext, 150_000));
    assert_ne!(write(1, &plaintext, 7_001), write(2, &plaintext, 7_001));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn round_trip(length in 0_usize..200_000, write_step in 1_usize..70_000, read_step in 1_usize..70_000) {
        let plaintext = text(length);
        prop_assert_eq!(read(b"passphrase", &write(3, &plaintext, write_step), read_step), Ok(plaintext));
    }

    #[test]
    fn any_flipped_bit_is_refused(length in 0_usize..70_000, bit: prop::sample::Index) {
        let mut file = write(4, &text(length), 70_000);
        // A cost that was changed is still obeyed, within its bounds, and takes long: see above for those.
        let chunks = file.len() - BACKUP_HEADER_BYTES;
        let bit = BACKUP_HEADER_BYTES * 8 + bit.index(chunks * 8);
        file[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(read(b"passphrase", &file, 10_000).is_err());
    }

    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let header = &three_chunks()[..BACKUP_HEADER_BYTES];
        let mut reader = BackupReader::new(b"passphrase", header).unwrap();
        for piece in bytes.chunks(50) {
            let _ = reader.push(piece);
        }
        prop_assert!(reader.finish().is_err());
    }
}
