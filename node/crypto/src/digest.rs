//! Digests by which payloads and tokens are named.

use sha2::{Digest as _, Sha256};

/// Bytes in a delivery id.
pub const DELIVERY_ID_BYTES: usize = 16;

/// The id of a delivery: BLAKE3 of its payload, the first 16 bytes.
///
/// A hash of the ciphertext, so that nobody can squat on an id and a message sealed again is a new delivery.
pub fn delivery_id(payload: &[u8]) -> [u8; DELIVERY_ID_BYTES] {
    let mut id = [0; DELIVERY_ID_BYTES];
    id.copy_from_slice(&blake3::hash(payload).as_bytes()[..DELIVERY_ID_BYTES]);
    id
}

/// SHA-256 (FIPS 180-4), of the parts as one.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// The BLAKE3 hash of content that comes in pieces, as blobs are named by.
#[derive(Debug, Clone, Default)]
pub struct ContentHash(blake3::Hasher);

impl ContentHash {
    /// Takes the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The hash of all pieces, 32 bytes.
    pub fn finish(&self) -> [u8; 32] {
        *self.0.finalize().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_hashed_whatever_its_pieces() {
        let mut hash = ContentHash::default();
        hash.update(b"con");
        hash.update(b"tent");
        assert_eq!(hash.finish()[..16], delivery_id(b"content"));
    }

    #[test]
    fn parts_are_hashed_as_one() {
        // SHA-256 of "abc" (FIPS 180-4).
        let expected =
            [0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23];
        assert_eq!(sha256(&[b"a", b"", b"bc"])[..16], expected);
        assert_eq!(sha256(&[b"abc"])[..16], expected);
    }

    #[test]
    fn is_the_start_of_blake3() {
        // BLAKE3 of the empty input.
        let expected =
            [0xaf, 0x13, 0x49, 0xb9, 0xf5, 0xf9, 0xa1, 0xa6, 0xa0, 0x40, 0x4d, 0xea, 0x36, 0xdc, 0xc9, 0x49];
        assert_eq!(delivery_id(b""), expected);
        assert_ne!(delivery_id(b"a"), delivery_id(b"b"));
    }
}
