//! Public keys as distinct types, so that none is taken for another.

use std::fmt;

/// A key of another length than 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a public key has 32 bytes, this has {0}")]
pub struct KeyLengthError(pub usize);

macro_rules! public_key {
    ($(#[$documentation:meta])* $name:ident) => {
        $(#[$documentation])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Takes the bytes as they are; whether they are a point of the curve shows when one verifies.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The bytes of the key.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = KeyLengthError;

            fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
                bytes.try_into().map(Self).map_err(|_| KeyLengthError(bytes.len()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

public_key!(
    /// A person: the Ed25519 key that signs the list of the person's devices.
    Identity
);
public_key!(
    /// A device: the Ed25519 key with which it signs in MLS.
    DeviceKey
);
public_key!(
    /// A node: the Ed25519 key by which it is dialled. Never a person's identity.
    NodeKey
);
