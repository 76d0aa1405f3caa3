//! A mesh of routers that stand where they are, with users attached to them, on one island or several.
//!
//! Routers of an island are points of a square. Each has a link to the nearest of those before it, so that the island
//! is connected, and the shortest other links fill up to the degree. Links come and go; islands are joined by bridges
//! for a while, again and again.

use super::Point;
use super::contact::{Change, Contact};
use crate::random::Random;
use crate::scenario::{Graph, Movement, Scenario};
use crate::time::{Time, seconds};

/// The contacts of a graph.
pub(super) fn contacts(scenario: &Scenario, graph: &Graph, seed: u64) -> Vec<Contact> {
    let mut random = Random::new(seed, "graph", 0);
    let islands = islands(scenario, graph);
    let class = |name: &str| u8::try_from(scenario.link(name).unwrap_or(0)).unwrap_or(0);
    let mut drawer = Drawer {
        end_s: scenario.duration_s,
        seed,
        edges: 0,
        graph,
        contacts: Vec::new(),
        link: class(&graph.link),
        bridge: class(&graph.bridge),
    };
    for routers in &islands {
        let edges = edges(routers, graph.degree, &mut random);
        edges.into_iter().for_each(|edge| drawer.edge(edge));
    }
    drawer.bridges(&islands, &mut random);
    drawer.users(scenario, &islands);
    let mut contacts = drawer.contacts;
    contacts.sort_by_key(|contact| (contact.at, contact.change != Change::Down, contact.a, contact.b));
    contacts
}

/// The routers of each island, in runs of consecutive numbers.
fn islands(scenario: &Scenario, graph: &Graph) -> Vec<Vec<u32>> {
    let routers = numbers(scenario, |movement| *movement == Movement::Router {});
    let size = routers.len().div_ceil(graph.islands).max(1);
    routers.chunks(size).map(<[u32]>::to_vec).collect()
}

fn numbers(scenario: &Scenario, wanted: impl Fn(&Movement) -> bool) -> Vec<u32> {
    let groups = (0..scenario.groups.len()).filter(|group| wanted(&scenario.groups[*group].movement));
    groups.flat_map(|group| scenario.members(group)).filter_map(|node| u32::try_from(node).ok()).collect()
}

/// Links between the routers of an island.
fn edges(routers: &[u32], degree: f64, random: &mut Random) -> Vec<(u32, u32)> {
    let side = (routers.len() as f64).sqrt();
    let points: Vec<Point> = (routers.iter())
        .map(|_| Point { x: random.between([0.0, side]), y: random.between([0.0, side]) })
        .collect();
    let distance = |a: usize, b: usize| points[a].distance_squared(points[b]);
    // Routers stand one to the unit of area: within this radius there are about twice as many as are wanted.
    let radius_squared = 2.0 * (degree + 1.0) / std::f64::consts::PI;
    let mut chosen = Vec::new();
    let mut spare = Vec::new();
    for one in 1..routers.len() {
        let nearest = (0..one).min_by(|a, b| distance(one, *a).total_cmp(&distance(one, *b))).unwrap_or(0);
        chosen.push((nearest, one));
        let near = (0..one).filter(|other| *other != nearest && distance(one, *other) <= radius_squared);
        spare.extend(near.map(|other| (distance(one, other), other, one)));
    }
    spare.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    let wanted = half(routers.len() as f64 * degree).saturating_sub(chosen.len());
    chosen.extend(spare.into_iter().take(wanted).map(|(_, a, b)| (a, b)));
    chosen.into_iter().map(|(a, b)| (routers[a], routers[b])).collect()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of links")]
fn half(ends: f64) -> usize {
    (ends / 2.0).round() as usize
}

/// Draws when links are there.
struct Drawer<'a> {
    graph: &'a Graph,
    end_s: f64,
    seed: u64,
    edges: u64,
    contacts: Vec<Contact>,
    link: u8,
    bridge: u8,
}

