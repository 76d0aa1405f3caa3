//! Binary spray-and-wait (Spyropoulos, Psounis and Raghavendra, 2005): a message starts with so many copies, who has
//! more than one hands half of them to whoever has none, and who has one waits for the recipient.

use super::baseline::{Packet, Policy, View};
use crate::net::{Net, Way};

/// The policy.
#[derive(Debug, Clone, Copy)]
pub struct Spray {
    /// How many copies a message starts with.
    pub copies: u16,
}

impl Policy for Spray {
    fn copies(&self) -> u16 {
        self.copies
    }

    fn pick(&self, view: &View<'_>, net: &mut Net<'_, Packet>, _way: Way) -> Option<u32> {
        view.any(net, true)
    }

    fn handed_on(&self, copies: u16) -> u16 {
        copies / 2
    }
}
