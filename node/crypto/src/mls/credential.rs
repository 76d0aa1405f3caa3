//! The credential of a leaf: a device certificate, verified wherever a leaf comes from.

use openmls::prelude::{
    BasicCredential, Credential, CredentialType, CredentialWithKey, KeyPackage, LeafNode, SignaturePublicKey,
};

use super::suite::Suite;
use crate::certificate::{CertificateError, DeviceCertificate};
use crate::identity::DeviceSecret;

/// Why a leaf is not the leaf of a device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// Another type than basic (RFC 9420, section 5.3).
    #[error("credential is not of the basic type")]
    Type,
    /// The content is not a valid certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The leaf signs with another key than the certified one.
    #[error("leaf signs with another key than its certificate's")]
    SignatureKey,
    /// The certificate does not name the group's suite, by its code point.
    #[error("certificate does not name cipher suite {0:#06x}")]
    SuiteNotNamed(u16),
    /// The committer's new leaf carries another credential than the one before.
    #[error("credential was changed on an update path")]
    Changed,
    /// The leaf has extensions, or a lifetime that would make clocks matter.
    #[error("leaf has extensions or a limited lifetime")]
    LeafForm,
}

/// The credential and signature key of our own leaves in groups with this suite.
pub(super) fn own(
    device: &DeviceSecret,
    certificate: &DeviceCertificate,
    suite: Suite,
) -> Result<CredentialWithKey, CredentialError> {
    if device.public() != certificate.device {
        return Err(CredentialError::SignatureKey);
    }
    check_suite(certificate, suite)?;
    Ok(CredentialWithKey {
        credential: BasicCredential::new(certificate.encode()).into(),
        signature_key: SignaturePublicKey::from(certificate.device.as_bytes().as_slice()),
    })
}

/// Verifies the credential of any leaf of a group with this suite.
pub(super) fn verify(
    credential: &Credential,
    signature_key: &[u8],
    suite: Suite,
) -> Result<DeviceCertificate, CredentialError> {
    let certificate = verify_certificate(credential)?;
    if certificate.device.as_bytes() != signature_key {
        return Err(CredentialError::SignatureKey);
    }
    check_suite(&certificate, suite)?;
    Ok(certificate)
}

/// Verifies the certificate in a credential whose leaf was verified before.
pub(super) fn verify_certificate(credential: &Credential) -> Result<DeviceCertificate, CredentialError> {
    Ok(DeviceCertificate::decode_and_verify(content(credential)?)?)
}

/// Reads the certificate in a credential that comes from our own storage. It was verified before it was stored,
/// and storage is authenticated; to verify a thousand again would take longer than all else of loading a group.
pub(super) fn stored(credential: &Credential) -> Result<DeviceCertificate, CredentialError> {
    Ok(DeviceCertificate::decode_verified(content(credential)?)?)
}

fn content(credential: &Credential) -> Result<&[u8], CredentialError> {
    match credential.credential_type() {
        CredentialType::Basic => Ok(credential.serialized_content()),
        _ => Err(CredentialError::Type),
    }
}

/// Verifies the leaf of a key package, which must never expire: openmls compares lifetimes with the system
/// clock, so a narrower one would let members with wrong clocks fork the group.
pub(super) fn verify_new_leaf(
    package: &KeyPackage,
    suite: Suite,
) -> Result<DeviceCertificate, CredentialError> {
    let lifetime = package.life_time();
    let leaf = package.leaf_node();
    if lifetime.not_before() != 0 || lifetime.not_after() != u64::MAX || has_extensions(leaf) {
        return Err(CredentialError::LeafForm);
    }
    verify(leaf.credential(), leaf.signature_key().as_slice(), suite)
}

/// Verifies the leaf on an update path: nothing but its encryption key may be new.
pub(super) fn verify_updated_leaf(
    leaf: &LeafNode,
    before: &DeviceCertificate,
) -> Result<(), CredentialError> {
    let is_same = leaf.credential().credential_type() == CredentialType::Basic
        && leaf.credential().serialized_content() == before.encode()
        && leaf.signature_key().as_slice() == before.device.as_bytes();
    if !is_same {
        return Err(CredentialError::Changed);
    }
    if has_extensions(leaf) {
        return Err(CredentialError::LeafForm);
    }
    Ok(())
}

fn check_suite(certificate: &DeviceCertificate, suite: Suite) -> Result<(), CredentialError> {
    let code_point = suite.code_point();
    if certificate.supports(code_point) { Ok(()) } else { Err(CredentialError::SuiteNotNamed(code_point)) }
}

fn has_extensions(leaf: &LeafNode) -> bool {
    leaf.extensions().iter().next().is_some()
}
