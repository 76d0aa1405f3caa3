//! A device certificate: an identity's word that a device and a node are its own.
//!
//! The certificate is the content of the device's MLS credential; every member of a group verifies it.
//! Whether it still holds says the identity's newest [device list](crate::device_list).
//!
//! ```text
//! version (1) = 1 | identity (32) | device (32) | node (32) | issued_at_ms (8) | count (1) | suites (2 each) | signature (64)
//! ```
//!
//! Numbers are big-endian. Suites are in ascending order, each once, so that one certificate has one
//! encoding. The signature covers everything before it.

use qpq_proto::limits::SUITES_PER_DEVICE_MAX;

use crate::encoding::{Reader, Truncated};
use crate::identity::IdentityKey;
use crate::ids::{DeviceKey, Identity, NodeKey};
use crate::signature::{Domain, SIGNATURE_BYTES, SignatureError, Verify};

/// Bytes of the longest certificate.
pub const CERTIFICATE_BYTES_MAX: usize = FIXED_BYTES + 2 * SUITES_PER_DEVICE_MAX + SIGNATURE_BYTES;

/// An identity's word that a device and a node are its own.
///
/// A value was either issued here or decoded with its signature verified. The fields are for reading:
/// whoever changes one holds something that [`DeviceCertificate::decode_and_verify`] refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCertificate {
    /// The person.
    pub identity: Identity,
    /// The device's MLS signature key.
    pub device: DeviceKey,
    /// The node by which the device is reached.
    pub node: NodeKey,
    /// Code points of the MLS cipher suites that the device supports, ascending, 1 to 8.
    pub suites: Vec<u16>,
    /// Unix time in ms by the issuer's clock: for people to read, never to decide by.
    pub issued_at_ms: u64,
    signature: [u8; SIGNATURE_BYTES],
}

/// Why bytes are not a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The bytes end too early.
    #[error("certificate is truncated")]
    Truncated,
    /// Bytes follow the signature.
    #[error("certificate is followed by other bytes")]
    TrailingBytes,
    /// Made by a newer version.
    #[error("certificate has the unknown version {0}")]
    UnknownVersion(u8),
    /// No suite, or more than [`SUITES_PER_DEVICE_MAX`].
    #[error("certificate names {0} cipher suites, not 1 to {max}", max = SUITES_PER_DEVICE_MAX)]
    SuiteCount(usize),
    /// The suites are not in ascending order, or one is there twice.
    #[error("certificate's cipher suites are not in ascending order")]
    SuiteOrder,
    /// Not signed by the identity it names.
    #[error("certificate is not signed by its identity")]
    Signature,
}

impl From<Truncated> for CertificateError {
    fn from(_: Truncated) -> Self {
        Self::Truncated
    }
}

impl From<SignatureError> for CertificateError {
    fn from(_: SignatureError) -> Self {
        Self::Signature
    }
}

impl DeviceCertificate {
    /// Certifies a device and its node. The suites may come in any order.
    ///
    /// # Errors
    /// [`CertificateError::SuiteCount`].
    pub fn issue(
        identity: &IdentityKey,
        device: DeviceKey,
        node: NodeKey,
        suites: &[u16],
        issued_at_ms: u64,
    ) -> Result<Self, CertificateError> {
        let mut suites = suites.to_vec();
        suites.sort_unstable();
        suites.dedup();
        check_suites(&suites)?;
        let signature = [0; SIGNATURE_BYTES];
        let mut certificate =
            Self { identity: identity.public(), device, node, suites, issued_at_ms, signature };
        certificate.signature = identity.sign(Domain::DeviceCertificate, &[&certificate.signed_part()]);
        Ok(certificate)
    }

    /// Whether the device supports a cipher suite, by its code point.
    pub fn supports(&self, suite: u16) -> bool {
        self.suites.contains(&suite)
    }

    /// The one encoding; see the module for its form.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.signed_part();
        bytes.extend_from_slice(&self.signature);
        bytes
    }

    /// Reads a certificate and verifies its identity's signature.
    ///
    /// # Errors
    /// The first violation, of [`CertificateError`].
    pub fn decode_and_verify(bytes: &[u8]) -> Result<Self, CertificateError> {
        let certificate = Self::decode_verified(bytes)?;
        certificate.verify()?;
        Ok(certificate)
    }

    /// Reads a certificate whose signature was verified before.
    pub(crate) fn decode_verified(bytes: &[u8]) -> Result<Self, CertificateError> {
        let mut reader = Reader::new(bytes);
        let certificate = Self::read_unverified(&mut reader)?;
        if reader.remaining() > 0 {
            return Err(CertificateError::TrailingBytes);
        }
        Ok(certificate)
    }

    /// Reads a certificate off the front, and verifies it.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, CertificateError> {
        let certificate = Self::read_unverified(reader)?;
        certificate.verify()?;
        Ok(certificate)
    }

    fn read_unverified(reader: &mut Reader<'_>) -> Result<Self, CertificateError> {
        let version = reader.u8()?;
        if version != VERSION {
            return Err(CertificateError::UnknownVersion(version));
        }
        let identity = Identity::from_bytes(reader.array()?);
        let device = DeviceKey::from_bytes(reader.array()?);
        let node = NodeKey::from_bytes(reader.array()?);
        let issued_at_ms = reader.u64()?;
        let count = usize::from(reader.u8()?);
        if count > SUITES_PER_DEVICE_MAX {
            return Err(CertificateError::SuiteCount(count));
        }
        let suites = (0..count).map(|_| reader.u16()).collect::<Result<Vec<_>, _>>()?;
        check_suites(&suites)?;
        Ok(Self { identity, device, node, suites, issued_at_ms, signature: reader.array()? })
    }

    fn verify(&self) -> Result<(), SignatureError> {
        self.identity.verify(Domain::DeviceCertificate, &[&self.signed_part()], &self.signature)
    }

    fn signed_part(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(CERTIFICATE_BYTES_MAX);
        bytes.push(VERSION);
        bytes.extend_from_slice(self.identity.as_bytes());
        bytes.extend_from_slice(self.device.as_bytes());
        bytes.extend_from_slice(self.node.as_bytes());
        bytes.extend_from_slice(&self.issued_at_ms.to_be_bytes());
        // More than 255 cannot be issued; a value that was tampered with gives bytes that are refused.
        bytes.push(u8::try_from(self.suites.len()).unwrap_or(u8::MAX));
        bytes.extend(self.suites.iter().flat_map(|suite| suite.to_be_bytes()));
        bytes
    }
}

fn check_suites(suites: &[u16]) -> Result<(), CertificateError> {
    if suites.is_empty() || suites.len() > SUITES_PER_DEVICE_MAX {
        return Err(CertificateError::SuiteCount(suites.len()));
    }
    if !suites.is_sorted_by(|earlier, later| earlier < later) {
        return Err(CertificateError::SuiteOrder);
    }
    Ok(())
}

const VERSION: u8 = 1;
const FIXED_BYTES: usize = 1 + 32 + 32 + 32 + 8 + 1;

#[cfg(test)]
mod tests;
