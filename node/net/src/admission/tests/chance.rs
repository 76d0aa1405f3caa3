//! Newcomers of all kinds at all times: the bounds are kept, and whoever does not flood is let in.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    /// A newcomer from one of a few addresses, proven or not.
    Knock {
        from: u8,
        is_validated: bool,
    },
    /// A handshake under way ends: its node, whether it is wanted, or that it came to nothing.
    Shake {
        which: prop::sample::Index,
        ends: Option<(u8, bool)>,
    },
    /// A connection ends.
    Leave(prop::sample::Index),
    /// We dial somebody.
    Dial,
    /// A node sent garbage.
    Ban(u8),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0_u8..5, any::<bool>()).prop_map(|(from, is_validated)| Step::Knock { from, is_validated }),
        4 => (any::<prop::sample::Index>(), prop::option::weighted(0.8, (0_u8..4, any::<bool>())))
            .prop_map(|(which, ends)| Step::Shake { which, ends }),
        3 => any::<prop::sample::Index>().prop_map(Step::Leave),
        1 => Just(Step::Dial),
        1 => (0_u8..4).prop_map(Step::Ban),
        2 => (0_u64..30_000).prop_map(Step::Wait),
    ]
}

/// What holds a place at the moment.
struct Door {
    admissions: Admissions,
    now: Instant,
    handshakes: Vec<Handshake>,
    slots: Vec<Slot>,
}

impl Door {
    fn new() -> Self {
        let admissions = Admissions::new(&limits());
        Self { admissions, now: Instant::now(), handshakes: Vec::new(), slots: Vec::new() }
    }

    fn apply(&mut self, step: &Step) {
        match step {
            Step::Knock { from, is_validated } => {
                if let Verdict::Accept(handshake) =
                    self.admissions.incoming(address(*from), *is_validated, self.now)
                {
                    self.handshakes.push(handshake);
                }
            }
            Step::Shake { which, ends } if !self.handshakes.is_empty() => {
                let handshake = self.handshakes.swap_remove(which.index(self.handshakes.len()));
                if let Some((key, is_wanted)) = ends {
                    self.slots.extend(self.admissions.authenticated(
                        handshake,
                        node(*key),
                        *is_wanted,
                        self.now,
                    ));
                }
            }
            Step::Leave(which) if !self.slots.is_empty() => {
                drop(self.slots.swap_remove(which.index(self.slots.len())));
            }
            Step::Dial => self.slots.extend(self.admissions.outgoing()),
            Step::Ban(key) => self.admissions.ban(node(*key), self.now),
            Step::Wait(ms) => self.now += Duration::from_millis(*ms),
            Step::Shake { .. } | Step::Leave(_) => {}
        }
    }

    fn check(&self) {
        let limits = limits();
        let book = lock(&self.admissions.book);
        assert!(self.handshakes.len() <= limits.handshakes_max);
        assert!(self.slots.len() + self.handshakes.len() <= limits.connections_max + limits.handshakes_max);
        assert!(self.slots.len() <= limits.connections_max);
        assert!(book.addresses.len() <= 2 * limits.connections_max && book.bans.len() <= limits.bans_max);
        let mut open = 0;
        for state in book.addresses.values() {
            assert!(state.open <= limits.connections_per_address_max);
            open += state.open;
        }
        let of_addresses = self.slots.iter().filter(|slot| slot._address.is_some()).count();
        assert_eq!(open, of_addresses + self.handshakes.len(), "each place of an address is given back once");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn bounds_are_kept_and_places_come_back(steps in vec(step(), 0..120)) {
        let mut door = Door::new();
        for step in &steps {
            door.apply(step);
            door.check();
        }
        door.handshakes.clear();
        door.slots.clear();
        door.check();
        // Everybody gone, as many as there can be are let in again, a little later.
        door.now += Duration::from_secs(3_600);
        for from in 0..3 {
            for _ in 0..limits().connections_per_address_max {
                let entered = enter(&door.admissions, address(100 + from), true, door.now);
                door.slots.push(entered.map_err(|verdict| format!("{verdict:?}")).unwrap());
            }
        }
        prop_assert_eq!(door.slots.len(), 12);
    }

    /// Whatever one address does, another that proves itself is let in, as long as there are places at all.
    #[test]
    fn a_flood_from_one_address_keeps_nobody_else_out(
        knocks in vec((any::<bool>(), 0_u64..500), 0..200),
        keeps in any::<bool>(),
    ) {
        let (admissions, mut now, mut kept) = (Admissions::new(&limits()), Instant::now(), Vec::new());
        for (is_validated, wait_ms) in knocks {
            now += Duration::from_millis(wait_ms);
            if let Ok(slot) = enter(&admissions, address(1), is_validated, now) && keeps {
                kept.push(slot);
            }
            let other = enter(&admissions, address(2), true, now + Duration::from_secs(60));
            prop_assert!(other.is_ok(), "{:?}", other.err());
            now += Duration::from_secs(60);
        }
        prop_assert!(kept.len() <= limits().connections_per_address_max);
    }

    /// However many strangers there are, wanted peers can be dialled, and those that dial us are let in.
    #[test]
    fn strangers_do_not_take_the_places_of_wanted_peers(strangers in vec(0_u8..60, 0..80)) {
        let (admissions, now) = (Admissions::new(&limits()), Instant::now());
        let entered: Vec<_> =
            strangers.into_iter().filter_map(|from| enter(&admissions, address(from), true, now).ok()).collect();
        let wanted: Vec<_> = (0..4).map(|_| admissions.outgoing()).collect();
        prop_assert!(wanted.iter().all(Result::is_ok), "beside {} strangers", entered.len());
    }

    /// A bucket lets no more through than it holds and what has flowed in meanwhile, and no less.
    #[test]
    fn a_bucket_gives_what_flows_in(takes in vec(0_u64..20_000, 1..80)) {
        let (mut now, mut given) = (Instant::now(), 0_u64);
        let (begun, mut bucket) = (now, Bucket::full(6, now));
        for wait_ms in takes {
            now += Duration::from_millis(wait_ms);
            given += u64::from(bucket.take(6, now));
            let elapsed_ms = u64::try_from(now.duration_since(begun).as_millis()).unwrap();
            prop_assert!(given * 1_000 <= 6_000 + elapsed_ms * 6_000 / 60_000 + 1);
        }
        prop_assert!(bucket.take(6, now + Duration::from_secs(10) + Duration::from_millis(1)), "one in ten seconds");
    }
}
