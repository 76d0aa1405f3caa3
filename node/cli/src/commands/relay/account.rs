//! `qpq relay register`, `login`, `leave` and `list`: relays that keep what comes while this node is away.

use std::time::Duration;

use qpq_proto::v1;
use serde::Serialize;

use super::names::LogView;
use crate::connect::Daemon;
use crate::context::{Context, required};
use crate::durations::{self, wire_ms};
use crate::exit::Error;
use crate::follow::Deadline;
use crate::output::{Show, Style};
use crate::printable::printable;
use crate::prompt::{Passphrase, PasswordArgs, confirm, password};
use crate::views::{count, hex};

/// Which relay, and which account there.
#[derive(Debug, clap::Args)]
pub(crate) struct AccountArgs {
    /// The link to the relay, as `qpq relay status` or `qpq relay invite` print it there.
    pub(crate) link: String,
    #[command(flatten)]
    pub(crate) account: Account,
}

/// An account at a relay.
#[derive(Debug, clap::Args)]
pub(crate) struct Account {
    /// The account's name.
    #[arg(long, value_name = "NAME")]
    pub(crate) username: String,
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
    /// How long to wait at most, such as 30s or 5m.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = durations::parse)]
    pub(crate) timeout: Duration,
}

/// Reads an invitation from the command line.
pub(crate) fn parse_invitation(text: &str) -> Result<[u8; 32], &'static str> {
    let digits: Option<Vec<u32>> = text.trim().chars().map(|digit| digit.to_digit(16)).collect();
    let digits =
        digits.filter(|digits| digits.len() == 64).ok_or("an invitation is 64 hexadecimal digits")?;
    let pairs = digits.as_chunks::<2>().0.iter();
    let bytes: Vec<u8> = pairs.filter_map(|[high, low]| u8::try_from(high << 4 | low).ok()).collect();
    bytes.try_into().map_err(|_| "an invitation is 64 hexadecimal digits")
}

/// Makes an account at a relay, and waits until that keeps what comes.
pub(crate) async fn register(
    context: &Context,
    link: String,
    args: Account,
    invitation: Option<[u8; 32]>,
) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let password = password(&args.password, Passphrase::New)?.to_vec();
    let invitation = invitation.map(|token| token.to_vec()).unwrap_or_default();
    let request = v1::RegisterAtRelayRequest { link, username: args.username, password, invitation };
    let begun = daemon.register_at_relay(&request).await?;
    wait(context, &daemon, required(begun.relay, "the relay")?, args.timeout).await
}

/// Logs in at a relay, and waits until that keeps what comes.
pub(crate) async fn log_in(context: &Context, link: String, args: Account) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let password = password(&args.password, Passphrase::Known)?.to_vec();
    let request = v1::LoginAtRelayRequest { link, username: args.username, password };
    let begun = daemon.login_at_relay(&request).await?;
    wait(context, &daemon, required(begun.relay, "the relay")?, args.timeout).await
}

/// Waits until the relay keeps what comes, or it is known that it will not.
async fn wait(
    context: &Context,
    daemon: &Daemon,
    begun: v1::MailboxRelay,
    timeout: Duration,
) -> Result<(), Error> {
    let deadline = Deadline::after(timeout);
    loop {
        let timeout_ms = wire_ms(deadline.left().min(WAIT_PER_CALL));
        let request = v1::WaitMailboxRelayRequest { pin: begun.pin.clone(), timeout_ms };
        let relay = required(daemon.wait_mailbox_relay(&request).await?.relay, "the relay")?;
        let is_under_way = matches!(relay.state.as_str(), "registering" | "logging-in" | "connecting");
        match relay.state.as_str() {
            "ready" => return context.output.show(&RelayView::from(relay)),
            _ if is_under_way && !deadline.left().is_zero() => {}
            state => {
                let (state, timeout) = (printable(state), durations::describe(timeout));
                let message = format!(
                    "not ready within {timeout}, only {state}; `qpq relay list` shows how it goes on"
                );
                return Err(Error::TimedOut(message));
            }
        }
    }
}

pub(super) async fn leave(context: &Context, relay: String) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    confirm(context.assume_yes, "Give up the mailbox at this relay, with what waits in it")?;
    let left = daemon.leave_relay(&v1::LeaveRelayRequest { relay }).await?;
    context.output.show(&LeftView { reached: !left.unreached })
}

pub(super) async fn list(context: &Context) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let listed = daemon.list_mailbox_relays(&v1::ListMailboxRelaysRequest {}).await?;
    context.output.show(&RelaysView { relays: listed.relays.into_iter().map(RelayView::from).collect() })
}

