//! The totals are at every moment those of what is there.

use qpq_crypto::account::sign_deletion;
use qpq_proto::Method;
use qpq_proto::v1::{DeleteAccountRequest, DeleteAccountResponse};

use super::people::{alice, log_in, on, prove};
use super::world::{Device, World};
use crate::blobs::BlobRecord;
use crate::context::Context;
use crate::input::RelayError;
use crate::keys::{LAST_RESORT, PackageRecord};
use crate::queues::close_mailboxes;
use crate::records::DeliveryRecord;
use crate::tables::{ACCOUNT_ORDER, BLOBS, DELIVERIES, KEY_PACKAGES};
use crate::totals::{Totals, signed};

impl World {
    /// Writes the totals, and compares them with what is in storage: a world does so after each input.
    pub(super) fn keep_totals(&mut self) {
        if self.relay.has_new_totals() {
            // A batch writes them once, whatever is in it.
            let writes = self.memory.writes;
            self.relay.keep_totals(&mut self.memory).unwrap();
            self.memory.writes = writes;
        }
        let mut there = Totals::default();
        for (_, delivery) in self.memory.all::<DeliveryRecord>(DELIVERIES) {
            if !delivery.payload.is_empty() {
                there.store(delivery.payload.len());
            }
        }
        let packages = self.memory.all::<PackageRecord>(KEY_PACKAGES);
        let is_single_use = |(ordinal, _): &(u64, _)| *ordinal != LAST_RESORT;
        there.key_packages = signed(packages.iter().filter(|package| is_single_use(package)).count());
        there.blob_bytes =
            self.memory.all::<BlobRecord>(BLOBS).iter().map(|(_, blob)| blob.total_bytes.cast_signed()).sum();
        // Those whom a test gives an account without registering are not counted.
        there.users = self.relay.totals().users;
        assert_eq!(self.relay.totals(), there);
    }

    /// Has something done without a call.
    pub(super) fn directly(
        &mut self,
        act: impl FnOnce(&mut Context<'_>) -> Result<(), RelayError>,
    ) -> Result<(), RelayError> {
        let now = self.moment();
        let mut cx = Context::new(now, &mut self.rng, &mut self.memory, None);
        let done = act(&mut cx);
        let totals = cx.totals;
        self.relay.totals.add(totals);
        done
    }
}

#[test]
fn users_are_counted_as_they_come_and_go_and_after_a_restart() {
    let (mut world, alice) = alice();
    assert_eq!((world.relay.totals().users, world.memory.count(ACCOUNT_ORDER)), (1, 1));
    world.restart("").unwrap();
    assert_eq!(world.relay.totals().users, 1);
    log_in(&mut world, &alice, 1, 1).unwrap();
    let proven = prove(&mut world, &alice, 1).unwrap();
    let delete = DeleteAccountRequest {
        finalization: proven.finalization,
        signature: sign_deletion(&alice.identity(), &proven.session_key, &[1; 32]).to_vec(),
    };
    let _: DeleteAccountResponse = world.call(on(1), Method::DeleteAccount, &delete).unwrap();
    assert_eq!((world.relay.totals().users, world.memory.count(ACCOUNT_ORDER)), (0, 0));
}

#[test]
fn what_waits_is_counted_after_a_restart_and_until_it_is_removed() {
    let mut world = World::new();
    let (alice, bob) = (Device { person: 1, number: 1 }, Device { person: 2, number: 1 });
    world.enrol(alice);
    world.enrol(bob);
    for text in ["one", "three", "three"] {
        world.enqueue(alice.caller(), bob.identity().as_bytes(), text).unwrap();
    }
    let counted = |world: &World| (world.relay.totals().deliveries, world.relay.totals().delivery_bytes);
    assert_eq!(counted(&world), (2, 8));
    world.restart("").unwrap();
    assert_eq!(counted(&world), (2, 8));
    world.log_in(bob, false);
    world.ack(bob, 1).unwrap();
    assert_eq!(counted(&world), (1, 5));
    world.directly(|cx| close_mailboxes(cx.tx, bob.identity())).unwrap();
    assert_eq!(counted(&world), (1, 5), "it lies there still");
    world.pass(120_000);
    assert_eq!(counted(&world), (0, 0));
}
