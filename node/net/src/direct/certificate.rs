//! The certificate of a direct listener.

use std::fmt;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// A chain of certificates, the server's own first, and its private key.
#[derive(Debug)]
pub struct Certificate {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

/// SHA-256 of a server's own certificate, by which a client recognises it. Written as 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin(pub [u8; 32]);

/// Why there is no certificate to show.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The text is no PEM of certificates and a private key.
    #[error("malformed certificate or key: {0}")]
    Malformed(String),
    /// The text holds no certificate.
    #[error("there is no certificate in the file")]
    NoCertificate,
    /// A certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Generate(String),
}

impl Certificate {
    /// Makes a self-signed certificate for these host names and addresses. Returns it with the PEM text to keep, which
    /// contains the private key: clients pin the certificate, so that it must stay the same.
    ///
    /// # Errors
    /// When a name cannot stand in a certificate, or for want of randomness.
    pub fn self_signed(names: Vec<String>) -> Result<(Self, Zeroizing<String>), CertificateError> {
        let certified = rcgen::generate_simple_self_signed(names)
            .map_err(|error| CertificateError::Generate(error.to_string()))?;
        let key = Zeroizing::new(certified.signing_key.serialize_pem());
        let pem = Zeroizing::new(format!("{}{}", certified.cert.pem(), *key));
        Ok((Self::from_pem(pem.as_bytes())?, pem))
    }

    /// Reads a PEM text that holds the chain, the server's own certificate first, and the private key.
    ///
    /// # Errors
    /// When one of them is missing or malformed.
    pub fn from_pem(pem: &[u8]) -> Result<Self, CertificateError> {
        let malformed = |error: rustls::pki_types::pem::Error| CertificateError::Malformed(error.to_string());
        let chain = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(malformed)?;
        if chain.is_empty() {
            return Err(CertificateError::NoCertificate);
        }
        let key = PrivateKeyDer::from_pem_slice(pem).map_err(malformed)?;
        Ok(Self { chain, key })
    }

    /// What a client pins.
    pub fn pin(&self) -> Pin {
        // There is one: both constructors see to it.
        Pin::of(self.chain.first().map_or(&[], AsRef::as_ref))
    }
}

impl Pin {
    /// The pin of a certificate in DER.
    pub(super) fn of(certificate: &[u8]) -> Self {
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
