//! The checks of `qpq doctor` that concern the daemon: its clock, disk, files and network. Each ends in one
//! command that helps.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use qpq_net::PacketRelayState;
use qpq_proto::v1::{Check, HealthItem};

/// What the checks look at.
#[derive(Debug)]
pub(crate) struct Findings {
    /// Unix time in ms as the node sees it.
    pub(crate) wall_ms: u64,
    /// The data directory.
    pub(crate) data_dir: PathBuf,
    /// The key file; none with a passphrase.
    pub(crate) key_file: Option<PathBuf>,
    /// Whether the node connects with other nodes.
    pub(crate) has_peers: bool,
    /// Addresses at which peers can reach the node.
    pub(crate) addresses: Vec<SocketAddr>,
    /// Discovery: what is set, and why it does not work, if it does not.
    pub(crate) discovery: DiscoveryFinding,
    /// How the node stands with the relays for packets that the settings name.
    pub(crate) packet_relays: Vec<PacketRelayState>,
    /// Peers a connection is wanted to, and those of them that are connected.
    pub(crate) peers_wanted: usize,
    /// How many of them are connected.
    pub(crate) peers_connected: usize,
    /// Whether the database was found to be an older copy.
    pub(crate) is_rolled_back: bool,
    /// Whether the relay's log is older than what was signed of it; nothing for a node that is no relay.
    pub(crate) is_log_older: Option<bool>,
}

/// How discovery is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DiscoveryFinding {
    /// Switched off.
    Off,
    /// At work; so many peers are in sight.
    Working {
        /// Peers in sight.
        in_sight: usize,
    },
    /// Switched on, but not possible.
    Unavailable {
        /// Why.
        reason: String,
    },
}

/// Runs every check, in the order in which they are shown.
pub(crate) fn checks(findings: &Findings) -> Vec<Check> {
    let mut checks = vec![check_clock(findings.wall_ms), check_disk(&findings.data_dir)];
    checks.push(check_private("data-directory", &findings.data_dir, "700"));
    if let Some(key_file) = &findings.key_file {
        checks.push(check_private("key-file", key_file, "600"));
    }
    checks.push(check_rollback(findings.is_rolled_back));
    checks.extend(findings.is_log_older.map(check_log));
    if !findings.has_peers {
        checks.push(ok("peers", "the node connects with relays alone, as the settings say"));
        return checks;
    }
    checks.push(check_addresses(&findings.addresses));
    checks.push(check_discovery(&findings.discovery));
    if !findings.packet_relays.is_empty() {
        checks.push(check_packet_relays(&findings.packet_relays));
    }
    checks.push(check_peers(findings.peers_wanted, findings.peers_connected));
    checks
}

/// What a check found wrong, as `qpq status` shows it; nothing if all is well.
pub(crate) fn health_item(check: &Check) -> Option<HealthItem> {
    let severity = match check.outcome.as_str() {
        "fail" => "error",
        "warn" => "warning",
        _ => return None,
    };
    Some(HealthItem {
        code: check.name.clone(),
        title: check.text.clone(),
        text: meaning(&check.name).to_owned(),
        severity: severity.to_owned(),
        fix: check.fix.clone(),
    })
}

/// What it means for the person when a check is not ok.
fn meaning(name: &str) -> &'static str {
    match name {
        "clock" => "Times of messages are wrong until the clock is set; lifetimes go by the node's own time.",
        "disk" => "Messages cannot be stored, and so not accepted, once the disk is full.",
        "data-directory" | "key-file" => "Others on this machine may read what protects your messages.",
        "database" => "The data directory was put back from a copy; groups and contacts are joined anew.",
        "relay-log" => {
            "The relay proves no names, so that it contradicts nothing it has signed; all else goes on."
        }
        "listen" => "Nobody can reach this node; it can only reach others.",
        "discovery" => {
            "Nodes on the local network are not found by themselves; links and static peers still work."
        }
        "packet-relays" => "Peers behind other routers may not be reached, and may not reach this node.",
        "peers" => "What you send waits in the outbox.",
        _ => "",
    }
}

fn ok(name: &str, text: impl Into<String>) -> Check {
    Check { name: name.to_owned(), outcome: "ok".to_owned(), text: text.into(), fix: String::new() }
}

fn warn(name: &str, text: impl Into<String>, fix: impl Into<String>) -> Check {
    Check { name: name.to_owned(), outcome: "warn".to_owned(), text: text.into(), fix: fix.into() }
}

fn fail(name: &str, text: impl Into<String>, fix: impl Into<String>) -> Check {
    Check { name: name.to_owned(), outcome: "fail".to_owned(), text: text.into(), fix: fix.into() }
}

