//! Who writes what, as a scenario says it.

use serde::{Deserialize, Serialize};

/// The messages of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    /// The shortest and the longest time between two messages, of the whole network.
    pub interval_s: [f64; 2],
    /// The smallest and the largest message.
    pub size_bytes: [u32; 2],
    /// When the first may be written.
    #[serde(default)]
    pub start_s: f64,
    /// When no more are written; the end of the run if it is left out.
    pub end_s: Option<f64>,
    /// Names of the groups that write; all of them if it is left out.
    pub from: Option<Vec<String>>,
    /// Names of the groups that are written to; all of them if it is left out.
    pub to: Option<Vec<String>>,
    /// How many others each node writes to; anybody if it is 0.
    #[serde(default)]
    pub friends: usize,
    /// The share of messages that go to a group of people.
    #[serde(default)]
    pub group_share: f64,
    /// How many belong to such a group.
    #[serde(default = "default_group_size")]
    pub group_size: usize,
    /// What a message is padded to.
    #[serde(default)]
    pub padding: Padding,
}

/// What a message is padded to before it is sent, by every router alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Padding {
    /// 1, 4, 16 or 64 KiB.
    #[default]
    SizeClasses,
    /// Nothing: to compare with simulators that do not pad. Our own router always pads and refuses this.
    None,
}

/// What a body may be padded to, in bytes.
pub(super) const SIZE_CLASSES: [u32; 4] = [1 << 10, 4 << 10, 16 << 10, 64 << 10];

impl Padding {
    /// What a message of so many bytes takes.
    pub fn padded(self, bytes: u32) -> u32 {
        match self {
            Self::None => bytes,
            Self::SizeClasses => {
                SIZE_CLASSES.into_iter().find(|class| *class >= bytes).unwrap_or(SIZE_CLASSES[3])
            }
        }
    }
}

fn default_group_size() -> usize {
    5
}
