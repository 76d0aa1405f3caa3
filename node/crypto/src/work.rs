//! Proof of work: what somebody unknown spends before it is served.
//!
//! ```text
//! BLAKE3(challenge (16) | identity key (32) | nonce (8, big-endian)) starts with so many zero bits
//! ```
//!
//! The challenge is fresh, so that nothing can be found in advance; the key is of whoever does the work, so that it is worth
//! nothing to anybody else. To find a nonce of n bits takes 2^n hashes on average, to check one takes one.

/// Bytes of a challenge.
pub const WORK_CHALLENGE_BYTES: usize = 16;
/// Most leading zero bits that are looked for: 2^30 hashes are some minutes on one core.
pub const WORK_BITS_MAX: u32 = 30;

/// A challenge, for one identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Challenge {
    /// Fresh.
    pub bytes: [u8; WORK_CHALLENGE_BYTES],
    /// Key of whoever does the work, 32 bytes.
    pub key: [u8; 32],
    /// Leading zero bits.
    pub bits: u32,
}

impl Challenge {
    /// Whether a nonce is what the challenge asks for.
    pub fn is_solved_by(&self, nonce: u64) -> bool {
        let mut input = [0; WORK_CHALLENGE_BYTES + 32 + 8];
        input[..16].copy_from_slice(&self.bytes);
        input[16..48].copy_from_slice(&self.key);
        input[48..].copy_from_slice(&nonce.to_be_bytes());
        let hash = blake3::hash(&input);
        let (start, _) = hash.as_bytes().split_at(8);
        let zero_bits = start.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)).leading_zeros();
        zero_bits >= self.bits
    }

    /// The first nonce that it is solved by. Takes about 100 ns a hash.
    pub fn solve(&self) -> Option<u64> {
        (0..u64::MAX).find(|nonce| self.is_solved_by(*nonce))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(bits: u32) -> Challenge {
        Challenge { bytes: [9; WORK_CHALLENGE_BYTES], key: [1; 32], bits }
    }

    #[test]
    fn what_is_found_holds() {
        for bits in [0, 1, 8, 12] {
            assert!(challenge(bits).is_solved_by(challenge(bits).solve().unwrap()), "{bits}");
        }
    }

    #[test]
    fn it_is_worth_nothing_elsewhere() {
        let nonce = challenge(12).solve().unwrap();
        assert!(!Challenge { key: [2; 32], ..challenge(12) }.is_solved_by(nonce), "another's");
        assert!(!Challenge { bytes: [8; WORK_CHALLENGE_BYTES], ..challenge(12) }.is_solved_by(nonce));
        assert!(!challenge(12).is_solved_by(nonce + 1));
        assert!(!challenge(64).is_solved_by(nonce), "more was asked for");
    }
}
