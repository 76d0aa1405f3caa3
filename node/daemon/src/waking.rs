//! Waking the devices of those whom the relay serves.

use std::sync::Arc;

use qpq_net::wakes::{Permits, Wakes};
use qpq_proto::ids::{DeviceKey, Identity};
use qpq_proto::limits::RelayLimits;
use qpq_relay::{Input, Wake, is_public_address};

use crate::service::Writer;
use crate::settings::Push;

/// Carries out what the relay asks for, unless nobody is to be woken.
#[derive(Debug)]
pub(crate) struct Waking(Option<Wakes<(Identity, DeviceKey)>>);

impl Waking {
    /// As the setting says.
    pub(crate) fn start(push: Push, limits: &RelayLimits, writer: &Writer) -> Self {
        let permits: Permits = match push {
            Push::Off => return Self(None),
            Push::Public => Arc::new(is_public_address),
            Push::Any => Arc::new(|_| true),
        };
        let writer = writer.clone();
        let gone = move |(owner, device), endpoint| {
            writer.tell_relay(Input::EndpointGone(Wake { owner, device, endpoint }));
        };
        Self(Some(Wakes::start(permits, limits, Box::new(gone))))
    }

    /// Whether devices are woken from here.
    pub(crate) fn is_possible(push: Push) -> bool {
        push != Push::Off
    }

    /// Has a device woken.
    pub(crate) fn wake(&self, wake: Wake) {
        let Wake { owner, device, endpoint } = wake;
        if let Some(wakes) = &self.0 {
            wakes.wake((owner, device), endpoint);
        }
    }
}
