//! The mailbox that a link names: where the request may be left while the node that answers is not reached.

use std::fmt;

use super::LinkError;
use crate::encoding::Reader;
use crate::relay_link::{RELAY_PLACE_BYTES_MAX, RELAY_PLACES_MAX, RelayPlace};

/// Deliveries that may be left with one link: the request, and what is said until the answer brings further tokens.
pub const LINK_DELIVERY_TOKENS: u64 = 8;

/// A mailbox at a relay, with the secret from which its link's tokens follow.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkMailbox {
    /// SHA-256 of the relay's certificate.
    pub pin: [u8; 32],
    /// The mailbox's id.
    pub mailbox: [u8; 32],
    /// What the link's delivery tokens are derived from; secret as the link is.
    pub secret: [u8; 32],
    /// Where the relay listens, 1 to [`RELAY_PLACES_MAX`].
    pub places: Vec<RelayPlace>,
}

impl LinkMailbox {
    /// Appends it. Places beyond [`RELAY_PLACES_MAX`] are left out.
    pub(super) fn put(&self, bytes: &mut Vec<u8>) {
        for part in [&self.pin, &self.mailbox, &self.secret] {
            bytes.extend_from_slice(part);
        }
        let places = &self.places[..self.places.len().min(RELAY_PLACES_MAX)];
        bytes.push(u8::try_from(places.len()).unwrap_or(u8::MAX));
        for place in places {
            let place = place.as_str().as_bytes();
            bytes.push(u8::try_from(place.len()).unwrap_or(u8::MAX));
            bytes.extend_from_slice(place);
        }
    }

    /// Reads it back.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, LinkError> {
        let (pin, mailbox, secret) = (reader.array()?, reader.array()?, reader.array()?);
        let count = usize::from(reader.u8()?);
        if !(1..=RELAY_PLACES_MAX).contains(&count) {
            return Err(LinkError::Places);
        }
        let places = (0..count).map(|_| read_place(reader)).collect::<Result<_, _>>()?;
        Ok(Self { pin, mailbox, secret, places })
    }
}

fn read_place(reader: &mut Reader<'_>) -> Result<RelayPlace, LinkError> {
    let length = usize::from(reader.u8()?);
    let text = std::str::from_utf8(reader.bytes(length)?).map_err(|_| LinkError::Places)?;
    let place: RelayPlace = text.parse().map_err(|_| LinkError::Places)?;
    // One place has one encoding.
    if place.as_str() == text { Ok(place) } else { Err(LinkError::Places) }
}

/// A place's length fits into one byte.
const _: () = assert!(RELAY_PLACE_BYTES_MAX <= 255);

/// Id and secret are left out: whoever has them was invited.
impl fmt::Debug for LinkMailbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LinkMailbox").field("places", &self.places).finish_non_exhaustive()
    }
}
