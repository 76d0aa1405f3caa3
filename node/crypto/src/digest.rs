//! BLAKE3 digests by which sealed payloads are named.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_start_of_blake3() {
        // BLAKE3 of the empty input.
        let expected =
            [0xaf, 0x13, 0x49, 0xb9, 0xf5, 0xf9, 0xa1, 0xa6, 0xa0, 0x40, 0x4d, 0xea, 0x36, 0xdc, 0xc9, 0x49];
        assert_eq!(delivery_id(b""), expected);
        assert_ne!(delivery_id(b"a"), delivery_id(b"b"));
    }
}
