//! How a certificate is recognised that no authority vouches for.

use std::fmt;

use sha2::{Digest, Sha256};

/// SHA-256 of a server's own certificate, by which a client recognises it. Written as 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin(pub [u8; 32]);

impl Pin {
    /// The pin of a certificate in DER.
    pub(crate) fn of(certificate: &[u8]) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

/// Text is no pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a pin is 64 hexadecimal digits")]
pub struct PinError;

impl std::str::FromStr for Pin {
    type Err = PinError;

    fn from_str(text: &str) -> Result<Self, PinError> {
        let mut pin = [0; 32];
        if text.len() != 2 * pin.len() || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(PinError);
        }
        for (index, byte) in pin.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).map_err(|_| PinError)?;
        }
        Ok(Self(pin))
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_read_as_it_is_written_and_nothing_else_is() {
        let pin = Pin::of(b"a certificate");
        let text = pin.to_string();
        assert_eq!(text.parse(), Ok(pin));
        assert_eq!(text.to_uppercase().parse(), Ok(pin));
        for wrong in ["", "zz", &text[1..], &format!("{text}00"), &format!("+{}", &text[1..]), "é"] {
            assert_eq!(wrong.parse::<Pin>(), Err(PinError), "{wrong:?}");
        }
    }
}
