//! Keys and ids as types, so that one cannot be taken for another.
//!
//! On the wire all of them are `bytes`; a handler turns a field into its type at once, and a wrong length becomes a
//! `BadRequest` that names the field:
//!
//! ```
//! # use qpq_proto::{Failure, ids::{Identity, LengthError}};
//! # fn handler(mailbox: &[u8]) -> Result<(), Failure> {
//! let identity = Identity::try_from(mailbox).map_err(|error| error.in_field("mailbox"))?;
//! # Ok(()) }
//! # assert_eq!(handler(&[0; 31]).unwrap_err().field, "mailbox");
//! ```

use std::fmt;
use std::str::FromStr;

use crate::failure::Failure;

/// Declares a fixed-size public value that is written as hexadecimal digits.
macro_rules! fixed_bytes {
    ($(#[$documentation:meta])* $name:ident, $length:literal, $format:path) => {
        $(#[$documentation])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $length]);

        impl $name {
            /// Length in bytes.
            pub const LENGTH_BYTES: usize = $length;

            /// From its bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; $length]) -> Self {
                Self(bytes)
            }

            /// Its bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }

            /// Its bytes, for a field of a message.
            #[must_use]
            pub fn to_vec(&self) -> Vec<u8> {
                self.0.to_vec()
            }
        }

        impl From<[u8; $length]> for $name {
            fn from(bytes: [u8; $length]) -> Self {
                Self(bytes)
            }
        }

        impl From<$name> for [u8; $length] {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = LengthError;

            fn try_from(bytes: &[u8]) -> Result<Self, LengthError> {
                let wrong = LengthError { expected_bytes: $length, actual_bytes: bytes.len() };
                bytes.try_into().map(Self).map_err(|_| wrong)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            /// Reads hexadecimal digits of either case; hyphens are skipped.
            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                parse_hexadecimal(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                $format(&self.0, formatter)
            }
        }

        /// The first four bytes: enough to tell values apart in a log.
        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{}(", stringify!($name))?;
                write_hexadecimal(&self.0[..4], formatter)?;
                formatter.write_str("..)")
            }
        }
    };
}

fixed_bytes!(
    /// A person: its Ed25519 public key.
    Identity, 32, write_hexadecimal
);
fixed_bytes!(
    /// An install: its Ed25519 public key, which is also iroh's endpoint id. Never a person's identity.
    NodeKey, 32, write_hexadecimal
);
fixed_bytes!(
    /// A device: the Ed25519 public key of its MLS leaf.
    DeviceKey, 32, write_hexadecimal
);
fixed_bytes!(
    /// A relay's transparency log: the Ed25519 public key that signs its tree heads.
    LogKey, 32, write_hexadecimal
);
fixed_bytes!(
    /// A message as the application counts it: a UUIDv7 (RFC 9562), written with hyphens.
    MessageId, 16, write_uuid
);
fixed_bytes!(
    /// A channel of a relay.
    ChannelId, 16, write_hexadecimal
);
fixed_bytes!(
    /// A delivery: the first 16 bytes of the BLAKE3 hash of its payload.
    DeliveryId, 16, write_hexadecimal
);

impl MessageId {
    /// A UUIDv7 (RFC 9562, 5.7) of a Unix time in ms, of which 48 bits are kept, and of random bytes, of which 74 bits
    /// are kept.
    #[must_use]
    pub fn from_parts(unix_time_ms: u64, random: [u8; 10]) -> Self {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&unix_time_ms.to_be_bytes()[2..]);
        bytes[6..].copy_from_slice(&random);
        bytes[6] = (bytes[6] & 0x0f) | 0x70;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(bytes)
    }

    /// Whether it has the version and variant of a UUIDv7.
    #[must_use]
    pub const fn is_uuid_v7(&self) -> bool {
        self.0[6] >> 4 == 7 && self.0[8] >> 6 == 0b10
    }

    /// The Unix time in ms that a UUIDv7 carries: its author's claim.
    #[must_use]
    pub fn unix_time_ms(&self) -> u64 {
        self.0[..6].iter().fold(0, |time, byte| time << 8 | u64::from(*byte))
    }
}

/// Bytes are not as many as the type has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{actual_bytes} bytes instead of {expected_bytes}")]
pub struct LengthError {
    /// How many the type has.
    pub expected_bytes: usize,
    /// How many there were.
    pub actual_bytes: usize,
}

impl LengthError {
    /// The answer to a request whose field this was.
    #[must_use]
    pub fn in_field(self, field: impl Into<String>) -> Failure {
        Failure::bad_request(field, self.to_string())
    }
}

