//! What is written in a run.

use std::time::Duration;

use crate::random::Random;
use crate::scenario::{Scenario, Traffic};
use crate::time::{Time, seconds};

/// A message, the same whatever the router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// When it is written.
    pub created: Time,
    /// Who writes it.
    pub source: u32,
    /// Who is to have it, in order, without the writer.
    pub recipients: Vec<u32>,
    /// Its length after padding.
    pub body_bytes: u32,
    /// How long it is of use.
    pub lifetime: Duration,
}

impl Message {
    /// When it is of no more use.
    pub fn expires(&self) -> Time {
        self.created + self.lifetime
    }

    /// Whether a node is to have it.
    pub fn is_for(&self, node: u32) -> bool {
        self.recipients.binary_search(&node).is_ok()
    }
}

/// All messages of a run, by when they are written.
pub fn messages(scenario: &Scenario, seed: u64) -> Vec<Message> {
    let traffic = &scenario.traffic;
    let mut writer = Writer::new(scenario, seed);
    let end = traffic.end_s.unwrap_or(scenario.duration_s).min(scenario.duration_s);
    let mut messages = Vec::new();
    let mut now = traffic.start_s + writer.random.between(traffic.interval_s);
    while now < end {
        messages.extend(writer.message(Time::from_secs_f64(now), seconds(scenario.lifetime_s)));
        now += writer.random.between(traffic.interval_s);
    }
    messages
}

/// Who writes to whom.
struct Writer<'a> {
    traffic: &'a Traffic,
    random: Random,
    from: Vec<u32>,
    to: Vec<u32>,
    /// For each of `from`, those it writes to; empty if it writes to anybody.
    friends: Vec<Vec<u32>>,
    groups: Vec<Vec<u32>>,
}

impl<'a> Writer<'a> {
    fn new(scenario: &'a Scenario, seed: u64) -> Self {
        let traffic = &scenario.traffic;
        let mut random = Random::new(seed, "traffic", 0);
        let (from, to) =
            (members(scenario, traffic.from.as_deref()), members(scenario, traffic.to.as_deref()));
        let friends = if traffic.friends == 0 {
            Vec::new()
        } else {
            from.iter().map(|node| some(&to, Some(*node), traffic.friends, &mut random)).collect()
        };
        let groups = if traffic.group_share > 0.0 {
            // As many groups as let everybody be in two on the mean.
            let count = (2 * from.len()).div_ceil(traffic.group_size);
            (0..count).map(|_| some(&from, None, traffic.group_size, &mut random)).collect()
        } else {
            Vec::new()
        };
        Self { traffic, random, from, to, friends, groups }
    }

    /// One message, unless its writer has nobody to write to.
    fn message(&mut self, created: Time, lifetime: Duration) -> Option<Message> {
        let (source, recipients) =
            if self.random.chance(self.traffic.group_share) { self.for_group() } else { self.for_one() }?;
        let [least, most] = self.traffic.size_bytes;
        let bytes = least + u32::try_from(self.random.below((most - least) as usize + 1)).unwrap_or(0);
        let body_bytes = self.traffic.padding.padded(bytes);
        Some(Message { created, source, recipients, body_bytes, lifetime })
    }

    fn for_one(&mut self) -> Option<(u32, Vec<u32>)> {
        let index = self.random.below(self.from.len());
        let source = self.from[index];
        let recipient = match self.friends.get(index) {
            Some(friends) => *self.random.choose(friends)?,
            None => some(&self.to, Some(source), 1, &mut self.random).first().copied()?,
        };
        Some((source, vec![recipient]))
    }

    fn for_group(&mut self) -> Option<(u32, Vec<u32>)> {
        let group = self.random.choose(&self.groups)?.clone();
        let source = *self.random.choose(&group)?;
        let others: Vec<u32> = group.into_iter().filter(|member| *member != source).collect();
        (!others.is_empty()).then_some((source, others))
    }
}

/// The nodes of the named groups, or all of them.
fn members(scenario: &Scenario, names: Option<&[String]>) -> Vec<u32> {
    let is_named = |name: &String| names.is_none_or(|names| names.contains(name));
    let groups = (0..scenario.groups.len()).filter(|group| is_named(&scenario.groups[*group].name));
    groups.flat_map(|group| scenario.members(group)).filter_map(|node| u32::try_from(node).ok()).collect()
}

/// So many different ones without `except`, in order; all if there are fewer.
fn some(among: &[u32], except: Option<u32>, count: usize, random: &mut Random) -> Vec<u32> {
    let available = among.len() - usize::from(except.is_some_and(|except| among.contains(&except)));
    let mut chosen = Vec::new();
    while chosen.len() < count.min(available) {
        let candidate = among[random.below(among.len())];
        if Some(candidate) != except && !chosen.contains(&candidate) {
            chosen.push(candidate);
        }
    }
    chosen.sort_unstable();
    chosen
}
