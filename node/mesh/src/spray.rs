//! Who gets a copy of what: the policy, as pure functions.
//!
//! | from | to | what is given |
//! |---|---|---|
//! | carrier | carrier | a replica where it is needed (`offer`); copies are not counted |
//! | any | carrier, mobile | a part of the copies, by what both have met of late |
//! | any | leaf | nothing but what is addressed to it |
//!
//! What is addressed to a neighbour is handed to it whatever the copies: this table is about carrying.
//!
//! Copies belong to the bundle: they are divided with each hand-over and never become more (spray and wait, Spyropoulos
//! et al., 2005). We deviate from its halves: who meets four times as many others gets sixteen of seventeen parts
//! (encounter-based routing, Nelson, Bakht and Kravets, 2009, divides in proportion; the square was better wherever
//! buses carry and no worse elsewhere). A carrier counts as any other.

use crate::wire::NodeKind;

/// What is handed over and what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gift {
    /// Copies that the neighbour may hand over, the one it keeps included.
    pub sent: u16,
    /// Copies that remain here.
    pub kept: u16,
}

/// What a node gives to a neighbour that would carry a bundle of which it has this many copies; none if it keeps all.
///
/// `met` says how many others the two have met of late, in any unit: this node first.
#[must_use]
pub fn gift(to: NodeKind, copies: u16, met: [u32; 2]) -> Option<Gift> {
    if to == NodeKind::Leaf || copies < 2 {
        return None;
    }
    let [own, other] = met.map(|met| u128::from(met.max(1)).pow(2));
    let whole = own + other;
    // A part is rounded up from three quarters on: what would be less than that of a copy is not worth a transfer.
    let sent = (u128::from(copies) * other + whole / 4) / whole;
    let sent = u16::try_from(sent).unwrap_or(copies).min(copies - 1);
    (sent > 0).then_some(Gift { sent, kept: copies - sent })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::NodeKind::{Carrier, Leaf, Mobile};
    use super::*;

    #[test]
    fn the_table() {
        let some = |sent, kept| Some(Gift { sent, kept });
        for (to, copies, met, expected) in [
            (Mobile, 6, [16, 16], some(3, 3)),
            (Carrier, 6, [16, 16], some(3, 3)),
            (Mobile, 3, [16, 16], some(1, 2)),
            (Mobile, 2, [0, 0], some(1, 1)),
            (Mobile, 1, [1, 100], None),
            (Leaf, 6, [16, 16], None),
            (Mobile, 17, [16, 64], some(16, 1)),
            (Mobile, 17, [64, 16], some(1, 16)),
            (Mobile, 12, [64, 16], None),
            (Mobile, u16::MAX, [1, u32::MAX], some(u16::MAX - 1, 1)),
        ] {
            assert_eq!(gift(to, copies, met), expected, "{copies} to {to:?}, met {met:?}");
        }
    }

    proptest! {
        /// However copies are passed about, their sum stays, and nobody is left with none.
        #[test]
        fn copies_are_conserved(
            origin in 1..64_u16,
            met: [u32; 8],
            meetings in prop::collection::vec((0..8_usize, 0..8_usize), 0..200),
        ) {
            let mut nodes = [0; 8];
            nodes[0] = origin;
            for (from, to) in meetings {
                if from == to || nodes[to] > 0 || nodes[from] == 0 {
                    continue;
                }
                if let Some(gift) = gift(Mobile, nodes[from], [met[from], met[to]]) {
                    (nodes[from], nodes[to]) = (gift.kept, gift.sent);
                    prop_assert!(gift.kept > 0 && gift.sent > 0);
                }
            }
            prop_assert_eq!(nodes.iter().sum::<u16>(), origin);
        }
    }
}