/// A router without a battery boots in 1970; lifetimes then go by the node's own time.
fn check_clock(wall_ms: u64) -> Check {
    if (PLAUSIBLE_FROM_MS..PLAUSIBLE_UNTIL_MS).contains(&wall_ms) {
        return ok("clock", "the system's clock is plausible");
    }
    let year = 1970 + wall_ms / YEAR_MS;
    warn("clock", format!("the system's clock says it is about {year}"), "timedatectl set-ntp true")
}

/// Whether the disk of a directory has room: a check of the daemon that needs no daemon.
pub fn check_disk(data_dir: &Path) -> Check {
    let shown = data_dir.display();
    match rustix::fs::statvfs(data_dir) {
        Err(error) => fail(
            "disk",
            format!("free space of {shown} cannot be found out: {error}"),
            format!("df -h {shown}"),
        ),
        Ok(disk) => {
            let free_mib = disk.f_bavail.saturating_mul(disk.f_frsize) / MIB;
            let text = format!("{free_mib} MiB are free at {shown}");
            if free_mib < FREE_MIB_FAIL {
                fail("disk", text, format!("df -h {shown}"))
            } else if free_mib < FREE_MIB_WARN {
                warn("disk", text, format!("df -h {shown}"))
            } else {
                ok("disk", text)
            }
        }
    }
}

/// A file or directory that its owner alone may enter.
fn check_private(name: &str, path: &Path, mode_wanted: &str) -> Check {
    let shown = path.display();
    match std::fs::metadata(path) {
        Err(error) => fail(name, format!("{shown}: {error}"), format!("ls -ld {shown}")),
        Ok(metadata) => match metadata.permissions().mode() & 0o777 {
            mode if mode & 0o077 == 0 => ok(name, format!("{shown} is closed to others")),
            mode => fail(
                name,
                format!("{shown} is open to others (mode {mode:03o})"),
                format!("chmod {mode_wanted} {shown}"),
            ),
        },
    }
}

fn check_log(is_older: bool) -> Check {
    match is_older {
        false => ok("relay-log", "the relay's log of names contains what was signed of it"),
        true => fail(
            "relay-log",
            "the relay's log of names is older than what was signed of it: put the newest copy of the data \
             directory back, or set relay_domain to a name that the relay never had",
            "qpqd --relay-domain NEW.NAME",
        ),
    }
}

fn check_rollback(is_rolled_back: bool) -> Check {
    if is_rolled_back {
        let text =
            "the database is an older copy: this node goes on as a new device, and messages may be missing";
        return warn("database", text, "qpq backup create");
    }
    ok("database", "the database is the newest one seen")
}

fn check_addresses(addresses: &[SocketAddr]) -> Check {
    if addresses.is_empty() {
        return fail("listen", "the node has no address at which peers could reach it", "ip address show up");
    }
    let listed: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
    ok("listen", format!("peers can reach the node at {}", listed.join(", ")))
}

fn check_discovery(discovery: &DiscoveryFinding) -> Check {
    match discovery {
        DiscoveryFinding::Off => ok("discovery", "switched off by the settings"),
        DiscoveryFinding::Working { in_sight } => {
            ok("discovery", format!("works; peers in sight on the local network: {in_sight}"))
        }
        DiscoveryFinding::Unavailable { reason } => {
            warn("discovery", format!("does not work: {reason}"), "ip link show multicast on")
        }
    }
}

fn check_packet_relays(relays: &[PacketRelayState]) -> Check {
    if let Some(relay) = relays.iter().find(|relay| relay.is_connected) {
        return ok("packet-relays", format!("peers can reach the node through {}", relay.address));
    }
    let problem = |relay: &PacketRelayState| {
        let problem =
            relay.problem.as_deref().unwrap_or("no answer, or not with the certificate that the pin names");
        format!("{}: {problem}", relay.address)
    };
    let problems: Vec<_> = relays.iter().map(problem).collect();
    warn("packet-relays", problems.join("; "), "qpqd --check-config")
}

fn check_peers(wanted: usize, connected: usize) -> Check {
    let text = format!("{connected} of {wanted} peers are connected");
    if wanted > 0 && connected == 0 { warn("peers", text, "qpq status") } else { ok("peers", text) }
}

const MIB: u64 = 1024 * 1024;
const FREE_MIB_FAIL: u64 = 8;
const FREE_MIB_WARN: u64 = 128;
const YEAR_MS: u64 = 31_556_952_000;
/// 2024-01-01 and 2100-01-01.
const PLAUSIBLE_FROM_MS: u64 = 1_704_067_200_000;
const PLAUSIBLE_UNTIL_MS: u64 = 4_102_444_800_000;

#[cfg(test)]
mod tests;
