//! Padding to size classes, so that a body's length says next to nothing about what is in it.
//!
//! Bodies have 1, 4, 16 or 64 KiB; what is larger has a multiple of 64 KiB. The plaintext is followed by
//! one byte 0x80 and zeros (ISO/IEC 7816-4). Padding is sealed with the plaintext, so that there is no one who
//! could learn from an error where it ends.

/// Sizes to which bodies are padded, in bytes. A larger one has a multiple of the last.
pub const SIZE_CLASSES_BYTES: [usize; 4] = [1 << 10, 4 << 10, 16 << 10, 64 << 10];

/// What was opened does not end in padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("padding is malformed")]
pub struct PaddingError;

/// Bytes of the smallest size class in which `length` bytes have room.
pub fn size_class_bytes(length: usize) -> usize {
    let largest = SIZE_CLASSES_BYTES[SIZE_CLASSES_BYTES.len() - 1];
    SIZE_CLASSES_BYTES
        .into_iter()
        .find(|class| length <= *class)
        .unwrap_or_else(|| length.next_multiple_of(largest))
}

/// Pads `plaintext` such that it has the size of a class after sealing has added `overhead` bytes.
pub fn pad(plaintext: &[u8], overhead: usize) -> Vec<u8> {
    let length = size_class_bytes(plaintext.len() + 1 + overhead) - overhead;
    let mut padded = Vec::with_capacity(length);
    padded.extend_from_slice(plaintext);
    padded.push(MARKER);
    padded.resize(length, 0);
    padded
}

/// What [`pad`] padded.
///
/// # Errors
/// [`PaddingError`] where anything but zeros follows the last 0x80, or there is none.
pub fn unpad(padded: &[u8]) -> Result<&[u8], PaddingError> {
    let end = padded.iter().rposition(|byte| *byte != 0).ok_or(PaddingError)?;
    if padded[end] == MARKER { Ok(&padded[..end]) } else { Err(PaddingError) }
}

const MARKER: u8 = 0x80;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_fall_into_classes() {
        let table = [
            (0, 1024),
            (1024, 1024),
            (1025, 4096),
            (4096, 4096),
            (4097, 16_384),
            (16_385, 65_536),
            (65_536, 65_536),
            (65_537, 131_072),
            (131_073, 196_608),
        ];
        for (length, class) in table {
            assert_eq!(size_class_bytes(length), class, "{length} bytes");
        }
    }

    #[test]
    fn the_marker_needs_a_byte() {
        assert_eq!(pad(&[1; 1007], 16).len(), 1008);
        assert_eq!(pad(&[1; 1008], 16).len(), 4080);
    }

    #[test]
    fn malformed_padding_is_refused() {
        for malformed in [&[][..], &[0], &[0, 0, 0], &[1], &[0x80, 1], &[0x80, 0, 0x7f, 0], &[0x81, 0]] {
            assert_eq!(unpad(malformed), Err(PaddingError), "{malformed:?}");
        }
    }

    #[test]
    fn plaintexts_that_look_like_padding_survive() {
        for plaintext in [&[][..], &[0x80], &[0x80, 0, 0], &[0, 0], &[0x80, 0x80]] {
            assert_eq!(unpad(&pad(plaintext, 0)), Ok(plaintext));
        }
    }

    proptest! {
        #[test]
        fn round_trip(length in 0_usize..200_000, byte: u8, overhead in 0_usize..2000) {
            let plaintext = vec![byte; length];
            let padded = pad(&plaintext, overhead);
            prop_assert_eq!(unpad(&padded), Ok(plaintext.as_slice()));
            let sealed = padded.len() + overhead;
            prop_assert_eq!(size_class_bytes(sealed), sealed);
        }

        #[test]
        fn garbage_never_panics(bytes: Vec<u8>) {
            if let Ok(plaintext) = unpad(&bytes) {
                prop_assert!(bytes.starts_with(plaintext));
            }
        }
    }
}
