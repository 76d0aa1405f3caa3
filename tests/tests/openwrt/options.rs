//! The options of /etc/config/qpq: what the service declares, and values to try.

use crate::text;

/// Options of the service itself, which are no settings of the daemon.
pub(crate) const OF_THE_SERVICE: [&str; 4] = ["enabled", "interface", "port", "mount_point"];

/// An option as the service's validation declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Declared {
    /// Its name.
    pub(crate) name: String,
    /// Its type, in the words of OpenWrt's validate_data.
    pub(crate) kind: String,
    /// What it is if it is not set; empty for nothing.
    pub(crate) default: String,
}

impl Declared {
    /// Whether it has several values.
    pub(crate) fn is_list(&self) -> bool {
        self.kind.starts_with("list(")
    }

    /// The words between which it is a choice; none for another type.
    pub(crate) fn words(&self) -> Vec<&str> {
        let Some(words) = self.kind.strip_prefix("or(") else { return Vec::new() };
        words.trim_end_matches(')').split(',').map(|word| word.trim_matches('"')).collect()
    }
}

/// Every option, in the order of the service's declaration.
pub(crate) fn declared() -> Vec<Declared> {
    let script = text("openwrt/qpq/files/qpq.init");
    let (_, rest) = script.split_once("uci_load_validate qpq").unwrap();
    let (list, _) = rest.split_once("\n}").unwrap();
    let quoted = list.split('\'').skip(1).step_by(2);
    quoted
        .map(|declaration| {
            let mut parts = declaration.splitn(3, ':').map(str::to_owned);
            let (name, kind) = (parts.next().unwrap(), parts.next().unwrap());
            Declared { name, kind, default: parts.next().unwrap_or_default() }
        })
        .collect()
}

/// Two different values that each option of the daemon can have. An entry of a list stands for the whole of it.
pub(crate) const VALUES: [(&str, [&str; 2]); 13] = [
    ("listen", ["192.168.1.1:4444", "[::1]:4445"]),
    ("data_dir", ["/etc/qpq/data", "/srv/usb/node"]),
    ("key_file", ["/etc/qpq/secret/node.key", "/srv/key/node.key"]),
    ("custody", ["ram", "disk"]),
    ("profile", ["router", "server"]),
    ("peers", ["on", "off"]),
    ("discovery", ["open", "off"]),
    ("neighbours", ["open", "contacts"]),
    (
        "static_peers",
        [
            "2c8f0e4d91b7a35f6c1d8e20b94a7f3365d0c2e1f8a97b4410e3d5c6a7b8f901@192.0.2.7:4433",
            "2c8f0e4d91b7a35f6c1d8e20b94a7f3365d0c2e1f8a97b4410e3d5c6a7b8f901@[2001:db8::7]:4433",
        ],
    ),
    (
        "packet_relays",
        [
            "2c8f0e4d91b7a35f6c1d8e20b94a7f3365d0c2e1f8a97b4410e3d5c6a7b8f901@relay.example.org:5001",
            "2c8f0e4d91b7a35f6c1d8e20b94a7f3365d0c2e1f8a97b4410e3d5c6a7b8f901@192.0.2.8:5001",
        ],
    ),
    ("connections_per_address", ["64", "1"]),
    ("log", ["qpq_net=debug,warn", "error"]),
    ("log_format", ["text", "json"]),
];

/// A section `node` with these options. An option that stands there several times is a list.
pub(crate) fn section(options: &[(&str, &[u8])]) -> Vec<u8> {
    let mut text = b"config qpq 'node'\n".to_vec();
    for (name, value) in options {
        let is_list = LISTS.contains(name);
        text.extend(if is_list { b"\tlist ".as_slice() } else { b"\toption " });
        text.extend(name.bytes().chain(*b" '"));
        // As `uci export` does.
        for byte in *value {
            text.extend(if *byte == b'\'' { b"'\\''".as_slice() } else { std::slice::from_ref(byte) });
        }
        text.extend(b"'\n");
    }
    text
}

const LISTS: [&str; 3] = ["listen", "static_peers", "packet_relays"];
