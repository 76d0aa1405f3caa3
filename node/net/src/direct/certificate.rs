//! The certificate of a direct listener.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use crate::Pin;

/// A chain of certificates, the server's own first, and its private key.
#[derive(Debug)]
pub struct Certificate {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

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

impl Clone for Certificate {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key() }
    }
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
