//! Proof of work, for strangers when the store is under pressure.
//!
//! A carrier sets a fresh challenge; whoever wants to deposit finds a nonce such that
//! `BLAKE3(challenge | node key of the depositor | nonce, big-endian)` starts with enough zero bits. The node key is
//! that of the link, so that a solution is worth nothing to anybody else; the challenge is fresh, so that none can be
//! found in advance. A solution admits [`WORK_BUNDLES`] bundles.
//!
//! Nothing is solved inside the state machine: it takes long. The mesh asks the driver by an effect, which calls
//! [`solve`] in steps wherever there is time for it.

use qpq_proto::ids::NodeKey;

/// Bundles that a solution admits.
pub const WORK_BUNDLES: u16 = 16;

/// Most leading zero bits that a node is ready to look for: 2^24 attempts are some seconds.
pub const WORK_BITS_MAX: u8 = 24;

/// A riddle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Fresh.
    pub bytes: [u8; 16],
    /// Leading zero bits asked for.
    pub bits: u8,
}

/// A riddle solved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Solution {
    /// As it was set.
    pub challenge: [u8; 16],
    /// What was found.
    pub nonce: u64,
}

impl Challenge {
    /// Whether the node found what this challenge asks for.
    #[must_use]
    pub fn is_solved_by(&self, node: &NodeKey, solution: &Solution) -> bool {
        self.bytes == solution.challenge
            && zero_bits(&self.bytes, node, solution.nonce) >= u32::from(self.bits)
    }
}

/// Looks for a solution among `attempts` nonces from `first` on; to be called again with the next ones.
#[must_use]
pub fn solve(challenge: &Challenge, node: &NodeKey, first: u64, attempts: u64) -> Option<Solution> {
    let bits = u32::from(challenge.bits);
    (first..first.saturating_add(attempts))
        .find(|nonce| zero_bits(&challenge.bytes, node, *nonce) >= bits)
        .map(|nonce| Solution { challenge: challenge.bytes, nonce })
}

fn zero_bits(challenge: &[u8; 16], node: &NodeKey, nonce: u64) -> u32 {
    let mut input = [0; 16 + 32 + 8];
    input[..16].copy_from_slice(challenge);
    input[16..48].copy_from_slice(node.as_bytes());
    input[48..].copy_from_slice(&nonce.to_be_bytes());
    let hash = blake3::hash(&input);
    let (start, _) = hash.as_bytes().split_at(8);
    start.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)).leading_zeros()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: NodeKey = NodeKey::from_bytes([1; 32]);

    fn challenge(bits: u8) -> Challenge {
        Challenge { bytes: [9; 16], bits }
    }

    fn solved(bits: u8) -> Solution {
        solve(&challenge(bits), &NODE, 0, 1 << 20).unwrap()
    }

    #[test]
    fn a_solution_is_found_and_holds() {
        for bits in [0, 1, 8, 12] {
            assert!(challenge(bits).is_solved_by(&NODE, &solved(bits)), "{bits}");
        }
    }

    #[test]
    fn a_solution_is_worth_nothing_elsewhere() {
        let solution = solved(12);
        assert!(!challenge(12).is_solved_by(&NodeKey::from_bytes([2; 32]), &solution), "another node");
        let other = Challenge { bytes: [8; 16], bits: 12 };
        assert!(!other.is_solved_by(&NODE, &solution), "another challenge");
        let replayed = Solution { challenge: other.bytes, ..solution };
        assert!(!other.is_solved_by(&NODE, &replayed), "the nonce under another challenge");
        assert!(!challenge(12).is_solved_by(&NODE, &Solution { nonce: solution.nonce + 1, ..solution }));
    }

    #[test]
    fn looking_goes_on_where_it_stopped() {
        let whole = solved(10);
        assert_eq!(solve(&challenge(10), &NODE, 0, whole.nonce), None);
        assert_eq!(solve(&challenge(10), &NODE, whole.nonce, 1), Some(whole));
        assert_eq!(solve(&challenge(64), &NODE, u64::MAX - 2, 100), None, "the last nonces");
    }
}
