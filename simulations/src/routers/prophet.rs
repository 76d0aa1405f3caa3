//! PRoPHET (RFC 6693): nodes remember whom they meet, and hand a message to whoever is more likely than they are to
//! meet its recipient, the most likely first (GRTRMax).
//!
//! Both ends know each other's predictabilities from the first moment of a contact; in truth they would have to
//! arrive. Predictabilities below `first_threshold` are forgotten. Acknowledgements are as in section 3.6 of the RFC.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::baseline::{Packet, Policy, View};
use crate::net::{Net, Way};
use crate::time::{Time, seconds};

/// A predictability on the wire: a node identifier and a number (RFC 6693, section 4.3.3).
const ENTRY_BYTES: u64 = 8;

/// The constants of RFC 6693, section 3.3, with its default values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Constants {
    /// What an encounter is worth at most.
    pub encounter_max: f32,
    /// What the first encounter is worth.
    pub encounter_first: f32,
    /// Below this a predictability is forgotten.
    pub first_threshold: f32,
    /// What the recipients of recipients are worth.
    pub beta: f32,
    /// What is left of a predictability after a unit of time.
    pub gamma: f32,
    /// How far below 1 predictabilities stay.
    pub delta: f32,
    /// Encounters sooner after each other than this are worth less, in seconds.
    pub typical_interval_s: f64,
    /// The unit of time, in seconds: the RFC leaves it to the application.
    pub time_unit_s: f64,
    /// Whether nodes tell each other what has arrived.
    pub acknowledgements: bool,
}

impl Default for Constants {
    fn default() -> Self {
        Self {
            encounter_max: 0.7,
            encounter_first: 0.5,
            first_threshold: 0.1,
            beta: 0.9,
            gamma: 0.999,
            delta: 0.01,
            typical_interval_s: 1800.0,
            time_unit_s: 30.0,
            acknowledgements: true,
        }
    }
}

/// The policy.
#[derive(Debug)]
pub struct Prophet {
    constants: Constants,
    /// By node, how likely it meets each other.
    tables: Vec<Table>,
    /// When two nodes met last.
    met: BTreeMap<(u32, u32), Time>,
}

#[derive(Debug, Clone)]
struct Table {
    predictabilities: Vec<f32>,
    aged: Time,
}

impl Prophet {
    /// Nobody has met anybody.
    pub fn new(constants: Constants, nodes: usize) -> Self {
        let table = Table { predictabilities: vec![0.0; nodes], aged: Time::ZERO };
        Self { constants, tables: vec![table; nodes], met: BTreeMap::new() }
    }

    /// How likely a node is to meet another.
    pub fn predictability(&self, node: u32, other: u32) -> f32 {
        self.tables[node as usize].predictabilities[other as usize]
    }

    fn age(&mut self, node: u32, now: Time) {
        let Constants { gamma, first_threshold, time_unit_s, .. } = self.constants;
        let unit = seconds(time_unit_s).as_micros().max(1);
        let table = &mut self.tables[node as usize];
        let units = now.since(table.aged).as_micros() / unit;
        if units == 0 {
            return;
        }
        table.aged = table.aged + seconds(time_unit_s) * u32::try_from(units).unwrap_or(u32::MAX);
        let factor = power(gamma, units);
        for predictability in &mut table.predictabilities {
            *predictability *= factor;
            if *predictability < first_threshold {
                *predictability = 0.0;
            }
        }
    }

    fn encounter(&mut self, node: u32, other: u32, since: Option<f64>) {
        let Constants { encounter_max, encounter_first, delta, typical_interval_s, .. } = self.constants;
        let predictability = &mut self.tables[node as usize].predictabilities[other as usize];
        *predictability = if *predictability == 0.0 {
            encounter_first
        } else {
            let share = since.map_or(1.0, |since| (since / typical_interval_s).min(1.0));
            #[expect(clippy::cast_possible_truncation, reason = "a share")]
            let worth = encounter_max * share as f32;
            *predictability + (1.0 - delta - *predictability) * worth
        };
    }

    /// What a node learns from what another knew.
    fn learn(&mut self, node: u32, through: u32, known: &[f32]) {
        let Constants { beta, first_threshold, .. } = self.constants;
        let table = &mut self.tables[node as usize].predictabilities;
        let to_through = table[through as usize] * beta;
        for (other, theirs) in known.iter().enumerate() {
            let transitive = to_through * theirs;
            if other != node as usize && transitive >= first_threshold && transitive > table[other] {
                table[other] = transitive;
            }
        }
    }

    fn entry_bytes(&self, node: u32) -> u64 {
        let known = self.tables[node as usize].predictabilities.iter().filter(|value| **value > 0.0);
        ENTRY_BYTES * known.count() as u64
    }

    /// How much more likely a node is than another to meet a recipient of a message; none if it is not.
    fn gain(&self, net: &Net<'_, Packet>, way: Way, message: u32) -> Option<f32> {
        let likely = |recipient: &u32| {
            let theirs = self.predictability(way.to, *recipient);
            (theirs > self.predictability(way.from, *recipient)).then_some(theirs)
        };
        net.message(message).recipients.iter().filter_map(likely).max_by(f32::total_cmp)
    }
}

impl Policy for Prophet {
    fn acknowledges(&self) -> bool {
        self.constants.acknowledgements
    }

    fn meet(&mut self, net: &Net<'_, Packet>, way: Way) -> [u64; 2] {
        let (a, b) = (way.from, way.to);
        let before = self.met.insert((a, b), net.now());
        let since = before.map(|before| net.now().since(before).as_secs_f64());
        for (node, other) in [(a, b), (b, a)] {
            self.age(node, net.now());
            self.encounter(node, other, since);
        }
        let known = [a, b].map(|node| self.tables[node as usize].predictabilities.clone());
        self.learn(a, b, &known[1]);
        self.learn(b, a, &known[0]);
        [self.entry_bytes(a), self.entry_bytes(b)]
    }

    fn pick(&self, view: &View<'_>, net: &mut Net<'_, Packet>, way: Way) -> Option<u32> {
        let gains =
            view.all().into_iter().filter_map(|message| Some((self.gain(net, way, message)?, message)));
        let best = gains.reduce(|best, next| if next.0 > best.0 { next } else { best });
        best.map(|(_, message)| message)
    }
}

/// By squaring, so that every machine gets the same.
fn power(base: f32, mut exponent: u128) -> f32 {
    let (mut result, mut square) = (1.0, base);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result *= square;
        }
        square *= square;
        exponent >>= 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predictabilities_follow_the_equations_of_the_rfc() {
        let mut prophet = Prophet::new(Constants::default(), 3);
        prophet.encounter(0, 1, None);
        assert_eq!(prophet.predictability(0, 1), 0.5);
        prophet.encounter(0, 1, Some(900.0));
        // 0.5 + (1 - 0.01 - 0.5) * 0.7 * 900 / 1800
        assert!((prophet.predictability(0, 1) - 0.6715).abs() < 1e-6);
        prophet.learn(0, 1, &[0.0, 0.0, 0.8]);
        // 0.6715 * 0.9 * 0.8
        assert!((prophet.predictability(0, 2) - 0.483_48).abs() < 1e-5);
        prophet.age(0, Time::from_secs_f64(3_000.0));
        // 0.6715 * 0.999 ^ 100
        assert!((prophet.predictability(0, 1) - 0.607_57).abs() < 1e-4);
        prophet.age(0, Time::from_secs_f64(90_000.0));
        assert_eq!(prophet.predictability(0, 1), 0.0);
    }
}
