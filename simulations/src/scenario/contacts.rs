//! How nodes meet.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::movement::trace::Format;

/// Where contacts come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "kebab-case")]
pub enum ContactModel {
    /// Nodes move over a plane, and whoever is in reach of each other's radio is in contact.
    Radio(Radio),
    /// Links of a graph come and go; there is no plane.
    Graph(Graph),
    /// A file says when who meets whom.
    Trace(TraceFile),
}

/// A plane on which nodes move.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Radio {
    /// Its width.
    pub width_m: f64,
    /// Its height.
    pub height_m: f64,
    /// How often it is looked who is in reach.
    pub step_s: f64,
    /// How long nodes move before the run starts.
    #[serde(default)]
    pub warm_up_s: f64,
    /// The roads, if there are any.
    pub roads: Option<Roads>,
    /// Homes, workplaces and places for the evening, if there are any.
    pub places: Option<Places>,
}

/// A generated grid of roads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roads {
    /// Crossings from west to east.
    pub columns: usize,
    /// Crossings from north to south.
    pub rows: usize,
    /// How far a crossing may be off its place in the grid, in parts of the distance between crossings.
    pub jitter: f64,
    /// The share of roads that are left out, as far as every crossing can still be reached.
    pub missing: f64,
    /// The share of roads open to cars.
    #[serde(default = "all")]
    pub drivable: f64,
}

/// Where people of a community are to be found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Places {
    /// Homes.
    pub homes: usize,
    /// Workplaces and schools.
    pub works: usize,
    /// Where people meet in the evening.
    pub evenings: usize,
    /// How far from its middle a place reaches.
    pub radius_m: f64,
}

/// Links that come and go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Graph {
    /// How many islands the routers are divided into.
    pub islands: usize,
    /// How many neighbours a router has on the mean.
    pub degree: f64,
    /// The class of links between routers of one island, and to their users.
    pub link: String,
    /// How long a link holds on the mean.
    pub up_s: f64,
    /// How long it is gone on the mean.
    pub down_s: f64,
    /// The class of links between islands.
    pub bridge: String,
    /// How many links join each island to the next.
    pub bridges: usize,
    /// How long islands stay apart, again and again. They start apart.
    pub apart_s: f64,
    /// How long they are joined then.
    pub together_s: f64,
}

/// Contacts recorded elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceFile {
    /// The file, relative to the scenario's folder.
    pub file: PathBuf,
    /// How it is written.
    pub format: Format,
    /// The class of its links.
    pub link: String,
}

/// How the nodes of a group move. A model asks for roads, places or a graph in the scenario's contacts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Movement {
    /// Stays where it is.
    Still {
        /// Where that is.
        at: Spot,
    },
    /// Goes straight to random points, and pauses there.
    Waypoint {
        /// The least and the greatest speed.
        speed: [f64; 2],
        /// The shortest and the longest pause.
        pause: [f64; 2],
    },
    /// Goes by the shortest way along roads to random crossings, and pauses there.
    Roads {
        /// The least and the greatest speed.
        speed: [f64; 2],
        /// The shortest and the longest pause.
        pause: [f64; 2],
        /// Keeps to roads that are open to cars.
        #[serde(default)]
        drives: bool,
    },
    /// Goes along a line with stops, to its end and back, or round.
    Line {
        /// How many lines the group's vehicles are divided among.
        lines: usize,
        /// Stops of a line.
        stops: usize,
        /// Starts again at the first stop after the last.
        #[serde(default)]
        round: bool,
        /// The least and the greatest speed.
        speed: [f64; 2],
        /// The shortest and the longest halt.
        pause: [f64; 2],
    },
    /// Sleeps at home, works at one place, and meets others at a few places some evenings.
    Community {
        /// The least and the greatest speed between places.
        speed: [f64; 2],
        /// How likely an evening out is.
        evening_out: f64,
    },
    /// A vertex of the graph.
    Router {},
    /// Is joined to one router of the graph at a time.
    Attached {
        /// How long on the mean.
        session_s: f64,
        /// How long it is away between sessions on the mean.
        away_s: f64,
        /// How likely it comes back to another router of its island than its own.
        roam: f64,
    },
    /// Moves as the trace says.
    Recorded {},
}

/// A kind of point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spot {
    /// Any point of the plane.
    Anywhere,
    /// A crossing.
    Crossing,
    /// A stop of a line, each in turn.
    Stop,
    /// A home, each in turn.
    Home,
    /// A workplace, each in turn.
    Work,
    /// A place for the evening, each in turn.
    Evening,
}

fn all() -> f64 {
    1.0
}
