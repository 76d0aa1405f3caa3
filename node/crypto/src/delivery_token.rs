//! Tokens with which contacts leave deliveries in a mailbox at a relay, each of them once.
//!
//! They are derived, so that the mailbox's owner keeps one secret and a counter instead of each token:
//! HMAC-SHA256(secret, label | counter (8 bytes, big-endian)). Without the secret none follows from another.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::digest::sha256;

/// Bytes of a token, and of its hash.
pub const DELIVERY_TOKEN_BYTES: usize = 32;

/// What the tokens of one mailbox are derived from.
pub struct DeliveryTokens(Zeroizing<[u8; 32]>);

impl DeliveryTokens {
    /// From a mailbox's secret.
    pub fn new(secret: Zeroizing<[u8; 32]>) -> Self {
        Self(secret)
    }

    /// The token of a number.
    pub fn token(&self, counter: u64) -> [u8; DELIVERY_TOKEN_BYTES] {
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(self.0.as_slice());
        let mut mac = mac.expect("HMAC takes keys of every length");
        mac.update(LABEL);
        mac.update(&counter.to_be_bytes());
        mac.finalize().into_bytes().into()
    }

    /// What the relay is given of a token: SHA-256 of it.
    pub fn hash(&self, counter: u64) -> [u8; DELIVERY_TOKEN_BYTES] {
        sha256(&[&self.token(counter)])
    }
}

impl fmt::Debug for DeliveryTokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("DeliveryTokens(..)")
    }
}

const LABEL: &[u8] = b"qpq/v1/delivery-token";

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(secret: u8) -> DeliveryTokens {
        DeliveryTokens::new(Zeroizing::new([secret; 32]))
    }

    #[test]
    fn tokens_follow_from_secret_and_counter_alone() {
        assert_eq!(tokens(1).token(7), tokens(1).token(7));
        assert_ne!(tokens(1).token(7), tokens(1).token(8));
        assert_ne!(tokens(1).token(7), tokens(2).token(7));
        assert_eq!(tokens(1).hash(7), sha256(&[&tokens(1).token(7)]));
    }

    #[test]
    fn the_secret_is_not_shown() {
        assert_eq!(format!("{:?}", tokens(1)), "DeliveryTokens(..)");
    }
}