/// A relay that keeps what comes.
#[derive(Debug, Serialize)]
pub(crate) struct RelayView {
    pin: String,
    places: Vec<String>,
    username: String,
    pub(crate) state: String,
    reason: String,
    session_ends_at_ms: u64,
    received: u64,
    contacts: u32,
    log: Option<LogView>,
}

impl From<v1::MailboxRelay> for RelayView {
    fn from(relay: v1::MailboxRelay) -> Self {
        Self {
            pin: hex(&relay.pin),
            places: relay.places,
            username: relay.username,
            state: relay.state,
            reason: relay.reason,
            session_ends_at_ms: relay.session_ends_at_ms,
            received: relay.received,
            contacts: relay.contacts,
            log: relay.log.map(LogView::from),
        }
    }
}

impl RelayView {
    /// Where it is, and how it is, in one line.
    pub(crate) fn line(&self) -> String {
        let place = self.places.first().map(|place| printable(place)).unwrap_or_default();
        let reason = match self.reason.as_str() {
            "" => String::new(),
            reason => format!(": {}", printable(reason)),
        };
        format!("{place} as {} is {}{reason}", printable(&self.username), printable(&self.state))
    }
}

impl RelayView {
    /// What the relay was caught at, each on a line of its own.
    fn faults(&self, style: &Style) -> String {
        let Some(log) = &self.log else { return String::new() };
        let mut lines = String::new();
        if !log.refusal.is_empty() {
            let reason = printable(&log.refusal);
            lines += &format!("\n  {}: its names are not believed: {reason}", style.severity("error"));
        }
        if !log.own_name.is_empty() {
            lines += &format!("\n  {}: {}", style.severity("error"), printable(&log.own_name));
        }
        lines
    }
}

impl Show for RelayView {
    const SCHEMA: &'static str = "qpq.mailbox-relay/1";

    fn human(&self, style: &Style) -> String {
        let deliveries = match self.received {
            1 => "1 delivery".to_owned(),
            number => format!("{number} deliveries"),
        };
        let contacts = count(self.contacts.into(), "contact");
        let known = format!("{deliveries} came by it; {contacts} can leave messages there");
        format!("{}\n  {}\n  pin {}{}", self.line(), style.faint(&known), self.pin, self.faults(style))
    }
}

/// All of them.
#[derive(Debug, Serialize)]
struct RelaysView {
    relays: Vec<RelayView>,
}

impl Show for RelaysView {
    const SCHEMA: &'static str = "qpq.mailbox-relays/1";

    fn human(&self, style: &Style) -> String {
        match self.relays.is_empty() {
            true => "No relay keeps messages for you: `qpq relay register LINK --username NAME`".to_owned(),
            false => self.relays.iter().map(|relay| relay.human(style)).collect::<Vec<_>>().join("\n"),
        }
    }
}

/// A relay that was given up.
#[derive(Debug, Serialize)]
struct LeftView {
    reached: bool,
}

impl Show for LeftView {
    const SCHEMA: &'static str = "qpq.left-relay/1";

    fn human(&self, _style: &Style) -> String {
        match self.reached {
            true => "The mailbox is gone; the account at the relay stays.".to_owned(),
            false => {
                "The relay is forgotten. It was not reached: what waits there stays until its time is over."
                    .to_owned()
            }
        }
    }
}

const WAIT_PER_CALL: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{PLAIN, to_json};

    fn relay(state: &str, reason: &str) -> RelayView {
        RelayView::from(v1::MailboxRelay {
            pin: vec![0xab; 2],
            places: vec!["relay.example:5001".into()],
            username: "alice".into(),
            state: state.into(),
            reason: reason.into(),
            session_ends_at_ms: 5,
            received: 1,
            contacts: 2,
            fetched: true,
            log: None,
        })
    }

    #[test]
    fn a_relay_for_people_and_for_programs() {
        let expected = "relay.example:5001 as alice is ready\n  1 delivery came by it; 2 contacts can leave messages there\n  pin abab";
        assert_eq!(relay("ready", "").human(&PLAIN), expected);
        assert_eq!(relay("offline", "no\x07").line(), "relay.example:5001 as alice is offline: no\\u{7}");
        assert_eq!(
            to_json(&relay("ready", "")).unwrap(),
            r#"{"schema":"qpq.mailbox-relay/1","pin":"abab","places":["relay.example:5001"],"username":"alice","#.to_owned()
                + r#""state":"ready","reason":"","session_ends_at_ms":5,"received":1,"contacts":2,"log":null}"#
        );
    }

    #[test]
    fn invitations_are_digits() {
        assert_eq!(parse_invitation(&"aB".repeat(32)), Ok([0xab; 32]));
        for wrong in ["", "ab", &"ab".repeat(33), &"xy".repeat(32)] {
            assert!(parse_invitation(wrong).is_err(), "{wrong}");
        }
    }
}
