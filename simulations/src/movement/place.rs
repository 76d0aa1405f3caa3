//! Homes, workplaces, and where people meet in the evening.

use super::Point;
use crate::random::Random;
use crate::scenario::Radio;

/// The middles of all places.
#[derive(Debug, Default)]
pub(super) struct PlaceList {
    pub(super) homes: Vec<Point>,
    pub(super) works: Vec<Point>,
    pub(super) evenings: Vec<Point>,
    pub(super) radius_m: f64,
}

impl PlaceList {
    /// Spreads places over the plane.
    pub(super) fn new(radio: &Radio, random: &mut Random) -> Self {
        let Some(places) = &radio.places else { return Self::default() };
        let margin = places.radius_m;
        let mut spread = |count| -> Vec<Point> {
            let mut inside =
                |side: f64| random.between([margin.min(side / 2.0), (side - margin).max(side / 2.0)]);
            (0..count).map(|_| Point { x: inside(radio.width_m), y: inside(radio.height_m) }).collect()
        };
        Self {
            homes: spread(places.homes),
            works: spread(places.works),
            evenings: spread(places.evenings),
            radius_m: places.radius_m,
        }
    }
}
