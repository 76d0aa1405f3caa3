//! A person's devices, listed and signed by the person's identity.
//!
//! The list is the one truth about who speaks for a person: it travels with contacts, as control bundles
//! and through relays. Lists form a chain: each has a sequence number and the hash of the one before.
//! The highest sequence wins; two different lists in one place of the chain are a [fork](Succession::Fork):
//! somebody else holds the identity's key, or an old backup of it was used.
//!
//! ```text
//! version (1) = 1 | identity (32) | sequence (8) | previous (32)
//!   | count (1) | certificates | count (1) | revoked (32 each) | signature (64)
//! ```
//!
//! Numbers are big-endian; certificates are ordered by device, as are revoked devices, each once and none
//! in both, so that one list has one encoding. The signature covers everything before it.

use qpq_proto::limits::DEVICES_PER_IDENTITY_MAX;

use crate::certificate::{CertificateError, DeviceCertificate};
use crate::encoding::{Reader, Truncated};
use crate::identity::IdentityKey;
use crate::ids::{DeviceKey, Identity};
use crate::signature::{Domain, SIGNATURE_BYTES, SignatureError, Verify};

/// Revoked devices that a list names at most. A device that a list does not certify is no longer the
/// person's in any case; who has revoked more leaves the oldest out.
pub const REVOKED_DEVICES_MAX: usize = 64;
/// A person's devices.
///
/// A value was either signed here or decoded with all its signatures verified. The fields are for reading:
/// whoever changes one holds something that [`DeviceList::decode_and_verify`] refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceList {
    /// The person.
    pub identity: Identity,
    /// Place in the chain, from 1.
    pub sequence: u64,
    /// [Hash](DeviceList::hash) of the list before; zeros for the first.
    pub previous: [u8; 32],
    /// Certificates of the devices, 1 to 5, ordered by device key.
    pub certificates: Vec<DeviceCertificate>,
    /// Devices that were the person's and never are again, at most 64, in order.
    pub revoked: Vec<DeviceKey>,
    signature: [u8; SIGNATURE_BYTES],
}

/// How one list stands to another of the same person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Succession {
    /// They are the same list.
    Same,
    /// This one comes later.
    Newer,
    /// This one comes earlier.
    Older,
    /// They do not belong to one chain: an alarm.
    Fork,
}

/// Why something is not a device list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceListError {
    /// The bytes end too early.
    #[error("device list is truncated")]
    Truncated,
    /// Bytes follow the signature.
    #[error("device list is followed by other bytes")]
    TrailingBytes,
    /// Made by a newer version.
    #[error("device list has the unknown version {0}")]
    UnknownVersion(u8),
    /// The first list has sequence 1 and nothing before it; the others have.
    #[error("device list's sequence and previous hash contradict each other")]
    Sequence,
    /// No device, or more than [`DEVICES_PER_IDENTITY_MAX`].
    #[error("device list has {0} devices, not 1 to {DEVICES_PER_IDENTITY_MAX}")]
    DeviceCount(usize),
    /// More than [`REVOKED_DEVICES_MAX`].
    #[error("device list revokes {0} devices, more than {REVOKED_DEVICES_MAX}")]
    RevokedCount(usize),
    /// Devices are not in ascending order, or one is there twice.
    #[error("device list is not in ascending order")]
    Order,
    /// A certificate by another identity.
    #[error("device list holds another identity's certificate")]
    ForeignCertificate,
    /// A device is certified and revoked at once.
    #[error("device list certifies a device that it revokes")]
    RevokedDevice,
    /// A certificate does not hold.
    #[error("device list: {0}")]
    Certificate(#[from] CertificateError),
    /// Not signed by the identity it names.
    #[error("device list is not signed by its identity")]
    Signature,
    /// Two lists of different people were compared.
    #[error("device lists belong to different identities")]
    OtherIdentity,
}

impl From<Truncated> for DeviceListError {
    fn from(_: Truncated) -> Self {
        Self::Truncated
    }
}

impl From<SignatureError> for DeviceListError {
    fn from(_: SignatureError) -> Self {
        Self::Signature
    }
}

impl DeviceList {
    /// Signs a list. Certificates and revoked devices may come in any order.
    ///
    /// # Errors
    /// The first violation, of [`DeviceListError`].
    pub fn sign(
        identity: &IdentityKey,
        sequence: u64,
        previous: [u8; 32],
        mut certificates: Vec<DeviceCertificate>,
        mut revoked: Vec<DeviceKey>,
    ) -> Result<Self, DeviceListError> {
        certificates.sort_unstable_by_key(|certificate| certificate.device);
        revoked.sort_unstable();
        revoked.dedup();
        let signature = [0; SIGNATURE_BYTES];
        let identity_key = identity.public();
        let mut list = Self { identity: identity_key, sequence, previous, certificates, revoked, signature };
        list.check()?;
        list.signature = identity.sign(Domain::DeviceList, &[&list.signed_part()]);
        Ok(list)
    }

    /// Signs the list that follows this one.
    ///
    /// # Errors
    /// The first violation, of [`DeviceListError`].
    pub fn next(
        &self,
        identity: &IdentityKey,
        certificates: Vec<DeviceCertificate>,
        revoked: Vec<DeviceKey>,
    ) -> Result<Self, DeviceListError> {
        if identity.public() != self.identity {
            return Err(DeviceListError::OtherIdentity);
        }
        let sequence = self.sequence.checked_add(1).ok_or(DeviceListError::Sequence)?;
        Self::sign(identity, sequence, self.hash(), certificates, revoked)
    }

