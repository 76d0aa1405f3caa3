//! Links to relays: where one listens, and by what it is known.
//!
//! ```text
//! qpq://relay/PIN/LOG/PLACE,PLACE           for whoever has an account
//! qpq://relay/PIN/LOG/PLACE,PLACE/TOKEN     with an invitation
//! ```
//!
//! PIN is SHA-256 of the relay's certificate, LOG the key that signs its log of names, TOKEN an invitation: 64
//! hexadecimal digits each. A PLACE is a host name or an IP address (of version 6 in brackets) and a port. Nothing in it
//! means anything to a shell but the brackets. With an invitation a link is a bearer token; without one it is public.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// Most places in a link.
pub const RELAY_PLACES_MAX: usize = 4;
/// Bytes of the longest place.
pub const RELAY_PLACE_BYTES_MAX: usize = 255;

/// A relay, as its users find and know it.
#[derive(Clone, PartialEq, Eq)]
pub struct RelayLink {
    /// SHA-256 of its certificate.
    pub pin: [u8; 32],
    /// The Ed25519 key that signs its log of names.
    pub log_key: [u8; 32],
    /// Where it listens, 1 to [`RELAY_PLACES_MAX`].
    pub places: Vec<RelayPlace>,
    /// An invitation to register, if the link has one; secret.
    pub invitation: Option<[u8; 32]>,
}

/// A host and a port, in the form in which they are written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RelayPlace(String);

/// Why text is not a link to a relay, in words for whoever pasted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RelayLinkError {
    /// It does not start with `qpq://relay/`.
    #[error(
        "not a link to a relay: it does not start with \"qpq://relay/\"; `qpq relay status` prints it there"
    )]
    NotARelayLink,
    /// A part is missing.
    #[error("the link to the relay is cut short: {0} is missing")]
    Missing(&'static str),
    /// A part that must be 64 hexadecimal digits is not.
    #[error("the link to the relay is mistyped: {0} is 64 hexadecimal digits")]
    Digits(&'static str),
    /// A place is not a host and a port.
    #[error("the link to the relay is mistyped: place {0} is not a host, a colon and a port")]
    Place(usize),
    /// Too many places.
    #[error("the link to the relay names {0} places, more than {RELAY_PLACES_MAX}")]
    Places(usize),
    /// There is something behind its end.
    #[error("the link to the relay is followed by something else")]
    TooLong,
}

impl RelayPlace {
    /// The text, such as `relay.example:5001`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RelayPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl From<SocketAddr> for RelayPlace {
    /// Scopes of IPv6 addresses mean nothing elsewhere and are left out.
    fn from(address: SocketAddr) -> Self {
        Self(SocketAddr::new(address.ip(), address.port()).to_string())
    }
}

impl FromStr for RelayPlace {
    type Err = RelayLinkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return if address.port() == 0 { Err(RelayLinkError::Place(1)) } else { Ok(address.into()) };
        }
        let (host, port) = text.rsplit_once(':').ok_or(RelayLinkError::Place(1))?;
        let is_port =
            port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0);
        if !is_port || !is_host_name(host) || text.len() > RELAY_PLACE_BYTES_MAX {
            return Err(RelayLinkError::Place(1));
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

impl fmt::Display for RelayLink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places: Vec<&str> = self.places.iter().map(RelayPlace::as_str).collect();
        write!(formatter, "{SCHEME}{}/{}/{}", Hex(&self.pin), Hex(&self.log_key), places.join(","))?;
        self.invitation.iter().try_for_each(|token| write!(formatter, "/{}", Hex(token)))
    }
}

impl fmt::Debug for RelayLink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let invitation = self.invitation.map(|_| "..");
        let mut shown = formatter.debug_struct("RelayLink");
        shown.field("places", &self.places).field("invitation", &invitation).finish_non_exhaustive()
    }
}

impl FromStr for RelayLink {
    type Err = RelayLinkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let scheme = text.get(..SCHEME.len()).ok_or(RelayLinkError::NotARelayLink)?;
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return Err(RelayLinkError::NotARelayLink);
        }
        let mut parts = text[SCHEME.len()..].trim_end_matches('/').splitn(5, '/');
        let pin = digits("the pin", parts.next())?;
        let log_key = digits("the key of its log", parts.next())?;
        let places = parts.next().filter(|part| !part.is_empty());
        let places = places_in(places.ok_or(RelayLinkError::Missing("where the relay listens"))?)?;
        let invitation = parts.next().map(|token| digits("the invitation", Some(token))).transpose()?;
        match parts.next() {
            Some(_) => Err(RelayLinkError::TooLong),
            None => Ok(Self { pin, log_key, places, invitation }),
        }
    }
}

fn places_in(text: &str) -> Result<Vec<RelayPlace>, RelayLinkError> {
    let count = text.split(',').count();
    if count > RELAY_PLACES_MAX {
        return Err(RelayLinkError::Places(count));
    }
    let places = text.split(',').enumerate();
    places.map(|(index, place)| place.parse().map_err(|_| RelayLinkError::Place(index + 1))).collect()
}

fn digits(what: &'static str, text: Option<&str>) -> Result<[u8; 32], RelayLinkError> {
    let text = text.filter(|text| !text.is_empty()).ok_or(RelayLinkError::Missing(what))?;
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return Err(RelayLinkError::Digits(what)) };
    let bytes: Option<Vec<u8>> =
        pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or(RelayLinkError::Digits(what))
}

fn digit(character: u8) -> Option<u8> {
    char::from(character).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Labels of letters, digits and hyphens (RFC 1123, section 2.1); a name of digits and dots alone would be an address.
fn is_host_name(host: &str) -> bool {
    let is_label = |label: &str| {
        let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(is_fit)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_like_address = host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    host.split('.').all(is_label) && (!is_like_address || host.parse::<Ipv4Addr>().is_ok())
}

/// Bytes in hexadecimal digits.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

pub(crate) const SCHEME: &str = "qpq://relay/";

#[cfg(test)]
mod tests;
