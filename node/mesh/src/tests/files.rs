//! Bundles that travel in a file.

use std::ops::ControlFlow;

use qpq_proto::ids::NodeKey;

use super::world::{Made, World};
use crate::sneakernet::{Reader, Writer, charge};
use crate::wire::NodeKind::{Carrier, Leaf, Mobile};
use crate::wire::{Durability, Refusal};
use crate::{BY_FILE, Effect, Input, Tier};

const WALL_MS: u64 = 1_767_225_600_000;

/// Everything that a node carries, in a file.
fn export(world: &mut World, node: usize) -> Vec<u8> {
    let (mut writer, start) = Writer::begin(WALL_MS);
    let mut file = start.to_vec();
    let now_ms = world.now_ms;
    let node = &mut world.nodes[node];
    node.mesh
        .export(now_ms, &mut node.store, None, &mut |bundle| {
            file.extend_from_slice(&writer.bundle(&bundle));
            ControlFlow::Continue(())
        })
        .unwrap();
    file.extend_from_slice(&writer.end());
    file
}

fn import(world: &mut World, node: usize, file: &[u8], days_later: u64) {
    let mut reader = Reader::new();
    reader.push(file);
    while let Some(mut bundle) = reader.next().unwrap() {
        charge(&mut bundle, reader.wall_ms().unwrap(), WALL_MS + days_later * 86_400_000);
        world.handle(node, Input::Import { bundle });
    }
    reader.finish().unwrap();
}

#[test]
fn a_file_brings_bundles_to_where_no_link_goes() {
    let mut world = World::new(&[Mobile, Carrier, Carrier, Leaf]);
    let bundles = [Made::to(3).bundle(1), Made::to(2).bundle(2)];
    bundles.iter().for_each(|bundle| {
        world.deposit(0, bundle);
    });
    world.link(0, 1);
    world.pass(10_000);
    let file = export(&mut world, 1);
    import(&mut world, 2, &file, 0);
    assert_eq!(world.opened(2, &bundles[1]), 1);
    world.link(2, 3);
    world.pass(10_000);
    assert_eq!(world.opened(3, &bundles[0]), 1);
    import(&mut world, 2, &file, 0);
    assert_eq!(world.nodes[2].mesh.held(), 0, "what was settled does not come back with the file");
}

#[test]
fn files_have_the_share_of_one_contact() {
    let mut world = World::new(&[Carrier, Carrier]);
    (0..400).for_each(|number| {
        world.deposit(0, &Made::to(9).bundle(number));
    });
    let file = export(&mut world, 0);
    import(&mut world, 1, &file, 0);
    assert_eq!(world.nodes[1].mesh.held(), 256);
    assert!(world.nodes[1].mesh.bundles(None).all(|bundle| bundle.bringer == Some(BY_FILE)));
    assert!(world.nodes[1].mesh.held_bytes_of(Tier::Contact) > 0);
    let refused =
        |effect: &&Effect| matches!(effect, Effect::Refused { refusal: Refusal::QuotaExceeded, .. });
    assert_eq!(world.nodes[1].effects.iter().filter(refused).count(), 144);
}

#[test]
fn what_lay_too_long_is_refused() {
    let mut world = World::new(&[Carrier, Carrier]);
    let bundle = Made::to(9).bundle(1);
    world.deposit(0, &bundle);
    let file = export(&mut world, 0);
    import(&mut world, 1, &file, 2);
    assert!(!world.holds(1, &bundle));
    assert_eq!(world.nodes[1].effects, [Effect::Refused { id: *bundle.id(), refusal: Refusal::Expired }]);
}

#[test]
fn a_mesh_says_whom_it_knows_and_what_it_holds() {
    let mut world = World::new(&[Carrier, Carrier, Mobile]);
    let bundle = Made::to(9).bundle(1);
    world.deposit(0, &bundle);
    world.link(0, 1);
    world.link_as(0, 2, Tier::Contact);
    world.pass(10_000);
    let mesh = &world.nodes[0].mesh;
    let neighbours: Vec<_> = mesh
        .neighbours()
        .map(|one| (one.standing, one.kind, one.known, one.to_offer + one.to_send))
        .collect();
    assert_eq!(neighbours, [(Tier::Paired, Some(Carrier), 1, 0), (Tier::Contact, Some(Mobile), 1, 0)]);
    let held: Vec<_> =
        mesh.bundles(None).map(|one| (*one.header.id(), one.tier, one.bringer, one.holders)).collect();
    assert_eq!(held, [(*bundle.id(), Tier::Own, None, 2)]);
}

/// To whom the first node knows that a bundle was handed.
fn handed(world: &World, bundle: &crate::Bundle) -> Vec<(NodeKey, Durability)> {
    let handed = world.nodes[0].effects.iter().filter_map(|effect| match effect {
        Effect::Handed { id, node, durability, is_own: true, .. } if id == bundle.id() => {
            Some((*node, *durability))
        }
        _ => None,
    });
    handed.collect()
}

#[test]
fn whoever_has_an_own_bundle_from_a_file_is_known_to_carry_it() {
    let mut world = World::new(&[Mobile, Carrier]);
    let bundle = Made::to(9).bundle(1);
    world.deposit(0, &bundle);
    let file = export(&mut world, 0);
    import(&mut world, 1, &file, 0);
    assert_eq!(handed(&world, &bundle), []);
    world.link(0, 1);
    world.pass(10_000);
    let carrier = world.nodes[1].mesh.node;
    assert_eq!(handed(&world, &bundle), [(carrier, Durability::Durable)]);
    world.unlink(0, 1);
    world.link(0, 1);
    world.pass(10_000);
    assert_eq!(handed(&world, &bundle).len(), 1, "it is said once");
}
