//! Nothing on two bundles is the same by which they could be told to belong together.

use std::collections::BTreeMap;

use super::Violations;
use crate::observation::Observation;
use crate::time::Time;

/// The checker.
#[derive(Debug, Default)]
pub(super) struct Headers {
    /// By what a field says, the bundle that said it.
    seen: BTreeMap<Vec<u8>, u32>,
}

impl Headers {
    pub(super) fn observe(&mut self, at: Time, observation: &Observation<'_>, violations: &mut Violations) {
        let Observation::Header { message, fields } = *observation else { return };
        for field in fields {
            match self.seen.insert(field.to_vec(), message) {
                Some(other) if other != message => {
                    violations.add(at, || format!("bundles {other} and {message} have a field in common"));
                }
                _ => {}
            }
        }
    }
}
