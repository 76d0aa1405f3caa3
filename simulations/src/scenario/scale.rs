//! The same place, larger or smaller.

use super::{ContactModel, Movement, Scenario};

impl Scenario {
    /// The scenario with about so many nodes: groups, area, roads, places, lines and messages grow with them, so that
    /// the density and what each node writes stay as they are. A trace cannot grow and keeps its nodes.
    #[must_use]
    pub fn scaled_to(mut self, nodes: usize) -> Self {
        let factor = nodes as f64 / self.node_count() as f64;
        match &mut self.contacts {
            ContactModel::Trace(_) => return self,
            ContactModel::Graph(_) => {}
            ContactModel::Radio(radio) => {
                let side = factor.sqrt();
                radio.width_m *= side;
                radio.height_m *= side;
                if let Some(roads) = &mut radio.roads {
                    roads.columns = times(roads.columns, side).max(2);
                    roads.rows = times(roads.rows, side).max(2);
                }
                if let Some(places) = &mut radio.places {
                    for count in [&mut places.homes, &mut places.works, &mut places.evenings] {
                        *count = times(*count, factor).max(1);
                    }
                }
            }
        }
        for group in &mut self.groups {
            group.count = times(group.count, factor).max(1);
            if let Movement::Line { lines, .. } = &mut group.movement {
                *lines = times(*lines, factor).max(1);
            }
        }
        self.traffic.interval_s = self.traffic.interval_s.map(|interval| interval / factor);
        self
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of nodes and crossings")]
fn times(count: usize, factor: f64) -> usize {
    (count as f64 * factor).round() as usize
}
