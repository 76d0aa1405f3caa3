//! Values of settings: how each type is read from text and written back.

mod choices;

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use qpq_crypto::relay_link::RelayPlace;
use qpq_net::PacketRelay;
use qpq_proto::ids::NodeKey;
use tracing_subscriber::filter::{LevelFilter, Targets};

pub use choices::{
    Custody, Discovery, LogFormat, Neighbours, Packets, PeerConnections, Profile, Push, Registration,
};

/// A value as a source has it, before its setting's type reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Raw {
    /// A string in the file.
    One(String),
    /// A list of strings in the file.
    Many(Vec<String>),
    /// A variable or a flag, where commas separate the entries of a list and nothing means "not set".
    Text(String),
}

/// Why a value does not fit its setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// There is no such setting.
    UnknownKey,
    /// The value cannot be read.
    Value {
        /// The value found.
        found: String,
        /// What would do.
        expected: &'static str,
    },
}

/// A type a setting can have.
pub(crate) trait Value: Sized {
    /// Reads the value.
    fn read(raw: &Raw) -> Result<Self, Unfit>;
    /// Writes it as the file would have it; nothing where it is not set.
    fn write(&self) -> Option<Raw>;
}

/// One entry, read from text.
pub(crate) trait Item: FromStr + fmt::Display {
    /// What the text must be, for error messages.
    const EXPECTED: &'static str;

    /// Reads the entry.
    fn item(text: &str) -> Result<Self, Unfit> {
        let unfit = |_| Unfit::Value { found: text.to_owned(), expected: Self::EXPECTED };
        text.trim().parse().map_err(unfit)
    }
}

impl<T: Item> Value for Option<T> {
    fn read(raw: &Raw) -> Result<Self, Unfit> {
        match raw {
            Raw::Text(text) if text.is_empty() => Ok(None),
            Raw::One(text) | Raw::Text(text) => T::item(text).map(Some),
            Raw::Many(_) => Err(Unfit::Value { found: "a list".to_owned(), expected: T::EXPECTED }),
        }
    }

    fn write(&self) -> Option<Raw> {
        self.as_ref().map(|item| Raw::One(item.to_string()))
    }
}

impl<T: Item> Value for Vec<T> {
    fn read(raw: &Raw) -> Result<Self, Unfit> {
        match raw {
            Raw::One(text) => Ok(vec![T::item(text)?]),
            Raw::Many(entries) => entries.iter().map(|entry| T::item(entry)).collect(),
            Raw::Text(text) => {
                text.split(',').filter(|entry| !entry.trim().is_empty()).map(T::item).collect()
            }
        }
    }

    fn write(&self) -> Option<Raw> {
        Some(Raw::Many(self.iter().map(T::to_string).collect()))
    }
}

/// A setting that always has one value of a type.
macro_rules! single_value {
    ($($kind:ty),+) => { $(
        impl Value for $kind {
            fn read(raw: &Raw) -> Result<Self, Unfit> {
                let unfit = |found: &str| Unfit::Value { found: found.to_owned(), expected: Self::EXPECTED };
                Option::<Self>::read(raw)?.ok_or_else(|| unfit("nothing"))
            }

            fn write(&self) -> Option<Raw> {
                Some(Raw::One(self.to_string()))
            }
        }
    )+ };
}
single_value!(
    PeerConnections,
    Discovery,
    Neighbours,
    Profile,
    Custody,
    Registration,
    Push,
    Packets,
    LogFormat,
    Targets
);

/// A peer that is always kept connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticPeer {
    /// Its node key.
    pub node: NodeKey,
    /// Where it listens.
    pub address: SocketAddr,
}

impl FromStr for StaticPeer {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (node, address) = text.split_once('@').ok_or(())?;
        Ok(Self { node: node.parse().map_err(|_| ())?, address: address.parse().map_err(|_| ())? })
    }
}

impl fmt::Display for StaticPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.node, self.address)
    }
}

impl Item for StaticPeer {
    const EXPECTED: &'static str = "64 hex digits of the node key, an @, and address:port";
}

impl Item for PacketRelay {
    const EXPECTED: &'static str = "64 hex digits of the certificate's pin, an @, and host:port";
}

impl Item for RelayPlace {
    const EXPECTED: &'static str = "host:port, such as relay.example.org:5001 or [2001:db8::1]:5001";
}

impl Item for NonZeroUsize {
    const EXPECTED: &'static str = "a number from 1 on";
}

/// Leading zero bits of the work that a registration takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkBits(pub u8);

impl FromStr for WorkBits {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let bits = text.parse().map_err(|_| ())?;
        if (1..=30).contains(&bits) { Ok(Self(bits)) } else { Err(()) }
    }
}

impl fmt::Display for WorkBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Item for WorkBits {
    const EXPECTED: &'static str = "a number from 1 to 30";
}

impl Item for SocketAddr {
    const EXPECTED: &'static str = "address:port, such as 127.0.0.1:4433 or [::1]:4433";
}

impl Item for Targets {
    const EXPECTED: &'static str = "a level, or target=level separated by commas";

    /// A bare word must be a level: the parser would take a misspelt one for a target, and nothing for "error".
    fn item(text: &str) -> Result<Self, Unfit> {
        let is_level = |part: &str| !part.trim().is_empty() && part.trim().parse::<LevelFilter>().is_ok();
        let is_understood = |part: &str| match part.rsplit_once('=') {
            Some((target, level)) => !target.trim().is_empty() && is_level(level),
            None => is_level(part),
        };
        let parsed = text.split(',').all(is_understood).then(|| text.parse().ok()).flatten();
        parsed.ok_or_else(|| Unfit::Value { found: text.to_owned(), expected: Self::EXPECTED })
    }
}

/// A path is an entry like any other, only that it does not implement `Display` itself.
#[derive(Debug)]
pub(crate) struct PathItem(PathBuf);

impl FromStr for PathItem {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text.is_empty() { Err(()) } else { Ok(Self(PathBuf::from(text))) }
    }
}

impl fmt::Display for PathItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

impl Item for PathItem {
    const EXPECTED: &'static str = "a path";
}

impl Value for Option<PathBuf> {
    fn read(raw: &Raw) -> Result<Self, Unfit> {
        Ok(Option::<PathItem>::read(raw)?.map(|item| item.0))
    }

    fn write(&self) -> Option<Raw> {
        self.clone().map(PathItem).write()
    }
}

/// Our own crates' news, others' errors only: they name addresses and keys in their warnings.
pub(crate) fn default_log_filter() -> Targets {
    let ours = ["qpqd", "qpq_engine", "qpq_net", "qpq_store", "qpq_crypto"];
    Targets::new()
        .with_default(LevelFilter::ERROR)
        .with_targets(ours.map(|target| (target, LevelFilter::INFO)))
        // It calls what strangers send it errors.
        .with_target("iroh_relay", LevelFilter::OFF)
}
