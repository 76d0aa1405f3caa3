//! Contacts recorded elsewhere.
//!
//! Two formats are read. The ONE's connection events, one a line: `TIME CONN A B up|down`, other events and lines that
//! start with `#` are passed over. Comma-separated intervals: `START,END,A,B`, in any order, with or without a line of
//! headings; intervals of one pair that overlap or touch become one. Times are seconds, nodes are numbers from 0.

use serde::{Deserialize, Serialize};

use super::contact::{Change, Contact, ContactError};
use crate::scenario::{Scenario, TraceFile};
use crate::time::Time;

/// How a trace is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// The ONE's connection events.
    One,
    /// Comma-separated intervals.
    Csv,
}

/// The contacts of a trace file, up to the end of the run.
pub(super) fn contacts(scenario: &Scenario, trace: &TraceFile) -> Result<Vec<Contact>, ContactError> {
    let text = std::fs::read_to_string(&trace.file)
        .map_err(|source| ContactError::Unreadable { path: trace.file.clone(), source })?;
    let class = u8::try_from(scenario.link(&trace.link).unwrap_or(0)).unwrap_or(0);
    let mut contacts = parse(&text, trace.format, class)?;
    contacts.retain(|contact| contact.at < Time::from_secs_f64(scenario.duration_s));
    Ok(contacts)
}

/// The contacts of a trace's text.
pub fn parse(text: &str, format: Format, class: u8) -> Result<Vec<Contact>, ContactError> {
    match format {
        Format::One => connection_events(text, class),
        Format::Csv => intervals(text, class),
    }
}

/// The contacts as The ONE's connection events.
pub fn print(contacts: &[Contact]) -> String {
    let line = |contact: &Contact| {
        let change = if contact.change == Change::Down { "down" } else { "up" };
        format!("{:.6} CONN {} {} {change}\n", contact.at.as_secs_f64(), contact.a, contact.b)
    };
    contacts.iter().map(line).collect()
}

fn connection_events(text: &str, class: u8) -> Result<Vec<Contact>, ContactError> {
    let mut contacts = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_other = words.get(1).is_none_or(|event| *event != "CONN");
        if words.first().is_none_or(|word| word.starts_with('#'))
            || (is_other && words[0].parse::<f64>().is_ok())
        {
            continue;
        }
        let contact = connection_event(&words, class);
        contacts.push(contact.ok_or_else(|| ContactError::Line { line: index + 1, text: line.to_owned() })?);
    }
    Ok(contacts)
}

fn connection_event(words: &[&str], class: u8) -> Option<Contact> {
    let [time, _, one, other, change] = *words else { return None };
    let change = match change {
        "up" => Change::Up(class),
        "down" => Change::Down,
        _ => return None,
    };
    let (one, other): (u32, u32) = (one.parse().ok()?, other.parse().ok()?);
    Some(Contact { at: moment(time)?, a: one.min(other), b: one.max(other), change })
}

fn intervals(text: &str, class: u8) -> Result<Vec<Contact>, ContactError> {
    let mut intervals: Vec<(u32, u32, Time, Time)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let is_heading = index == 0 && line.contains(char::is_alphabetic);
        if line.trim().is_empty() || line.starts_with('#') || is_heading {
            continue;
        }
        let interval = interval(line);
        intervals
            .push(interval.ok_or_else(|| ContactError::Line { line: index + 1, text: line.to_owned() })?);
    }
    intervals.sort_unstable();
    let mut contacts = Vec::new();
    for (a, b, up, down) in joined(intervals) {
        contacts.push(Contact { at: up, a, b, change: Change::Up(class) });
        contacts.push(Contact { at: down, a, b, change: Change::Down });
    }
    contacts.sort_by_key(|contact| (contact.at, contact.change != Change::Down, contact.a, contact.b));
    Ok(contacts)
}

/// Makes one of intervals of a pair that overlap or touch.
fn joined(intervals: Vec<(u32, u32, Time, Time)>) -> Vec<(u32, u32, Time, Time)> {
    let mut joined: Vec<(u32, u32, Time, Time)> = Vec::new();
    for (a, b, up, down) in intervals {
        match joined.last_mut() {
            Some((last_a, last_b, _, until)) if (*last_a, *last_b) == (a, b) && up <= *until => {
                *until = down.max(*until);
            }
            _ => joined.push((a, b, up, down)),
        }
    }
    joined
}

fn interval(line: &str) -> Option<(u32, u32, Time, Time)> {
    let fields: Vec<&str> = line.split(',').map(str::trim).collect();
    let [start, end, one, other] = *fields.as_slice() else { return None };
    let (start, end) = (moment(start)?, moment(end)?);
    let (one, other): (u32, u32) = (one.parse().ok()?, other.parse().ok()?);
    (start < end).then_some((one.min(other), one.max(other), start, end))
}

fn moment(seconds: &str) -> Option<Time> {
    let seconds: f64 = seconds.parse().ok()?;
    (seconds.is_finite() && seconds >= 0.0).then(|| Time::from_secs_f64(seconds))
}
