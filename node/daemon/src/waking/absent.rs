//! In place of waking devices, in a build that serves nobody.

use qpq_proto::limits::RelayLimits;
use qpq_relay::Wake;

use crate::service::Writer;
use crate::settings::Push;

/// Wakes nobody.
#[derive(Debug)]
pub(crate) struct Waking;

impl Waking {
    /// Nothing begins.
    pub(crate) fn start(_: Push, _: &RelayLimits, _: &Writer) -> Self {
        Self
    }

    /// They are not.
    pub(crate) fn is_possible(_: Push) -> bool {
        false
    }

    /// Asked of no relay that was told that nobody is woken.
    pub(crate) fn wake(&self, _: Wake) {
        tracing::debug!("no device is woken from here");
    }
}
