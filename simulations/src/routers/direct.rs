//! Direct delivery: the writer keeps a message until it meets the recipient.

use super::baseline::{Packet, Policy, View};
use crate::net::{Net, Way};

/// The policy.
#[derive(Debug, Clone, Copy)]
pub struct Direct;

impl Policy for Direct {
    fn pick(&self, _view: &View<'_>, _net: &mut Net<'_, Packet>, _way: Way) -> Option<u32> {
        None
    }
}