    /// BLAKE3 of the signed list.
    pub fn hash(&self) -> [u8; 32] {
        *blake3::hash(&self.encode()).as_bytes()
    }

    /// The certificate of a device, if it is the person's.
    pub fn contains(&self, device: &DeviceKey) -> Option<&DeviceCertificate> {
        let position = self.certificates.binary_search_by_key(device, |certificate| certificate.device);
        position.ok().map(|position| &self.certificates[position])
    }

    /// Whether a device was the person's and never is again.
    pub fn revokes(&self, device: &DeviceKey) -> bool {
        self.revoked.binary_search(device).is_ok()
    }

    /// How this list stands to one that is known already.
    ///
    /// Forks are found between lists of equal and of neighbouring sequence; lists further apart are ordered
    /// by sequence alone.
    ///
    /// # Errors
    /// [`DeviceListError::OtherIdentity`].
    pub fn succeeds(&self, older: &Self) -> Result<Succession, DeviceListError> {
        if self.identity != older.identity {
            return Err(DeviceListError::OtherIdentity);
        }
        Ok(match self.sequence.cmp(&older.sequence) {
            std::cmp::Ordering::Equal if self.hash() == older.hash() => Succession::Same,
            std::cmp::Ordering::Equal => Succession::Fork,
            std::cmp::Ordering::Greater if self.breaks_from(older) => Succession::Fork,
            std::cmp::Ordering::Greater => Succession::Newer,
            std::cmp::Ordering::Less if older.breaks_from(self) => Succession::Fork,
            std::cmp::Ordering::Less => Succession::Older,
        })
    }

    /// The one encoding; see the module for its form.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.signed_part();
        bytes.extend_from_slice(&self.signature);
        bytes
    }

    /// Reads a list and verifies its signature and those of its certificates.
    ///
    /// # Errors
    /// The first violation, of [`DeviceListError`].
    pub fn decode_and_verify(bytes: &[u8]) -> Result<Self, DeviceListError> {
        let mut reader = Reader::new(bytes);
        let version = reader.u8()?;
        if version != VERSION {
            return Err(DeviceListError::UnknownVersion(version));
        }
        let identity = Identity::from_bytes(reader.array()?);
        let sequence = reader.u64()?;
        let previous = reader.array()?;
        let certificates = read_certificates(&mut reader)?;
        let revoked = read_revoked(&mut reader)?;
        let list = Self { identity, sequence, previous, certificates, revoked, signature: reader.array()? };
        if reader.remaining() > 0 {
            return Err(DeviceListError::TrailingBytes);
        }
        list.check()?;
        identity.verify(Domain::DeviceList, &[&list.signed_part()], &list.signature)?;
        Ok(list)
    }

    fn check(&self) -> Result<(), DeviceListError> {
        let is_first = self.sequence == 1;
        if self.sequence == 0 || is_first != (self.previous == [0; 32]) {
            return Err(DeviceListError::Sequence);
        }
        check_device_count(self.certificates.len())?;
        check_revoked_count(self.revoked.len())?;
        let is_ordered = self.certificates.is_sorted_by(|earlier, later| earlier.device < later.device)
            && self.revoked.is_sorted_by(|earlier, later| earlier < later);
        if !is_ordered {
            return Err(DeviceListError::Order);
        }
        if self.certificates.iter().any(|certificate| certificate.identity != self.identity) {
            return Err(DeviceListError::ForeignCertificate);
        }
        if self.certificates.iter().any(|certificate| self.revokes(&certificate.device)) {
            return Err(DeviceListError::RevokedDevice);
        }
        Ok(())
    }

    /// Whether this is the direct successor by number but not by hash.
    fn breaks_from(&self, older: &Self) -> bool {
        older.sequence.checked_add(1) == Some(self.sequence) && self.previous != older.hash()
    }

    fn signed_part(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(self.identity.as_bytes());
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.extend_from_slice(&self.previous);
        bytes.push(count(self.certificates.len()));
        bytes.extend(self.certificates.iter().flat_map(DeviceCertificate::encode));
        bytes.push(count(self.revoked.len()));
        bytes.extend(self.revoked.iter().flat_map(|device| *device.as_bytes()));
        bytes
    }
}

fn read_certificates(reader: &mut Reader<'_>) -> Result<Vec<DeviceCertificate>, DeviceListError> {
    let count = usize::from(reader.u8()?);
    check_device_count(count)?;
    (0..count).map(|_| DeviceCertificate::read(reader).map_err(DeviceListError::from)).collect()
}

fn read_revoked(reader: &mut Reader<'_>) -> Result<Vec<DeviceKey>, DeviceListError> {
    let count = usize::from(reader.u8()?);
    check_revoked_count(count)?;
    (0..count).map(|_| Ok(DeviceKey::from_bytes(reader.array()?))).collect()
}

fn check_device_count(count: usize) -> Result<(), DeviceListError> {
    if (1..=DEVICES_PER_IDENTITY_MAX).contains(&count) {
        Ok(())
    } else {
        Err(DeviceListError::DeviceCount(count))
    }
}

fn check_revoked_count(count: usize) -> Result<(), DeviceListError> {
    if count <= REVOKED_DEVICES_MAX { Ok(()) } else { Err(DeviceListError::RevokedCount(count)) }
}

/// Counts are checked before anything is signed; a value that was tampered with gives bytes that are refused.
fn count(length: usize) -> u8 {
    u8::try_from(length).unwrap_or(u8::MAX)
}

const VERSION: u8 = 1;

#[cfg(test)]
mod tests;
