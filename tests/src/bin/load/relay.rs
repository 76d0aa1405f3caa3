//! The relay that is loaded.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Context, anyhow};
use qpq_net::direct::Trust;
use qpq_tests::{Node, Options, RelayAddress};

use crate::arguments::Arguments;

/// A relay, and its process if it was started here.
pub(crate) struct LoadedRelay {
    node: Option<Node>,
    /// Where it listens.
    pub(crate) address: RelayAddress,
}

impl LoadedRelay {
    /// Finds the relay that the arguments name, or starts one that everybody may register at.
    pub(crate) fn start(arguments: &Arguments) -> anyhow::Result<Self> {
        if let Some((address, pin)) = &arguments.relay {
            let pin = pin.parse().map_err(|error| anyhow!("the pin cannot be read: {error}"))?;
            let address = RelayAddress { address: *address, trust: Trust::Pin(pin) };
            return Ok(Self { node: None, address });
        }
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let connections = arguments.clients + arguments.mailboxes + arguments.idle + SPARE_CONNECTIONS;
        let mut environment = vec![
            set("QPQ_RPC_LISTEN", "127.0.0.1:0"),
            set("QPQ_RELAY_REGISTRATION", "open"),
            set("QPQ_METRICS_LISTEN", "127.0.0.1:0"),
            // All clients come from one address.
            set("QPQ_CONNECTIONS_PER_ADDRESS", &connections.to_string()),
        ];
        environment.extend(arguments.mailbox_mib.map(|mib| set("QPQ_RELAY_MAILBOX_MIB", &mib.to_string())));
        let node = Node::start_with("relay", Options { environment, ..Options::default() });
        node.ok(&["role", "relay", "on"]);
        let address = RelayAddress::of(&node)?;
        Ok(Self { node: Some(node), address })
    }

    /// What the kernel and the relay say about its process; nothing if it was not started here.
    pub(crate) fn usage(&self) -> anyhow::Result<Option<Usage>> {
        let Some(node) = &self.node else { return Ok(None) };
        let process = node.process_id();
        let read = |file: &str| {
            let path = format!("/proc/{process}/{file}");
            std::fs::read_to_string(&path).with_context(|| path)
        };
        let field = |text: &str, name: &str| -> anyhow::Result<u64> {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().next());
            Ok(number.with_context(|| format!("nobody tells {name}"))?.parse()?)
        };
        let counted = metrics(node)?;
        Ok(Some(Usage {
            resident_bytes: field(&read("status")?, "VmRSS:")? * 1_024,
            written_bytes: field(&counted, "qpq_store_written_bytes_total ")?,
            syncs: field(&counted, "qpq_store_syncs_total ")?,
            processor_us: processor_us(&read("stat")?)?,
        }))
    }
}

/// What a process uses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// Memory that is its own or shared, bytes.
    pub(crate) resident_bytes: u64,
    /// Bytes that it handed to the files of its store since it began. The kernel's own count is of whole folios of its
    /// cache, which are many times as long as a short write.
    pub(crate) written_bytes: u64,
    /// Times that it forced a file of its store to disk since it began.
    pub(crate) syncs: u64,
    /// Time that processors spent for it since it began, microseconds.
    pub(crate) processor_us: u64,
}

/// The times in and out of the kernel, from the fields behind the program's name in parentheses.
fn processor_us(stat: &str) -> anyhow::Result<u64> {
    let (_, fields) = stat.rsplit_once(')').context("no name in a process's state")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(ticks * TICK_US)
}

/// What the relay counts.
fn metrics(node: &Node) -> anyhow::Result<String> {
    let log = node.log();
    let address = log.split_whitespace().rev().find_map(|word| word.strip_prefix("metrics="));
    let mut stream = TcpStream::connect(address.context("the daemon counts nothing")?)?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

const SPARE_CONNECTIONS: usize = 16;
/// In which Linux tells the times of a process, on every architecture but Alpha.
const TICK_US: u64 = 10_000;