/// Text is no such key or id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseIdError {
    /// It has too few or too many digits.
    #[error("{actual} digits instead of {expected}")]
    Length {
        /// How many digits the type has.
        expected: usize,
        /// How many there were; counting stops at the first that is too many.
        actual: usize,
    },
    /// It holds something other than hexadecimal digits and hyphens.
    #[error("{0:?} is no hexadecimal digit")]
    Digit(char),
}

fn parse_hexadecimal<const LENGTH: usize>(text: &str) -> Result<[u8; LENGTH], ParseIdError> {
    let mut bytes = [0; LENGTH];
    let mut count = 0;
    for character in text.chars().filter(|character| *character != '-') {
        let digit = character.to_digit(16).ok_or(ParseIdError::Digit(character))?;
        let Some(byte) = bytes.get_mut(count / 2) else {
            return Err(ParseIdError::Length { expected: 2 * LENGTH, actual: count + 1 });
        };
        *byte = *byte << 4 | u8::try_from(digit).expect("a hexadecimal digit is below 16");
        count += 1;
    }
    if count == 2 * LENGTH {
        Ok(bytes)
    } else {
        Err(ParseIdError::Length { expected: 2 * LENGTH, actual: count })
    }
}

fn write_hexadecimal(bytes: &[u8], formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
}

fn write_uuid(bytes: &[u8; 16], formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            formatter.write_str("-")?;
        }
        write!(formatter, "{byte:02x}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_shown_as_people_know_them() {
        let bytes =
            [0x01, 0x8f, 0xab, 0xcd, 0xef, 0x01, 0x72, 0x34, 0x95, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23];
        assert_eq!(MessageId::from_bytes(bytes).to_string(), "018fabcd-ef01-7234-9567-89abcdef0123");
        assert_eq!(ChannelId::from_bytes(bytes).to_string(), "018fabcdef017234956789abcdef0123");
        assert_eq!(format!("{:?}", ChannelId::from_bytes(bytes)), "ChannelId(018fabcd..)");
        assert_eq!(NodeKey::from_bytes([0xff; 32]).to_string(), "f".repeat(64));
    }

    #[test]
    fn a_wrong_length_names_the_field() {
        for length in [0, 1, 31, 33, 64] {
            let error = Identity::try_from(vec![0; length].as_slice()).unwrap_err();
            assert_eq!(error, LengthError { expected_bytes: 32, actual_bytes: length });
            let failure = error.in_field("identity_key");
            assert_eq!(failure.status, crate::Status::BadRequest);
            assert_eq!(failure.field, "identity_key");
            assert_eq!(failure.message, format!("{length} bytes instead of 32"));
        }
    }

    #[test]
    fn text_that_is_no_id_is_refused() {
        let rows = [
            ("", ParseIdError::Length { expected: 32, actual: 0 }),
            ("018fabcd", ParseIdError::Length { expected: 32, actual: 8 }),
            (&"0".repeat(31), ParseIdError::Length { expected: 32, actual: 31 }),
            (&"0".repeat(1_000), ParseIdError::Length { expected: 32, actual: 33 }),
            ("0g", ParseIdError::Digit('g')),
            ("\u{661}", ParseIdError::Digit('\u{661}')),
        ];
        for (text, expected) in rows {
            assert_eq!(text.parse::<MessageId>(), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn a_message_id_carries_its_time() {
        let id = MessageId::from_parts(0x018f_abcd_ef01, [0xff; 10]);
        assert_eq!(id.to_string(), "018fabcd-ef01-7fff-bfff-ffffffffffff");
        assert!(id.is_uuid_v7());
        assert_eq!(id.unix_time_ms(), 0x018f_abcd_ef01);
        assert!(!MessageId::from_bytes([0; 16]).is_uuid_v7());
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_again(bytes: [u8; 32], short: [u8; 16]) {
            let identity = Identity::from_bytes(bytes);
            prop_assert_eq!(identity.to_string().parse(), Ok(identity));
            prop_assert_eq!(identity.to_string().to_uppercase().parse(), Ok(identity));
            let message = MessageId::from_bytes(short);
            prop_assert_eq!(message.to_string().parse(), Ok(message));
            prop_assert_eq!(Identity::try_from(identity.as_ref()), Ok(identity));
        }

        #[test]
        fn later_message_ids_sort_later(time in 0..1_u64 << 48, later in 0..1_u64 << 48, a: [u8; 10], b: [u8; 10]) {
            prop_assume!(time < later);
            let first = MessageId::from_parts(time, a);
            prop_assert!(first < MessageId::from_parts(later, b));
            prop_assert_eq!((first.is_uuid_v7(), first.unix_time_ms()), (true, time));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,80}") {
            let _ = text.parse::<DeviceKey>();
            let _ = text.parse::<DeliveryId>();
        }
    }
}
