//! Who is in reach of whom on the plane.

use super::Point;
use super::contact::{Change, Contact};
use super::crowd::Crowd;
use crate::scenario::{Radio, Scenario};
use crate::time::{Time, seconds};

/// The contacts of nodes that move over a plane, looked at every step.
pub(super) fn contacts(scenario: &Scenario, radio: &Radio, seed: u64) -> Vec<Contact> {
    let mut crowd = Crowd::new(scenario, radio, seed);
    let mut reach = Reach::new(scenario, radio);
    let step = seconds(radio.step_s);
    let (starts, lasts) = (Time::from_secs_f64(radio.warm_up_s), seconds(scenario.duration_s));
    let mut now = Time::ZERO;
    while now < starts {
        crowd.advance(now, |_, _| {});
        now = now + step;
    }
    let mut moved = Vec::new();
    crowd.advance(now, |_, _| {});
    for node in 0..scenario.node_count() {
        reach.place(node, crowd.at(node));
        moved.push(node);
    }
    let first = now;
    while now.since(first) < lasts {
        moved.iter().for_each(|node| reach.look(*node, Time::ZERO + now.since(first)));
        now = now + step;
        moved.clear();
        crowd.advance(now, |node, at| {
            reach.place(node, at);
            moved.push(node);
        });
    }
    reach.contacts
}

/// The neighbours of every node, and the contacts so far.
struct Reach {
    grids: Vec<Grid>,
    /// For each node, the classes of its links.
    classes: Vec<Vec<usize>>,
    at: Vec<Point>,
    /// For each node, its neighbours in order, each with the class of the link.
    neighbours: Vec<Vec<(u32, u8)>>,
    found: Vec<(u32, u8)>,
    contacts: Vec<Contact>,
}

impl Reach {
    fn new(scenario: &Scenario, radio: &Radio) -> Self {
        let grids = scenario.links.iter().map(|link| Grid::new(link.range_m, radio)).collect();
        let classes: Vec<Vec<usize>> = (scenario.groups.iter())
            .flat_map(|group| {
                let mut classes: Vec<usize> =
                    group.links.iter().filter_map(|name| scenario.link(name)).collect();
                classes.sort_unstable();
                std::iter::repeat_n(classes, group.count)
            })
            .collect();
        let nodes = scenario.node_count();
        Self {
            grids,
            classes,
            at: vec![Point { x: f64::NEG_INFINITY, y: 0.0 }; nodes],
            neighbours: vec![Vec::new(); nodes],
            found: Vec::new(),
            contacts: Vec::new(),
        }
    }

    /// Writes down where a node is.
    fn place(&mut self, node: usize, at: Point) {
        for class in &self.classes[node] {
            self.grids[*class].place(node, self.at[node], at);
        }
        self.at[node] = at;
    }

    /// Compares who is in reach of a node with who was.
    fn look(&mut self, node: usize, now: Time) {
        let (at, everywhere) = (self.at[node], &self.at);
        self.found.clear();
        for class in &self.classes[node] {
            self.grids[*class]
                .near(node, at, everywhere, |other| self.found.push((number(other), small(*class))));
        }
        self.found.sort_unstable();
        self.found.dedup_by_key(|(other, _)| *other);
        if self.found == self.neighbours[node] {
            return;
        }
        let found = std::mem::take(&mut self.found);
        let before = std::mem::replace(&mut self.neighbours[node], found);
        let now_there = self.neighbours[node].clone();
        for (other, _) in before.iter().filter(|link| !now_there.contains(link)) {
            self.neighbours[*other as usize].retain(|(neighbour, _)| *neighbour as usize != node);
            self.contacts.push(contact(now, number(node), *other, Change::Down));
        }
        for (other, class) in now_there.iter().filter(|link| !before.contains(link)) {
            let theirs = &mut self.neighbours[*other as usize];
            let place = theirs.partition_point(|(neighbour, _)| (*neighbour as usize) < node);
            theirs.insert(place, (number(node), *class));
            self.contacts.push(contact(now, number(node), *other, Change::Up(*class)));
        }
        self.found = before;
    }
}

fn contact(at: Time, one: u32, other: u32, change: Change) -> Contact {
    Contact { at, a: one.min(other), b: one.max(other), change }
}

/// The nodes that have a radio, by the square they are in.
struct Grid {
    range_m: f64,
    square_m: f64,
    columns: usize,
    rows: usize,
    squares: Vec<Vec<u32>>,
}

/// Squares along a side, at most.
const SQUARES_MAX: f64 = 256.0;

impl Grid {
    fn new(range_m: f64, radio: &Radio) -> Self {
        let square_m = range_m.max(radio.width_m.max(radio.height_m) / SQUARES_MAX);
        let count = |side: f64| index(side / square_m) + 1;
        let (columns, rows) = (count(radio.width_m), count(radio.height_m));
        Self { range_m, square_m, columns, rows, squares: vec![Vec::new(); columns * rows] }
    }

    fn place(&mut self, node: usize, before: Point, now: Point) {
        let (old, new) = (self.square(before), self.square(now));
        if before.x.is_finite() {
            if old == new {
                return;
            }
            self.squares[old].retain(|other| *other as usize != node);
        }
        self.squares[new].push(number(node));
    }

    /// Calls `found` for every other node in reach.
    fn near(&self, node: usize, at: Point, everywhere: &[Point], mut found: impl FnMut(usize)) {
        let (column, row) = self.place_of(at);
        for row in row.saturating_sub(1)..=(row + 1).min(self.rows - 1) {
            for column in column.saturating_sub(1)..=(column + 1).min(self.columns - 1) {
                for other in &self.squares[row * self.columns + column] {
                    let other = *other as usize;
                    let distance = everywhere[other].distance_squared(at);
                    if other != node && distance <= self.range_m * self.range_m {
                        found(other);
                    }
                }
            }
        }
    }

    fn square(&self, at: Point) -> usize {
        let (column, row) = self.place_of(at);
        row * self.columns + column
    }

    fn place_of(&self, at: Point) -> (usize, usize) {
        (index(at.x / self.square_m).min(self.columns - 1), index(at.y / self.square_m).min(self.rows - 1))
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place on the plane")]
fn index(value: f64) -> usize {
    value.max(0.0) as usize
}

fn number(node: usize) -> u32 {
    u32::try_from(node).expect("a scenario has fewer nodes")
}

fn small(class: usize) -> u8 {
    u8::try_from(class).expect("a scenario has fewer kinds of links")
}
