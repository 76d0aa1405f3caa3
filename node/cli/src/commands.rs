//! The commands, one file each noun.

pub(crate) mod backup;
#[cfg(feature = "terminal")]
pub(crate) mod completions;
pub(crate) mod contact;
pub(crate) mod doctor;
pub(crate) mod events;
pub(crate) mod group;
pub(crate) mod identity;
pub(crate) mod invite;
pub(crate) mod mesh;
pub(crate) mod read;
pub(crate) mod recovery;
pub(crate) mod relay;
pub(crate) mod role;
pub(crate) mod send;
pub(crate) mod status;
pub(crate) mod topic;
pub(crate) mod trace;

use std::time::Duration;

use qpq_proto::limits::PAGE_ITEMS_MAX;

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

/// Reads a cursor from the command line.
pub(crate) fn parse_cursor(text: &str) -> Result<u64, &'static str> {
    text.parse().map_err(|_| "a cursor is a number, as --json prints it")
}

/// Reads how many of something are wanted from the command line.
pub(crate) fn parse_count(text: &str) -> Result<u32, String> {
    let most = u32::try_from(PAGE_ITEMS_MAX).unwrap_or(u32::MAX);
    let count = text.parse().ok().filter(|count| (1..=most).contains(count));
    count.ok_or_else(|| format!("a number from 1 to {most} is wanted"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_asked_for_in_words() {
        assert_eq!((parse_count("1"), parse_count("1024")), (Ok(1), Ok(1_024)));
        for text in ["0", "1025", "x", "-1", ""] {
            assert_eq!(parse_count(text).unwrap_err(), "a number from 1 to 1024 is wanted", "{text}");
        }
        assert_eq!(parse_cursor("7"), Ok(7));
        assert!(parse_cursor("x").is_err());
    }
}
