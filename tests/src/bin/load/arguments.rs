//! What is asked for on the command line.

use std::net::SocketAddr;

/// How the relay is loaded.
#[derive(Debug)]
pub(crate) struct Arguments {
    /// Clients that put deliveries into mailboxes at the same time.
    pub(crate) clients: usize,
    /// Mailboxes, each of an account of its own.
    pub(crate) mailboxes: usize,
    /// Deliveries.
    pub(crate) messages: usize,
    /// Bytes of each.
    pub(crate) bytes: usize,
    /// Deliveries from one who sends to one who waits.
    pub(crate) online: usize,
    /// Connections on which nothing happens.
    pub(crate) idle: usize,
    /// Deliveries that wait in one mailbox; with any, only what they mean for others is measured.
    pub(crate) queued: usize,
    /// MiB that wait in one mailbox at most; none for the relay's own.
    pub(crate) mailbox_mib: Option<usize>,
    /// Where a relay listens already, and its pin; none if one is to be started.
    pub(crate) relay: Option<(SocketAddr, String)>,
    /// Whether the figures are printed as JSON.
    pub(crate) json: bool,
}

impl Arguments {
    /// Reads the arguments.
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self {
            clients: 64,
            mailboxes: 100,
            messages: 100_000,
            bytes: 1_024,
            online: 3_000,
            idle: 1_000,
            queued: 0,
            mailbox_mib: None,
            relay: None,
            json: false,
        };
        let mut words = words;
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--json" => arguments.json = true,
                "--clients" => arguments.clients = number(&word, &value()?)?,
                "--mailboxes" => arguments.mailboxes = number(&word, &value()?)?,
                "--messages" => arguments.messages = number(&word, &value()?)?,
                "--bytes" => arguments.bytes = number(&word, &value()?)?,
                "--online" => arguments.online = number(&word, &value()?)?,
                "--idle" => arguments.idle = number(&word, &value()?)?,
                "--queued" => arguments.queued = number(&word, &value()?)?,
                "--mailbox-mib" => arguments.mailbox_mib = Some(number(&word, &value()?)?),
                "--relay" => arguments.relay = Some(relay(&value()?)?),
                _ => return Err(format!("unknown argument {word}; {USAGE}")),
            }
        }
        if arguments.clients == 0 || arguments.mailboxes == 0 || arguments.bytes < SEQUENCE_BYTES {
            return Err(format!(
                "there must be a client and a mailbox, and {SEQUENCE_BYTES} bytes to tell deliveries apart"
            ));
        }
        Ok(arguments)
    }
}

fn number(name: &str, text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("{name} takes a number, not {text}"))
}

fn relay(text: &str) -> Result<(SocketAddr, String), String> {
    let wrong =
        || "--relay takes ADDRESS:PORT#PIN, as in `rpc=` and `pin=` of the daemon's ready line".to_owned();
    let (address, pin) = text.split_once('#').ok_or_else(wrong)?;
    Ok((address.parse().map_err(|_| wrong())?, pin.to_owned()))
}

/// Bytes by which every payload differs from every other.
pub(crate) const SEQUENCE_BYTES: usize = 8;

const USAGE: &str = "there are --clients, --mailboxes, --messages, --bytes, --online, --idle, --queued, --mailbox-mib, \
                     --relay and --json";
