//! Epidemic routing (Vahdat and Becker, 2000): everything to everybody, in random order.

use super::baseline::{Packet, Policy, View};
use crate::net::{Net, Way};

/// The policy.
#[derive(Debug, Clone, Copy)]
pub struct Epidemic;

impl Policy for Epidemic {
    fn pick(&self, view: &View<'_>, net: &mut Net<'_, Packet>, _way: Way) -> Option<u32> {
        view.any(net, false)
    }
}
