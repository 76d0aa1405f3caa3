//! What the driver tells the relay besides inputs.

use qpq_proto::ids::Identity;
use qpq_proto::v1::AdministratorKey;

use crate::relay::Relay;

impl Relay {
    /// Lets devices be woken through endpoints that are not on the public internet: for a relay whose push server is on
    /// its own network.
    #[must_use]
    pub fn with_private_push(self, is_allowed: bool) -> Self {
        Self { push_to_private_addresses: is_allowed, ..self }
    }

    /// Whether the driver carries out [`Effect::WakeDevice`](crate::Effect::WakeDevice); otherwise push tokens are kept,
    /// and their devices told that nobody is woken.
    #[must_use]
    pub fn with_wakes(self, are_carried_out: bool) -> Self {
        Self { wakes_devices: are_carried_out, ..self }
    }

    /// Says whether the disk has room for more. Without it, calls that would have the relay keep more are refused as
    /// `Unavailable`; everybody still gets what is there, and makes room by that.
    pub fn set_room(&mut self, has_room: bool) {
        self.has_room = has_room;
    }

    /// Says who the owner of the node is, and by which hybrid key reports are sealed to it, signed by that identity. Nobody,
    /// as long as no person is at home on the node.
    pub fn set_owner(&mut self, owner: Option<AdministratorKey>) {
        self.owner = owner;
    }

    /// Whom the relay was told as its owner, and by which of that person's hybrid keys.
    #[must_use]
    pub fn owner(&self) -> Option<(Identity, u64)> {
        let owner = self.owner.as_ref()?;
        let identity = Identity::try_from(owner.identity_key.as_slice()).ok()?;
        Some((identity, owner.hybrid_key.as_ref().map_or(0, |key| key.sequence)))
    }
}
