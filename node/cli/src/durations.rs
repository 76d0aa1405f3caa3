//! Durations as people write them on a command line: `30s`, `5m`, `7d`.

use std::time::Duration;

/// Why a text is no duration.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DurationError {
    /// There is no number at the beginning.
    #[error("a number and a unit are wanted, such as 30s, 5m, 2h or 7d")]
    NoNumber,
    /// There is a number, but no unit.
    #[error("the unit is missing: write {0}s, {0}m, {0}h or {0}d")]
    NoUnit(u64),
    /// The unit is none of those known.
    #[error("unknown unit {0:?}: use ms, s, m, h, d or w")]
    UnknownUnit(String),
    /// There is more than one number with one unit, or a fraction.
    #[error("one whole number with one unit is wanted: write 90m for one and a half hours")]
    NotOne,
    /// Longer than ten years.
    #[error("too long: at most ten years")]
    TooLong,
}

/// Reads one number with one unit: `ms`, `s`, `m`, `h`, `d` or `w`.
pub(crate) fn parse(text: &str) -> Result<Duration, DurationError> {
    let text = text.trim();
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err(DurationError::NoNumber);
    }
    let number: u64 = number.parse().map_err(|_| DurationError::TooLong)?;
    let unit_ms = match unit.trim() {
        "" => return Err(DurationError::NoUnit(number)),
        "ms" => 1,
        "s" => SECOND_MS,
        "m" | "min" => 60 * SECOND_MS,
        "h" => 3_600 * SECOND_MS,
        "d" => DAY_MS,
        "w" => 7 * DAY_MS,
        other if other.contains(|character: char| character.is_ascii_digit()) => {
            return Err(DurationError::NotOne);
        }
        other => return Err(DurationError::UnknownUnit(other.to_owned())),
    };
    let ms = number.checked_mul(unit_ms).filter(|ms| *ms <= LONGEST_MS).ok_or(DurationError::TooLong)?;
    Ok(Duration::from_millis(ms))
}

/// Writes a duration in its two largest units, for people: `3 d 4 h`, `5 min 2 s`, `120 ms`.
pub(crate) fn describe(duration: Duration) -> String {
    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let seconds = ms / SECOND_MS;
    match seconds {
        0 => format!("{ms} ms"),
        1..60 => format!("{seconds} s"),
        60..3_600 => two(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

/// A duration in whole milliseconds, as far as a wire field holds them.
pub(crate) fn wire_ms(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

fn two(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 {
        format!("{large} {large_unit}")
    } else {
        format!("{large} {large_unit} {small} {small_unit}")
    }
}

const SECOND_MS: u64 = 1_000;
const DAY_MS: u64 = 86_400 * SECOND_MS;
const LONGEST_MS: u64 = 3_660 * DAY_MS;

#[cfg(test)]
mod tests;
