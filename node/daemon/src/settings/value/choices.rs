//! Settings that are a choice between words.

use std::fmt;
use std::str::FromStr;

use super::Item;

/// A choice between words.
macro_rules! choice {
    ($(#[doc = $about:literal])+ $kind:ident, $expected:literal:
     $($(#[doc = $documentation:literal])+ $variant:ident = $word:literal),+) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $kind {
            $($(#[doc = $documentation])+ $variant,)+
        }

        impl FromStr for $kind {
            type Err = ();

            fn from_str(text: &str) -> Result<Self, ()> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(()),
                }
            }
        }

        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $word,)+ })
            }
        }

        impl Item for $kind {
            const EXPECTED: &'static str = $expected;
        }
    };
}

choice! {
    /// Whether a node connects with others.
    PeerConnections, "\"on\" or \"off\"":
    /// It does.
    On = "on",
    /// With relays alone.
    Off = "off"
}

choice! {
    /// How a node finds others on the local network.
    Discovery, "\"open\" or \"off\"":
    /// It announces itself and listens for others.
    Open = "open",
    /// It does neither.
    Off = "off"
}

choice! {
    /// Which nodes on the local network are sought as neighbours that carry for each other.
    Neighbours, "\"open\" or \"contacts\"":
    /// Whoever's they are.
    Open = "open",
    /// Those of contacts, and those that are paired.
    Contacts = "contacts"
}

choice! {
    /// Who may register on a relay.
    Registration, "\"closed\", \"open\" or \"work\"":
    /// Whoever has an invitation.
    Closed = "closed",
    /// Everybody.
    Open = "open",
    /// Whoever has done some work for it.
    Work = "work"
}

choice! {
    /// By which endpoints a relay wakes devices.
    Push, "\"public\", \"any\" or \"off\"":
    /// Those on the public internet.
    Public = "public",
    /// Those on its own network too.
    Any = "any",
    /// None.
    Off = "off"
}

choice! {
    /// For whom a relay passes packets on.
    Packets, "\"registered\", \"open\" or \"off\"":
    /// Nodes of those who have an account.
    Registered = "registered",
    /// All nodes.
    Open = "open",
    /// Nobody.
    Off = "off"
}

choice! {
    /// The set of limits a node keeps.
    Profile, "\"server\" or \"router\"":
    /// For a computer.
    Server = "server",
    /// For a device with 64 MB of memory.
    Router = "router"
}

choice! {
    /// Where a node keeps what it carries for others.
    Custody, "\"disk\" or \"ram\"":
    /// In the database.
    Disk = "disk",
    /// In memory, until the next restart.
    Ram = "ram"
}

choice! {
    /// How events are logged.
    LogFormat, "\"text\" or \"json\"":
    /// For people.
    Text = "text",
    /// For programs.
    Json = "json"
}
