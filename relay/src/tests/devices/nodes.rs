//! For which nodes the relay passes packets on.

use super::*;
use crate::devices::moved;
use crate::tables::NODES;

impl World {
    fn serves(&self, node: u8) -> bool {
        self.relay.serves_node(&self.memory, &NodeKey::from_bytes([node; 32]), self.now).unwrap()
    }
}

#[test]
fn nodes_are_served_as_long_as_a_device_list_names_them() {
    let mut world = world();
    let (laptop, phone, bob) = (LAPTOP.number, PHONE.number, 9);
    let first = list(None, &[LAPTOP], &[]);
    world.register(LAPTOP, &first).unwrap();
    assert!(world.serves(laptop) && !world.serves(phone) && !world.serves(bob));
    let second = list(Some(&first), &[LAPTOP, PHONE], &[]);
    world.register(LAPTOP, &second).unwrap();
    assert!(world.serves(laptop) && world.serves(phone));
    let third = list(Some(&second), &[LAPTOP], &[PHONE]);
    world.revoke(LAPTOP, &third).unwrap();
    assert!(world.serves(laptop) && !world.serves(phone), "it was revoked");
}

#[test]
fn a_node_of_two_people_is_served_until_both_have_left_it() {
    let mut world = world();
    world.register(LAPTOP, &list(None, &[LAPTOP], &[])).unwrap();
    // Bob's first device has the number of Alice's, and so is on the same node.
    world.register(BOB, &list(None, &[BOB], &[])).unwrap();
    for (who, is_served) in [(LAPTOP, true), (BOB, false)] {
        let record = crate::accounts::account(&world.memory, who.identity().as_bytes()).unwrap().unwrap();
        moved(&mut world.memory, who.identity(), &record.devices, &[]).unwrap();
        assert_eq!(world.serves(LAPTOP.number), is_served);
    }
    assert_eq!(world.memory.count(NODES), 0);
}
