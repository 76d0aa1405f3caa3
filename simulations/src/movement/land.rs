//! What there is on the plane: roads, lines and places.

use super::Point;
use super::line::Line;
use super::place::PlaceList;
use super::roads::RoadMap;
use crate::random::Random;
use crate::scenario::{Movement, Radio, Scenario, Spot};

/// The plane and what is on it.
#[derive(Debug)]
pub(super) struct Land {
    pub(super) width_m: f64,
    pub(super) height_m: f64,
    pub(super) roads: Option<RoadMap>,
    pub(super) places: PlaceList,
    /// For each group, the lines of its vehicles.
    pub(super) lines: Vec<Vec<Line>>,
}

impl Land {
    /// Draws the land of a scenario.
    pub(super) fn new(scenario: &Scenario, radio: &Radio, seed: u64) -> Self {
        let mut random = Random::new(seed, "land", 0);
        let roads = radio.roads.as_ref().map(|roads| RoadMap::new(roads, radio, &mut random));
        let places = PlaceList::new(radio, &mut random);
        let mut land =
            Self { width_m: radio.width_m, height_m: radio.height_m, roads, places, lines: Vec::new() };
        for group in &scenario.groups {
            let lines = land.lines_of(&group.movement, &mut random);
            land.lines.push(lines);
        }
        land
    }

    fn lines_of(&mut self, movement: &Movement, random: &mut Random) -> Vec<Line> {
        let Movement::Line { lines, stops, round, .. } = *movement else { return Vec::new() };
        (0..lines).map(|number| Line::new(self, number, stops, round, random)).collect()
    }

    /// The roads. A scenario whose movement needs them has them.
    pub(super) fn roads(&mut self) -> &mut RoadMap {
        self.roads.as_mut().expect("a scenario with movement on roads is checked to have roads")
    }

    /// Any point.
    pub(super) fn anywhere(&self, random: &mut Random) -> Point {
        Point { x: random.between([0.0, self.width_m]), y: random.between([0.0, self.height_m]) }
    }

    /// A point of a kind, for the node of this number in its group.
    pub(super) fn spot(&mut self, spot: Spot, number: usize, random: &mut Random) -> Point {
        let in_turn = |points: &[Point]| points.get(number % points.len().max(1)).copied();
        let found = match spot {
            Spot::Anywhere => None,
            Spot::Crossing => {
                let roads = self.roads();
                let crossing = roads.any(random);
                Some(roads.at(crossing))
            }
            Spot::Stop => in_turn(&self.stops()),
            Spot::Home => in_turn(&self.places.homes),
            Spot::Work => in_turn(&self.places.works),
            Spot::Evening => in_turn(&self.places.evenings),
        };
        found.unwrap_or_else(|| self.anywhere(random))
    }

    fn stops(&self) -> Vec<Point> {
        self.lines.iter().flatten().flat_map(Line::stop_points).collect()
    }
}
