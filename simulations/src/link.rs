//! Links: how long a message takes over one, and what a broken contact takes with it.
//!
//! Each direction sends one message at a time, in order. A message leaves when everything before it has left, takes
//! its bytes over the rate, and arrives a latency later. Over a half-duplex link only one end sends at a time. What has not arrived when the contact ends is lost, and what
//! of it had left by then is counted.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::{Time, seconds};

/// A kind of link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkClass {
    /// Its name.
    pub name: String,
    /// How far it reaches, in metres, where nodes move on a plane.
    #[serde(default)]
    pub range_m: f64,
    /// Bytes a second, from the node of the smaller number to the other.
    pub rate: f64,
    /// Bytes a second the other way; the same if it is left out.
    pub rate_back: Option<f64>,
    /// How long a byte is on its way, in seconds.
    #[serde(default)]
    pub latency_s: f64,
    /// What every message takes besides its bytes, in seconds.
    #[serde(default)]
    pub turnaround_s: f64,
    /// Whether only one end can send at a time.
    #[serde(default)]
    pub half_duplex: bool,
    /// The share of messages that get lost.
    #[serde(default)]
    pub loss: f64,
}

impl LinkClass {
    /// How long it takes to send so many bytes.
    pub fn sending(&self, bytes: u64, upwards: bool) -> Duration {
        let rate = if upwards { self.rate } else { self.rate_back.unwrap_or(self.rate) };
        seconds(self.turnaround_s + bytes as f64 / rate)
    }

    /// How many bytes leave in so many seconds.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and far below 2^53"
    )]
    pub fn carries(&self, seconds: f64, upwards: bool) -> u64 {
        let rate = if upwards { self.rate } else { self.rate_back.unwrap_or(self.rate) };
        (rate * seconds) as u64
    }

    /// How long what was sent is on its way.
    pub fn latency(&self) -> Duration {
        seconds(self.latency_s)
    }
}

/// One direction of a link, with the messages on their way.
#[derive(Debug)]
pub struct Direction<P> {
    flights: VecDeque<Flight<P>>,
    free_at: Time,
}

/// A message on its way.
#[derive(Debug)]
pub struct Flight<P> {
    /// What it is.
    pub packet: P,
    /// Its length.
    pub bytes: u64,
    /// Whether it will be lost.
    pub is_lost: bool,
    begins: Time,
    /// When its last byte has left.
    pub sent: Time,
    /// When its last byte arrives.
    pub arrives: Time,
}

impl<P> Direction<P> {
    /// Takes a message to be sent, and says when it will have left and when it will arrive.
    pub fn send(
        &mut self,
        now: Time,
        packet: P,
        bytes: u64,
        takes: [Duration; 2],
        is_lost: bool,
    ) -> [Time; 2] {
        let begins = self.free_at.max(now);
        let sent = begins + takes[0];
        let arrives = sent + takes[1];
        self.flights.push_back(Flight { packet, bytes, is_lost, begins, sent, arrives });
        self.free_at = sent;
        [sent, arrives]
    }

    /// Lets nothing leave before then.
    pub fn hold_until(&mut self, time: Time) {
        self.free_at = self.free_at.max(time);
    }

    /// Takes out the message that arrives.
    pub fn arrive(&mut self) -> Option<Flight<P>> {
        self.flights.pop_front()
    }

    /// Whether everything has left.
    pub fn is_idle(&self, now: Time) -> bool {
        self.free_at <= now
    }

    /// Gives up what is on its way.
    pub fn into_flights(self) -> VecDeque<Flight<P>> {
        self.flights
    }
}

impl<P> Default for Direction<P> {
    fn default() -> Self {
        Self { flights: VecDeque::new(), free_at: Time::ZERO }
    }
}

impl<P> Flight<P> {
    /// How many of its bytes have left by now.
    pub fn left_by(&self, now: Time) -> u64 {
        let (gone, whole) = (now.since(self.begins), self.sent.since(self.begins));
        if gone >= whole {
            return self.bytes;
        }
        let bytes = u128::from(self.bytes) * gone.as_micros() / whole.as_micros();
        u64::try_from(bytes).unwrap_or(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(rate: f64, rate_back: Option<f64>, latency_s: f64) -> LinkClass {
        let (name, range_m, turnaround_s, loss) = ("test".into(), 0.0, 0.0, 0.0);
        LinkClass { name, range_m, rate, rate_back, latency_s, turnaround_s, half_duplex: false, loss }
    }

    #[test]
    fn a_message_takes_its_bytes_over_the_rate_and_the_latency() {
        let class = class(250_000.0, Some(125_000.0), 0.02);
        let up = [class.sending(10_000, true), class.latency()];
        let down = [class.sending(10_000, false), class.latency()];
        let times = |takes| {
            let now = Time::from_micros(1_000_000);
            Direction::default().send(now, "a", 10_000, takes, false).map(Time::as_micros)
        };
        assert_eq!(times(up), [1_040_000, 1_060_000]);
        assert_eq!(times(down), [1_080_000, 1_100_000]);
    }

    #[test]
    fn a_direction_sends_one_message_after_the_other() {
        let takes = [Duration::from_micros(100), Duration::from_micros(30)];
        let mut direction = Direction::default();
        let now = Time::from_micros(1_000);
        assert_eq!(direction.send(now, "a", 1, takes, false).map(Time::as_micros), [1_100, 1_130]);
        assert_eq!(direction.send(now, "b", 1, takes, false).map(Time::as_micros), [1_200, 1_230]);
        assert!(!direction.is_idle(Time::from_micros(1_199)));
        assert!(direction.is_idle(Time::from_micros(1_200)));
        let later = Time::from_micros(5_000);
        assert_eq!(direction.send(later, "c", 1, takes, false).map(Time::as_micros), [5_100, 5_130]);
        let order: Vec<_> = std::iter::from_fn(|| direction.arrive()).map(|flight| flight.packet).collect();
        assert_eq!(order, ["a", "b", "c"]);
    }

    #[test]
    fn what_had_left_of_a_broken_message_is_known() {
        let mut direction = Direction::default();
        let takes = [Duration::from_micros(1_000), Duration::from_micros(500)];
        direction.send(Time::ZERO, "a", 10_000, takes, false);
        direction.send(Time::ZERO, "b", 10_000, takes, false);
        let flights = direction.into_flights();
        let left = |micros| {
            flights.iter().map(|flight| flight.left_by(Time::from_micros(micros))).collect::<Vec<_>>()
        };
        assert_eq!(left(0), [0, 0]);
        assert_eq!(left(250), [2_500, 0]);
        assert_eq!(left(1_100), [10_000, 1_000]);
        assert_eq!(left(2_200), [10_000, 10_000]);
    }
}
