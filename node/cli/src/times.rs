//! Points in time, for people: Unix milliseconds as a date and a time of day where the reader is.

use chrono::{DateTime, Local, TimeZone, Utc};

/// Where times of day are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zone {
    /// The zone of this machine.
    Local,
    /// Coordinated universal time, so that tests see the same everywhere.
    #[cfg(test)]
    Universal,
}

impl Zone {
    /// `2026-11-21 10:31:05`, or `never` for 0.
    pub(crate) fn date_time(self, unix_ms: u64) -> String {
        self.format(unix_ms, "%Y-%m-%d %H:%M:%S")
    }

    /// `10:31:05`, or `never` for 0.
    pub(crate) fn time_of_day(self, unix_ms: u64) -> String {
        self.format(unix_ms, "%H:%M:%S")
    }

    /// `10:31:05.120`, or `never` for 0.
    pub(crate) fn time_of_day_ms(self, unix_ms: u64) -> String {
        self.format(unix_ms, "%H:%M:%S%.3f")
    }

    fn format(self, unix_ms: u64, pattern: &str) -> String {
        if unix_ms == 0 {
            return "never".to_owned();
        }
        let Some(time) = i64::try_from(unix_ms).ok().and_then(DateTime::<Utc>::from_timestamp_millis) else {
            return "unknown".to_owned(); // another node's clock may claim any year
        };
        match self {
            Self::Local => in_zone(&Local, time, pattern),
            #[cfg(test)]
            Self::Universal => in_zone(&Utc, time, pattern),
        }
    }
}

fn in_zone<Z: TimeZone>(zone: &Z, time: DateTime<Utc>, pattern: &str) -> String
where
    Z::Offset: std::fmt::Display,
{
    time.with_timezone(zone).format(pattern).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let ms = 1_795_257_065_120;
        assert_eq!(Zone::Universal.date_time(ms), "2026-11-21 10:31:05");
        assert_eq!(Zone::Universal.time_of_day(ms), "10:31:05");
        assert_eq!(Zone::Universal.time_of_day_ms(ms), "10:31:05.120");
    }

    #[test]
    fn odd_times_are_said_plainly() {
        assert_eq!(Zone::Universal.date_time(0), "never");
        assert_eq!(Zone::Universal.date_time(u64::MAX), "unknown");
        assert_eq!(Zone::Local.date_time(0), "never");
    }
}
