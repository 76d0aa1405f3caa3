//! Waiting for relays: until what they kept is here, and until they have what goes out.

use std::time::Duration;

use qpq_proto::v1;
use tokio::time::sleep;

use crate::args::Command;
use crate::connect::Daemon;
use crate::context::Context;
use crate::exit::Error;
use crate::follow::Deadline;
use crate::printable::printable;
use crate::views::hex;

/// How long relays are waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience(Duration);

impl Default for Patience {
    fn default() -> Self {
        Self(Duration::from_secs(10))
    }
}

/// How it is with one relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fetching {
    /// What it kept is here.
    Done,
    /// Not yet.
    UnderWay,
    /// It is not reached, or keeps nothing any more.
    Given,
}

/// Waits until what the relays keep is here, and says which of them is not reached. True if the one named is.
pub(super) async fn catch_up(context: &Context, pin: &str, command: &Command) -> Result<bool, Error> {
    let daemon = context.daemon().await?;
    let deadline = Deadline::after(Patience::default().0);
    let mut relays = list(&daemon).await?.relays;
    if is_for_users(command) && relays.iter().all(|relay| hex(&relay.pin) != pin) {
        return Err(no_account());
    }
    while relays.iter().any(|relay| fetching(relay) == Fetching::UnderWay) && !deadline.left().is_zero() {
        sleep(LOOK_AGAIN).await;
        relays = list(&daemon).await?.relays;
    }
    for relay in relays.iter().filter(|relay| fetching(relay) != Fetching::Done) {
        context.output.note(&format!("qpq: {}", not_fetched(relay)));
    }
    Ok(relays.iter().any(|relay| hex(&relay.pin) == pin && fetching(relay) == Fetching::Done))
}

/// Waits until relays have what is to go to them, and says what stays.
pub(super) async fn see_off(context: &Context, patience: Patience) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let deadline = Deadline::after(patience.0);
    loop {
        let listed = list(&daemon).await?;
        if listed.under_way == 0 || deadline.left().is_zero() {
            if let Some(text) = left_behind(listed.under_way.saturating_add(listed.held_up)) {
                context.output.note(&text);
            }
            return Ok(());
        }
        sleep(LOOK_AGAIN).await;
    }
}

async fn list(daemon: &Daemon) -> Result<v1::ListMailboxRelaysResponse, Error> {
    Ok(daemon.list_mailbox_relays(&v1::ListMailboxRelaysRequest {}).await?)
}

fn fetching(relay: &v1::MailboxRelay) -> Fetching {
    match relay.state.as_str() {
        _ if relay.fetched => Fetching::Done,
        "offline" | "logged-out" => Fetching::Given,
        _ => Fetching::UnderWay,
    }
}

fn not_fetched(relay: &v1::MailboxRelay) -> String {
    let place = relay.places.first().map(|place| printable(place)).unwrap_or_default();
    let reason = printable(&relay.reason);
    let help = "what you send stays queued, and what came to you stays there";
    match relay.state.as_str() {
        "logged-out" => {
            format!("the session at {place} has ended: log in again with `qpq --relay LINK login`")
        }
        "offline" => format!("{reason}; {help}"),
        _ => format!("the relay at {place} has not given all that it keeps in time; {help}"),
    }
}

/// What the person is told of what no relay has.
fn left_behind(number: u32) -> Option<String> {
    let text = "qpq: no relay has taken all of it yet: what is queued goes out with the next command";
    (number > 0).then(|| text.to_owned())
}

/// Whether a command is of no use to somebody who has no account at the relay.
fn is_for_users(command: &Command) -> bool {
    matches!(
        command,
        Command::Invite(_)
            | Command::Contact(_)
            | Command::Send(_)
            | Command::Read(_)
            | Command::Group(_)
            | Command::Chat
            | Command::Trace(_)
    )
}

fn no_account() -> Error {
    Error::Negative(
        "nothing is kept for you at this relay: `qpq --relay LINK register --username NAME` makes an account, and \
         `login` uses one that you have"
            .to_owned(),
    )
}

const LOOK_AGAIN: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    fn relay(state: &str, fetched: bool) -> v1::MailboxRelay {
        let (places, reason) = (vec!["relay.example:5001".into()], "it is gone\x07".into());
        v1::MailboxRelay { places, reason, state: state.into(), fetched, ..v1::MailboxRelay::default() }
    }

    #[test]
    fn what_a_relay_keeps_is_waited_for_as_long_as_it_may_come() {
        for (state, fetched, expected) in [
            ("ready", true, Fetching::Done),
            ("ready", false, Fetching::UnderWay),
            ("connecting", false, Fetching::UnderWay),
            ("offline", false, Fetching::Given),
            ("logged-out", false, Fetching::Given),
        ] {
            assert_eq!(fetching(&relay(state, fetched)), expected, "{state}");
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        for (state, words) in [
            ("offline", "it is gone\\u{7}; what you send stays queued"),
            ("logged-out", "log in again"),
            ("ready", "the relay at relay.example:5001 has not given all"),
        ] {
            let said = not_fetched(&relay(state, false));
            assert!(said.contains(words), "{said}");
        }
        assert_eq!(left_behind(0), None);
        assert!(left_behind(2).unwrap().contains("queued"));
    }
}