impl Drawer<'_> {
    /// A link that comes and goes.
    fn edge(&mut self, (a, b): (u32, u32)) {
        let class = self.link;
        for (up, down) in self.comes_and_goes() {
            self.interval(a, b, class, up, down);
        }
    }

    /// Bridges between each island and the next, while they are joined.
    fn bridges(&mut self, islands: &[Vec<u32>], random: &mut Random) {
        let count = islands.len();
        let pairs = (0..count).map(|island| (island, (island + 1) % count)).filter(|(a, b)| a != b);
        let mut ends = Vec::new();
        for (one, next) in pairs.take(if count == 2 { 1 } else { count }) {
            for _ in 0..self.graph.bridges {
                let end = |island: usize, random: &mut Random| random.choose(&islands[island]).copied();
                if let (Some(a), Some(b)) = (end(one, random), end(next, random)) {
                    ends.push((a.min(b), a.max(b)));
                }
            }
        }
        ends.sort_unstable();
        ends.dedup();
        for (a, b) in ends {
            let holds = self.comes_and_goes();
            for (up, down) in self.joined().iter().flat_map(|joined| overlaps(&holds, *joined)) {
                self.interval(a, b, self.bridge, up, down);
            }
        }
    }

    /// When islands are joined.
    fn joined(&self) -> Vec<(f64, f64)> {
        let Graph { apart_s, together_s, .. } = *self.graph;
        if apart_s <= 0.0 {
            return vec![(0.0, self.end_s)];
        }
        let mut joined = Vec::new();
        let mut from = apart_s;
        while from < self.end_s {
            joined.push((from, from + together_s));
            from += apart_s + together_s;
        }
        joined
    }

    /// Users, each with a router of its own on its island.
    fn users(&mut self, scenario: &Scenario, islands: &[Vec<u32>]) {
        for (index, group) in scenario.groups.iter().enumerate() {
            let Movement::Attached { session_s, away_s, roam } = group.movement else { continue };
            for (number, user) in scenario.members(index).enumerate() {
                let user = u32::try_from(user).expect("a scenario has fewer nodes");
                self.user(user, &islands[number % islands.len()], [session_s, away_s], roam);
            }
        }
    }

    fn user(&mut self, user: u32, routers: &[u32], [session_s, away_s]: [f64; 2], roam: f64) {
        let mut random = Random::new(self.seed, "user", u64::from(user));
        let Some(own) = random.choose(routers).copied() else { return };
        let mut now =
            if random.chance(session_s / (session_s + away_s)) { 0.0 } else { random.exponential(away_s) };
        while now < self.end_s {
            let roams = random.chance(roam);
            let router = if roams { random.choose(routers).copied().unwrap_or(own) } else { own };
            let until = now + random.exponential(session_s);
            self.interval(router.min(user), router.max(user), self.link, now, until);
            now = until + random.exponential(away_s).max(1.0);
        }
    }

    /// When a link holds, in seconds.
    fn comes_and_goes(&mut self) -> Vec<(f64, f64)> {
        let Graph { up_s, down_s, .. } = *self.graph;
        self.edges += 1;
        if down_s <= 0.0 {
            return vec![(0.0, self.end_s)];
        }
        let mut random = Random::new(self.seed, "edge", self.edges);
        let mut holds = Vec::new();
        let mut now = if random.chance(up_s / (up_s + down_s)) { 0.0 } else { random.exponential(down_s) };
        while now < self.end_s {
            let until = now + random.exponential(up_s);
            holds.push((now, until));
            now = until + random.exponential(down_s).max(0.001);
        }
        holds
    }

    /// Writes down one contact, as far as it is within the run.
    fn interval(&mut self, a: u32, b: u32, class: u8, up: f64, down: f64) {
        let (up, down) = (Time::from_secs_f64(up), Time::from_secs_f64(down));
        let end = Time::ZERO + seconds(self.end_s);
        if up >= down || up >= end {
            return;
        }
        self.contacts.push(Contact { at: up, a, b, change: Change::Up(class) });
        if down < end {
            self.contacts.push(Contact { at: down, a, b, change: Change::Down });
        }
    }
}

fn overlaps(holds: &[(f64, f64)], window: (f64, f64)) -> impl Iterator<Item = (f64, f64)> {
    let cut = holds.iter().map(move |(up, down)| (up.max(window.0), down.min(window.1)));
    cut.filter(|(up, down)| up < down)
}
