//! A hostile node: its mesh behaves, and beside it goes a flood of bundles that nobody wrote.
//!
//! Whenever nothing waits to leave over one of its links it hands over the next ones, without an offer and whatever was
//! said to the ones before. Each is unlike any other. It is given the tags of all messages and puts them on half of its
//! bundles, which their recipients take for their own; classes, lifetimes, hops and copies are drawn.

use std::collections::BTreeMap;
use std::ops::Range;

use qpq_mesh::wire::{Request, Response, Transfer, TransferVerdict};
use qpq_mesh::{Bundle, CallFailure, CallId, Class, Label, Tier};
use rand_core::Rng as _;

use super::{Content, Ours, Packet};
use crate::net::{Net, Way};
use crate::random::Random;
use crate::scenario::{Scenario, Standing};
use crate::time::Time;

/// Calls from here on are of the flood: no mesh makes so many.
const FIRST_CALL: u64 = 1 << 48;

/// The flood.
#[derive(Debug)]
pub(super) struct Flood {
    hostile: Range<u32>,
    standing: Tier,
    body_bytes: u32,
    bundles_per_call: usize,
    starts: Time,
    random: Random,
    next_call: u64,
    /// The number of the next bundle.
    next: u32,
    /// The bundles of calls that were not answered yet.
    open: BTreeMap<CallId, Vec<u32>>,
}

impl Flood {
    /// The flood of a scenario, if there is one.
    pub(super) fn new(scenario: &Scenario, seed: u64) -> Option<Self> {
        let flood = scenario.flood.as_ref()?;
        let standing = match flood.standing {
            Standing::Stranger => Tier::Stranger,
            Standing::Contact => Tier::Contact,
        };
        Some(Self {
            hostile: scenario.hostile(),
            standing,
            body_bytes: flood.body_bytes,
            bundles_per_call: flood.bundles_per_call,
            starts: Time::from_secs_f64(flood.start_s),
            random: Random::new(seed, "flood", 0),
            next_call: FIRST_CALL,
            next: 0,
            open: BTreeMap::new(),
        })
    }

    /// How close two nodes stand of which one is hostile.
    pub(super) fn standing(&self, one: u32, other: u32) -> Option<Tier> {
        let is_hostile = |node| self.hostile.contains(&node);
        (is_hostile(one) || is_hostile(other)).then_some(self.standing)
    }

    /// A bundle, perhaps with the salt and the tag of a real one.
    fn bundle(&mut self, real: Option<&Bundle>) -> Bundle {
        let rng = self.random.generator();
        let (mut salt, mut tag) = ([0; 8], [0; 16]);
        rng.fill_bytes(&mut salt);
        rng.fill_bytes(&mut tag);
        if let Some(real) = real {
            (salt, tag) = (*real.header().salt(), *real.header().tag());
        }
        let mut body = vec![0; self.body_bytes as usize];
        rng.fill_bytes(&mut body[..16]);
        let class = Class::ALL[self.random.below(3)];
        let lifetime_max_s =
            1 + u32::try_from(self.random.below(class.lifetime_s_max() as usize)).unwrap_or(0);
        let label = Label { class, lifetime_max_s, salt, tag, settle: None };
        let mut bundle = Bundle::new(label, body.into()).expect("the body is of a size class");
        bundle.transit.hops_left = u8::try_from(self.random.below(256)).unwrap_or(u8::MAX);
        bundle.transit.copies = u16::try_from(1 + self.random.below(65_535)).unwrap_or(u16::MAX);
        bundle
    }
}

impl Ours {
    /// Hands over the next bundles of the flood, if this way is one from a hostile node and free.
    pub(super) fn flood(&mut self, net: &mut Net<'_, Packet>, way: Way) {
        let Some(flood) = &mut self.flood else { return };
        if !flood.hostile.contains(&way.from) || net.now() < flood.starts || !net.is_idle(way) {
            return;
        }
        let first = u32::try_from(net.messages().len()).unwrap_or(u32::MAX);
        let mut bundles = Vec::with_capacity(flood.bundles_per_call);
        let mut numbers = Vec::with_capacity(flood.bundles_per_call);
        for _ in 0..flood.bundles_per_call {
            let real = if flood.random.chance(0.5) { self.bundles.any(&mut flood.random) } else { None };
            let bundle = flood.bundle(real);
            let number = first + flood.next;
            flood.next += 1;
            self.bundles.add(number, bundle.clone());
            numbers.push(number);
            bundles.push(bundle);
        }
        let call = CallId(flood.next_call);
        flood.next_call += 1;
        flood.open.insert(call, numbers);
        let request = Request::Transfer(Transfer { bundles, solution: None });
        self.send(net, way, Content::Call { call, request });
    }

    /// An answer to a call of the flood: what was not taken is nowhere. False if it is to another call.
    pub(super) fn flood_answered(&mut self, call: CallId, result: &Result<Response, CallFailure>) -> bool {
        let Some(flood) = self.flood.as_mut().filter(|_| call.0 >= FIRST_CALL) else { return false };
        let verdicts = match result {
            Ok(Response::Transfer(verdicts)) => verdicts.verdicts.as_slice(),
            _ => &[],
        };
        for (place, number) in flood.open.remove(&call).unwrap_or_default().into_iter().enumerate() {
            if !matches!(verdicts.get(place), Some(TransferVerdict::Accepted(_))) {
                self.bundles.forget(number);
            }
        }
        true
    }
}
