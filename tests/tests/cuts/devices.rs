//! One whose second device comes and goes.

use std::collections::BTreeSet;

use qpq_crypto::device_list::DeviceList;
use qpq_crypto::identity::DeviceSecret;
use qpq_proto::ids::DeviceKey;
use qpq_proto::v1::{ListDevicesRequest, RegisterDeviceRequest, RevokeDeviceRequest};
use qpq_tests::RelayAddress;

use crate::visitor::{Arrivals, Kept, Visitor};

pub(crate) struct Devices {
    owner: Visitor,
    list: Kept<DeviceList>,
}

impl Devices {
    pub(crate) async fn arrive(arrivals: &mut Arrivals) -> Self {
        let owner = arrivals.next().await;
        let list = Kept::new(owner.user.device_list(&[]).unwrap());
        Self { owner, list }
    }

    pub(crate) async fn act(&mut self) {
        loop {
            let others = if self.list.known().certificates.len() == 1 { vec![phone()] } else { Vec::new() };
            let next = self.owner.user.next_device_list(self.list.known(), &others).unwrap();
            let device_list = next.encode();
            self.list.want(next);
            match others.first() {
                Some(phone) => {
                    let request = RegisterDeviceRequest { device_list };
                    let answer = self.owner.line().register_device(&request).await.unwrap();
                    assert_eq!(answer.device_id, phone.to_vec());
                }
                None => {
                    self.owner.line().revoke_device(&RevokeDeviceRequest { device_list }).await.unwrap();
                }
            }
            self.list.done();
        }
    }

    /// The newest list is there, and the devices are those that it names.
    pub(crate) async fn check(&mut self, relay: &RelayAddress) {
        self.owner.enter(relay).await;
        let found = self.owner.line().list_devices(&ListDevicesRequest {}).await.unwrap();
        let list = DeviceList::decode_and_verify(&found.device_list).unwrap();
        let named: BTreeSet<_> = list.certificates.iter().map(|of| of.device.to_vec()).collect();
        assert_eq!(found.devices.into_iter().map(|device| device.device_id).collect::<BTreeSet<_>>(), named);
        self.list.settle(list);
    }

    pub(crate) fn summary(&self) -> String {
        format!("{} device lists", self.list.changes)
    }
}

fn phone() -> DeviceKey {
    DeviceSecret::from_seed(&[77; 32]).public()
}
