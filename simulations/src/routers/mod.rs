//! Routers: what nodes do when they meet.
//!
//! Those here beside ours are the ones it must beat, on the same contacts, links, messages and padding. They are given
//! more than ours is, never less: they know the recipient of a message, and what a neighbour already has, for the
//! price of the identifiers alone.

pub mod baseline;
pub mod direct;
pub mod epidemic;
pub mod ours;
pub mod prophet;
pub mod spray;
mod station;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::net::{Net, Way};

/// What a router does when something happens. One value holds the state of all nodes.
pub trait Router {
    /// What it sends.
    type Packet;

    /// The run starts.
    fn start(&mut self, _net: &mut Net<'_, Self::Packet>) {}

    /// A message is written; its number says which.
    fn created(&mut self, net: &mut Net<'_, Self::Packet>, message: u32);

    /// A contact begins: the way from the node of the smaller number.
    fn link_up(&mut self, net: &mut Net<'_, Self::Packet>, way: Way);

    /// A contact has ended. What was on its way has been reported as lost.
    fn link_down(&mut self, net: &mut Net<'_, Self::Packet>, way: Way);

    /// A packet arrives.
    fn arrived(&mut self, net: &mut Net<'_, Self::Packet>, way: Way, packet: Self::Packet);

    /// A packet will not arrive. Who sent it may know only from there being no answer.
    fn lost(&mut self, net: &mut Net<'_, Self::Packet>, way: Way, packet: Self::Packet);

    /// Whether it wants to be told when something has left.
    fn minds_idle(&self) -> bool {
        true
    }

    /// Something has left; perhaps all, see [`Net::is_idle`]. Told only to those that mind.
    fn idle(&mut self, _net: &mut Net<'_, Self::Packet>, _way: Way) {}

    /// A message is of no more use.
    fn expired(&mut self, _net: &mut Net<'_, Self::Packet>, _message: u32) {}

    /// The call that [`Net::wake`] asked for.
    fn wake(&mut self, _net: &mut Net<'_, Self::Packet>, _node: u32, _token: u64) {}

    /// The run ends.
    fn finish(&mut self, _net: &mut Net<'_, Self::Packet>) {}
}

/// Which router.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum RouterKind {
    /// To the recipient only.
    Direct,
    /// To everybody.
    Epidemic,
    /// A bounded number of copies.
    Spray,
    /// To whoever is more likely to meet the recipient.
    Prophet,
    /// The mesh of this project.
    Ours,
}

impl RouterKind {
    /// Every router.
    pub const ALL: [Self; 5] = [Self::Direct, Self::Epidemic, Self::Spray, Self::Prophet, Self::Ours];

    /// All but ours.
    pub const BASELINES: [Self; 4] = [Self::Direct, Self::Epidemic, Self::Spray, Self::Prophet];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Epidemic => "epidemic",
            Self::Spray => "spray",
            Self::Prophet => "prophet",
            Self::Ours => "ours",
        }
    }
}
