//! The commands, one file each noun.

pub(crate) mod backup;
pub(crate) mod completions;
pub(crate) mod contact;
pub(crate) mod doctor;
pub(crate) mod events;
pub(crate) mod group;
pub(crate) mod identity;
pub(crate) mod invite;
pub(crate) mod read;
pub(crate) mod send;
pub(crate) mod status;
pub(crate) mod trace;

use std::time::Duration;

use crate::durations;

/// Whether and how long to wait for the effect of a command.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct WaitArgs {
    /// Wait until it has been carried out.
    #[arg(long)]
    pub(crate) wait: bool,
    /// How long to wait at most, such as 30s or 5m.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = durations::parse, requires = "wait")]
    pub(crate) timeout: Duration,
}
