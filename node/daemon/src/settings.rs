//! Settings, each declared once: name, type, default, documentation and whether a running daemon can take
//! up a change.
//!
//! From the declaration below follow the struct, the TOML file with its refusal of unknown keys, the
//! variable `QPQ_<NAME>`, the flag `--<name>` and the commented file that `--print-default-config` prints.
//! Sources in rising precedence: default, file, environment, flag.

mod declare;
mod document;
mod domain;
mod load;
mod usable;
mod value;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use tracing_subscriber::filter::Targets;

use qpq_crypto::relay_link::RelayPlace;
use qpq_net::PacketRelay;

use declare::settings;
pub(crate) use declare::{Effect, Key};
pub use domain::DomainName;
pub use load::{Flags, Loaded, Origin, SettingsError};
pub(crate) use usable::UnusableError;
pub use value::{
    Custody, Discovery, LogFormat, Neighbours, Packets, PeerConnections, Profile, Push, Registration,
    StaticPeer, WorkBits,
};

settings! {
    /// Directory of the database and, unless `socket` names another place, of the owner's socket.
    /// Default: STATE_DIRECTORY of a service, else $XDG_DATA_HOME/qpq, else ~/.local/share/qpq.
    data_dir: Option<PathBuf> = None, Restart, example "/var/lib/qpq";

    /// Socket over which the owner's programs reach the daemon; at most 100 bytes long.
    /// Default: qpqd.sock in the data directory.
    socket: Option<PathBuf> = None, Restart, example "/run/qpq/qpqd.sock";

    /// File with the 32 bytes under which the database is sealed; mode 0600, outside the data directory.
    /// It is made with the database. Whoever has both has everything; without it the data is lost.
    /// Default: `keys/<id of the database>.key` in the directory of this file, or `<id>.key` in the second
    /// directory of a service's STATE_DIRECTORY.
    key_file: Option<PathBuf> = None, Restart, example "/etc/qpq/node.key";

    /// File with a passphrase that seals the database instead of a key file; "-" asks on the terminal.
    /// A service may hand it over as the systemd credential `qpq-passphrase` instead.
    passphrase_file: Option<PathBuf> = None, Restart, example "/run/secrets/qpq-passphrase";

    /// Whether the node connects with other nodes: "on", or "off", only with relays, which then keep all that goes to it and
    /// from it. Without peers it listens for none, finds none and carries nothing.
    peers: PeerConnections = PeerConnections::On, Restart, example "off";

    /// UDP addresses for connections with peers; port 0 lets the system choose.
    listen: Vec<SocketAddr> = vec![
        SocketAddr::from(([0, 0, 0, 0], 0)),
        SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, 0)),
    ], Restart, example "0.0.0.0:4433";

    /// UDP address of the direct listener for programs and light clients (QUIC, ordinary TLS).
    /// Off unless it is set.
    rpc_listen: Option<SocketAddr> = None, Restart, example "127.0.0.1:5001";

    /// Certificate chain of the direct listener, PEM. Default: self-signed, made at the first start.
    rpc_certificate_file: Option<PathBuf> = None, Restart, example "/etc/qpq/certificate.pem";

    /// Private key of that certificate, PEM, mode 0600.
    rpc_certificate_key_file: Option<PathBuf> = None, Restart, example "/etc/qpq/certificate-key.pem";

    /// How the node finds others on the local network: "open" announces it and listens for others
    /// (multicast DNS), "off" does neither.
    discovery: Discovery = Discovery::Open, Live, example "off";

    /// With whom the node exchanges what it carries: "open" also with a few nodes of strangers on the local
    /// network, under a quota of their own; "contacts" only with nodes of contacts and paired nodes.
    neighbours: Neighbours = Neighbours::Open, Restart, example "contacts";

    /// Peers that are always kept connected, as `"<node key in hex>@<address>:<port>"`; several addresses
    /// of one peer are separate entries.
    static_peers: Vec<StaticPeer> = Vec::new(), Live,
        example "2c8f0e4d91b7a35f6c1d8e20b94a7f3365d0c2e1f8a97b4410e3d5c6a7b8f901@192.0.2.7:4433";

    /// Set of limits: "server", or "router" for a device with 64 MB of memory.
    profile: Profile = Profile::Server, Restart, example "router";

    /// Connections that the node takes from one IP address, or one /64 of IPv6, at a time, and fifteen times as many new ones a minute:
    /// more than the profile's where many people share an address. Default: as the profile says.
    connections_per_address: Option<NonZeroUsize> = None, Restart, example "64";

    /// MiB of deliveries that wait in one mailbox of a relay at most, and as many times more of them as this is more than the
    /// profile's. Default: as the profile says.
    relay_mailbox_mib: Option<NonZeroUsize> = None, Restart, example "256";

    /// Where the node keeps what it carries for others: "disk", or "ram", which spares a router's flash. What is in RAM
    /// is lost at a restart, and neighbours are told so. The node's own messages are on disk in any case.
    custody: Custody = Custody::Disk, Restart, example "ram";

    /// Who may register on this node while it has the role relay: "closed", whoever has an invitation
    /// (`qpq relay invite`), "open", everybody who can reach it, or "work", also whoever has its computer work for it.
    relay_registration: Registration = Registration::Closed, Restart, example "open";

    /// How much work that is, in leading zero bits of a hash: 24 is about two seconds on a laptop, and each bit more doubles
    /// it.
    relay_work_bits: Option<WorkBits> = None, Restart, example "26";

    /// Domain of this node as a relay, under which it signs what its log of names is. Whoever knows the log under another
    /// name takes it for another one. Default: it signs under its node key.
    relay_domain: Option<DomainName> = None, Restart, example "relay.example.org";

    /// Where those who use the relay reach it, as `"<host>:<port>"`, four at most: what its link names, for a relay with a
    /// name, or behind a router that forwards a port to it. Default: the addresses of this machine.
    relay_places: Vec<RelayPlace> = Vec::new(), Live, example "relay.example.org:5001";

    /// TCP address at which the node answers `GET /metrics` (Prometheus) and `GET /health` over HTTP; whoever reaches it may
    /// read both. Off unless it is set.
    metrics_listen: Option<SocketAddr> = None, Restart, example "127.0.0.1:9464";

    /// By which UnifiedPush endpoints a relay wakes devices that are not connected: "public", those at addresses of the
    /// public internet; "any", also those on its own network and machine, to which everybody who is registered can then
    /// have it connect; "off", by none.
    relay_push: Push = Push::Public, Restart, example "any";

    /// For whom a relay passes packets on between nodes that cannot reach each other: "registered", for the nodes of those
    /// who have an account; "open", for all; "off", for none.
    relay_packets: Packets = Packets::Registered, Restart, example "open";

    /// Relays that pass packets on between this node and others that use them, where neither can reach the other, as
    /// `"<pin of the certificate>@<host>:<port>"`; the host is a name or an IPv4 address. No other relay is ever used.
    packet_relays: Vec<PacketRelay> = Vec::new(), Live,
        example "2c8f0e4d91b7a35f6c1d8e20b94a7f3365d0c2e1f8a97b4410e3d5c6a7b8f901@relay.example.org:5001";

    /// What is logged: a level (error, warn, info, debug, trace), or targets with levels of their own.
    log: Targets = value::default_log_filter(), Live, example "warn,qpq_net=debug";

    /// How it is logged: "text" or "json", one line an event, on standard error.
    log_format: LogFormat = LogFormat::Text, Restart, example "json";
}

#[cfg(test)]
mod tests;
