//! Small worlds by chance: links come and go, calls are lost, nodes crash; then all is well.

use proptest::prelude::*;

use super::world::{Made, World, config};
use crate::wire::NodeKind::{self, Carrier, Leaf, Mobile};
use crate::{Bundle, Class, Config, SizeClass};

#[derive(Clone, Debug)]
enum Happening {
    Deposit { from: usize, to: usize, class: usize, size: usize, settles: bool },
    Link(usize, usize),
    Unlink(usize, usize),
    Restart(usize),
    Steps(usize),
    Pass(u64),
}

fn happening(nodes: usize) -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => (0..nodes, 0..nodes, 0..4_usize, 0..2_usize, any::<bool>())
            .prop_map(|(from, to, class, size, settles)| Happening::Deposit { from, to, class, size, settles }),
        4 => (0..nodes, 0..nodes).prop_map(|(a, b)| Happening::Link(a, b)),
        2 => (0..nodes, 0..nodes).prop_map(|(a, b)| Happening::Unlink(a, b)),
        1 => (0..nodes).prop_map(Happening::Restart),
        4 => (1..20_usize).prop_map(Happening::Steps),
        2 => (1..60_000_u64).prop_map(Happening::Pass),
    ]
}

struct Sent {
    bundle: Bundle,
    to: usize,
    settles: bool,
}

fn happen(world: &mut World, happening: &Happening, sent: &mut Vec<Sent>) {
    match *happening {
        Happening::Deposit { from, to, class, size, settles } if from != to => {
            let made = Made {
                to: u8::try_from(to).unwrap(),
                class: Class::ALL[class],
                size: SizeClass::ALL[size],
                lifetime_s: 7 * 86_400,
                settles,
            };
            let bundle = made.bundle(sent.len() as u64);
            world.deposit(from, &bundle);
            sent.push(Sent { bundle, to, settles });
        }
        Happening::Link(a, b) if a != b => world.link(a, b),
        Happening::Unlink(a, b) => world.unlink(a, b),
        Happening::Restart(node) => world.restart(node),
        Happening::Steps(count) => (0..count).for_each(|_| {
            world.step();
        }),
        Happening::Pass(ms) => world.pass(ms),
        Happening::Deposit { .. } | Happening::Link(..) => {}
    }
}

/// Everybody meets everybody, twice, with time to say everything.
fn all_meet(world: &mut World) {
    world.loss_percent = 0;
    let nodes = world.nodes.len();
    for _ in 0..2 {
        for a in 0..nodes {
            (a + 1..nodes).for_each(|b| world.link(a, b));
        }
        world.pass(1_200_000);
        for a in 0..nodes {
            (a + 1..nodes).for_each(|b| world.unlink(a, b));
        }
    }
}

fn check(
    kinds: &[NodeKind],
    lazy_after_ms: u64,
    loss_percent: u32,
    happenings: &[Happening],
) -> Result<(), TestCaseError> {
    let configs = kinds.iter().map(|kind| Config { lazy_after_ms, ..config(*kind) });
    let mut world = World::with(configs.collect());
    world.loss_percent = loss_percent;
    let mut sent = Vec::new();
    happenings.iter().for_each(|happening| happen(&mut world, happening, &mut sent));
    all_meet(&mut world);
    for Sent { bundle, to, settles } in &sent {
        let opened = world.opened(*to, bundle);
        prop_assert!(opened >= 1, "{:?} never reached {to}", bundle.id());
        let holders: Vec<_> = (0..kinds.len()).filter(|node| world.holds(*node, bundle)).collect();
        if *settles {
            prop_assert!(opened == 1, "opened {opened} times");
            prop_assert!(holders.is_empty(), "{:?} is settled and still with {holders:?}", bundle.id());
        }
        let strangers = (0..kinds.len()).filter(|node| node != to).map(|node| world.opened(node, bundle));
        prop_assert_eq!(strangers.sum::<usize>(), 0);
    }
    let transfers = world.transfers;
    all_meet(&mut world);
    prop_assert_eq!(world.transfers, transfers, "nothing is handed over again");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn carriers_deliver_everything(
        happenings in prop::collection::vec(happening(4), 1..80),
        lazy_after_ms in prop_oneof![Just(0), Just(600_000), Just(u64::MAX)],
        loss_percent in 0..60_u32,
    ) {
        check(&[Carrier; 4], lazy_after_ms, loss_percent, &happenings)?;
    }

    #[test]
    fn mixed_worlds_deliver_everything(
        happenings in prop::collection::vec(happening(6), 1..80),
        loss_percent in 0..60_u32,
    ) {
        check(&[Carrier, Mobile, Leaf, Mobile, Carrier, Leaf], 600_000, loss_percent, &happenings)?;
    }

    /// The same happenings give the same bytes.
    #[test]
    fn runs_are_reproducible(happenings in prop::collection::vec(happening(4), 1..40)) {
        let run = || {
            let mut world = World::new(&[Carrier, Mobile, Mobile, Leaf]);
            world.loss_percent = 20;
            let mut sent = Vec::new();
            happenings.iter().for_each(|happening| happen(&mut world, happening, &mut sent));
            let effects: Vec<_> = world.nodes.iter().map(|node| node.effects.clone()).collect();
            (world.bytes, world.transfers, effects)
        };
        prop_assert_eq!(run(), run());
    }
}
