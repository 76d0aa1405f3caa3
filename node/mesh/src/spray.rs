//! Who gets a copy of what: the policy, as pure functions.
//!
//! | from | to | what is given |
//! |---|---|---|
//! | carrier | carrier | a replica; carriers do not count copies among themselves |
//! | mobile, leaf | carrier | one copy; the last one is replicated, since a carrier is the better place |
//! | carrier, mobile, leaf | mobile | half of the copies (binary spray and wait, Spyropoulos et al., 2005) |
//! | any | leaf | nothing but what is addressed to it |
//!
//! What is addressed to a neighbour is handed to it whatever the copies: this table is about carrying.
//!
//! Where we deviate from the paper: a holder that is down to its last copy gets one more each time the age of the
//! bundle passes a sixteenth, an eighth, a quarter and half of its lifetime. Little is spent on what arrives soon, and
//! what does not comes closer to being spread everywhere. A holder counts only what passes while it holds the bundle,
//! so the total stays bounded: at most [`ESCALATIONS_MAX`] more for each holder.

use crate::wire::NodeKind;

/// Additional copies that one holder may get.
pub const ESCALATIONS_MAX: u8 = 4;

/// What is handed over and what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gift {
    /// Copies that the neighbour may hand over, the one it keeps included.
    pub sent: u16,
    /// Copies that remain here.
    pub kept: u16,
}

/// What a node gives to a neighbour that would carry a bundle of which it has this many copies; none if it keeps all.
#[must_use]
pub const fn gift(from: NodeKind, to: NodeKind, copies: u16) -> Option<Gift> {
    match (from, to) {
        (_, NodeKind::Leaf) => None,
        (NodeKind::Carrier, NodeKind::Carrier) => Some(Gift { sent: 1, kept: copies }),
        (_, NodeKind::Carrier) => {
            let kept = if copies > 1 { copies - 1 } else { 1 };
            Some(Gift { sent: 1, kept })
        }
        (_, NodeKind::Mobile) if copies > 1 => Some(Gift { sent: copies / 2, kept: copies - copies / 2 }),
        (_, NodeKind::Mobile) => None,
    }
}

/// How many thresholds of its lifetime a bundle has passed.
#[must_use]
pub const fn escalations(age_ms: u64, lifetime_max_s: u32) -> u8 {
    let lifetime_ms = lifetime_max_s as u64 * 1_000;
    let mut passed = 0;
    while passed < ESCALATIONS_MAX {
        // A sixteenth, an eighth, a quarter, a half.
        if age_ms < lifetime_ms >> (ESCALATIONS_MAX - passed) {
            break;
        }
        passed += 1;
    }
    passed
}

/// Copies and additional copies of a holder after the age of a bundle is taken into account.
#[must_use]
pub const fn escalated(copies: u16, given: u8, age_ms: u64, lifetime_max_s: u32) -> (u16, u8) {
    if copies > 1 || given >= escalations(age_ms, lifetime_max_s) { (copies, given) } else { (2, given + 1) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::NodeKind::{Carrier, Leaf, Mobile};
    use super::*;

    #[test]
    fn the_table() {
        let some = |sent, kept| Some(Gift { sent, kept });
        for (from, to, copies, expected) in [
            (Carrier, Carrier, 5, some(1, 5)),
            (Carrier, Mobile, 5, some(2, 3)),
            (Carrier, Mobile, 1, None),
            (Carrier, Leaf, 5, None),
            (Mobile, Carrier, 6, some(1, 5)),
            (Mobile, Carrier, 2, some(1, 1)),
            (Mobile, Carrier, 1, some(1, 1)),
            (Mobile, Mobile, 6, some(3, 3)),
            (Mobile, Mobile, 3, some(1, 2)),
            (Mobile, Mobile, 1, None),
            (Leaf, Carrier, 6, some(1, 5)),
            (Leaf, Mobile, 6, some(3, 3)),
            (Mobile, Leaf, 6, None),
        ] {
            assert_eq!(gift(from, to, copies), expected, "{from:?} to {to:?} with {copies}");
        }
    }

    #[test]
    fn thresholds_are_passed_one_after_the_other() {
        let day_ms = 86_400_000;
        for (age_ms, expected) in [
            (0, 0),
            (day_ms / 16 - 1, 0),
            (day_ms / 16, 1),
            (day_ms / 8, 2),
            (day_ms / 4, 3),
            (day_ms / 2 - 1, 3),
            (day_ms / 2, 4),
            (day_ms, 4),
        ] {
            assert_eq!(escalations(age_ms, 86_400), expected, "{age_ms} ms");
        }
        assert_eq!(escalated(1, 0, day_ms / 8, 86_400), (2, 1));
        assert_eq!(escalated(1, 2, day_ms / 8, 86_400), (1, 2), "had them");
        assert_eq!(escalated(3, 0, day_ms, 86_400), (3, 0), "has copies left");
    }

    proptest! {
        /// However copies are passed about among mobile nodes, their sum stays, and nobody is left with none.
        #[test]
        fn copies_are_conserved(origin in 1..64_u16, meetings in prop::collection::vec((0..8_usize, 0..8_usize), 0..200)) {
            let mut nodes = [0; 8];
            nodes[0] = origin;
            for (from, to) in meetings {
                if from == to || nodes[to] > 0 || nodes[from] == 0 {
                    continue;
                }
                if let Some(gift) = gift(Mobile, Mobile, nodes[from]) {
                    (nodes[from], nodes[to]) = (gift.kept, gift.sent);
                    prop_assert!(gift.kept > 0 && gift.sent > 0);
                }
            }
            prop_assert_eq!(nodes.iter().sum::<u16>(), origin);
        }

        /// A holder never gets more than the thresholds allow, whatever it gives away.
        #[test]
        fn escalation_is_bounded(lifetime_s in 1..2_600_000_u32, ages in prop::collection::vec(0..2_600_000_000_u64, 0..50)) {
            let (mut copies, mut given, mut gained) = (1, 0, 0);
            for age_ms in ages {
                let before = copies;
                (copies, given) = escalated(copies, given, age_ms, lifetime_s);
                gained += copies - before;
                if let Some(gift) = gift(Mobile, Mobile, copies) {
                    copies = gift.kept;
                }
            }
            prop_assert!(gained <= u16::from(ESCALATIONS_MAX));
            prop_assert_eq!(u16::from(given), gained);
        }
    }
}
