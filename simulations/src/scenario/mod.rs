//! Scenarios: who is there, how they meet and what they write, as a TOML file.
//!
//! An unknown key is refused, as is a value that means nothing. Every length is in metres, every time in seconds,
//! every rate in bytes a second. [`Scenario::scaled_to`] makes the same place larger: as many people, roads, houses
//! and messages to the square kilometre, only more of them.

mod check;
mod contacts;
mod faults;
mod flood;
mod scale;
#[cfg(test)]
mod tests;
mod traffic;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use self::contacts::{ContactModel, Graph, Movement, Places, Radio, Roads, Spot, TraceFile};
pub use self::faults::Faults;
pub use self::flood::{Flood, Standing};
pub use self::traffic::{Padding, Traffic};
use crate::link::LinkClass;
use crate::routers::prophet::Constants;

/// What a run is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// A short name.
    pub name: String,
    /// A sentence on what it stands for.
    pub about: String,
    /// How long it runs.
    pub duration_s: f64,
    /// How long a message is of use to anybody.
    pub lifetime_s: f64,
    /// Copies that spray-and-wait, and a mobile node of ours, start with.
    #[serde(default = "default_spray_copies")]
    pub spray_copies: u16,
    /// PRoPHET's constants.
    #[serde(default)]
    pub prophet: Constants,
    /// What goes wrong, if anything does.
    pub faults: Option<Faults>,
    /// Who floods the network, if anybody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flood: Option<Flood>,
    /// How contacts come about.
    pub contacts: ContactModel,
    /// The kinds of links. Two nodes use the first in this list that both have and that reaches.
    #[serde(rename = "link")]
    pub links: Vec<LinkClass>,
    /// The kinds of nodes. They are numbered from 0 in this order.
    #[serde(rename = "group")]
    pub groups: Vec<Group>,
    /// Who writes what.
    pub traffic: Traffic,
}

/// Nodes of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its name, for the traffic's `from` and `to`.
    pub name: String,
    /// How many of them there are.
    pub count: usize,
    /// Whether they carry for others on mains power, or move on a battery.
    pub role: Role,
    /// What each can keep of messages.
    pub buffer_bytes: u64,
    /// The names of the links it has.
    pub links: Vec<String>,
    /// How they move.
    pub movement: Movement,
}

/// What kind of node it is to our own router. The others make no difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// A router or server on mains power.
    Carrier,
    /// A telephone, a laptop.
    Mobile,
}

/// One node, as a group says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// The index of its group.
    pub group: usize,
    /// Carrier or mobile.
    pub role: Role,
    /// What it can keep of messages; none if there is no limit.
    pub buffer_bytes: Option<u64>,
}

/// Why a scenario cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// The file cannot be read: check its name.
    #[error("cannot read {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not TOML, or has a key that no scenario has: the message shows where.
    #[error("{path} is no scenario: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What the parser says, with the line.
        reason: String,
    },
    /// A value makes no sense: the message says which.
    #[error("{0}")]
    Senseless(String),
}

impl Scenario {
    /// Reads a scenario.
    pub fn read(path: &Path) -> Result<Self, ScenarioError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ScenarioError::Unreadable { path: path.to_owned(), source })?;
        let mut scenario = Self::parse(&text, path)?;
        if let ContactModel::Trace(trace) = &mut scenario.contacts {
            let folder = path.parent().unwrap_or(Path::new("."));
            trace.file = folder.join(&trace.file);
        }
        Ok(scenario)
    }

    /// Reads a scenario from its text. `path` is named in errors.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ScenarioError> {
        let scenario: Self = toml::from_str(text)
            .map_err(|error| ScenarioError::Malformed { path: path.to_owned(), reason: error.to_string() })?;
        check::check(&scenario)?;
        Ok(scenario)
    }

    /// How many nodes there are.
    pub fn node_count(&self) -> usize {
        self.groups.iter().map(|group| group.count).sum()
    }

    /// Every node, by its number.
    pub fn nodes(&self) -> Vec<Node> {
        let groups = self.groups.iter().enumerate();
        groups
            .flat_map(|(index, group)| {
                let node = Node { group: index, role: group.role, buffer_bytes: Some(group.buffer_bytes) };
                std::iter::repeat_n(node, group.count)
            })
            .collect()
    }

    /// The numbers of a group's nodes, by the group's index.
    pub fn members(&self, group: usize) -> std::ops::Range<usize> {
        let first = self.groups[..group].iter().map(|group| group.count).sum();
        first..first + self.groups[group].count
    }

    /// The numbers of the nodes that flood the network.
    pub fn hostile(&self) -> std::ops::Range<u32> {
        let name = self.flood.as_ref().map(|flood| flood.group.as_str());
        let group = self.groups.iter().position(|group| Some(group.name.as_str()) == name);
        let Some(members) = group.map(|group| self.members(group)) else { return 0..0 };
        let number = |node| u32::try_from(node).expect("a scenario has fewer nodes");
        number(members.start)..number(members.end)
    }

    /// The index of a link class.
    pub fn link(&self, name: &str) -> Option<usize> {
        self.links.iter().position(|link| link.name == name)
    }
}

fn default_spray_copies() -> u16 {
    6
}
