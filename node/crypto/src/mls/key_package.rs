//! Key packages: what a device hands out so that others can add it to groups (RFC 9420, section 10).

use openmls::ciphersuite::hash_ref::KeyPackageRef;
use openmls::prelude::{
    Capabilities, CredentialType, ExtensionType, KeyPackage as MlsKeyPackage, KeyPackageIn, Lifetime,
    MlsMessageBodyIn, MlsMessageIn, MlsMessageOut, OpenMlsProvider, ProposalType, ProtocolVersion,
};
use openmls_traits::storage::StorageProvider;
use tls_codec::{Deserialize, Serialize, VLBytes};

use super::credential;
use super::crypto::Crypto;
use super::error::MlsError;
use super::group::{Context, RECORD_EXTENSION};
use super::provider::DeviceSigner;
use super::storage::StorageCache;
use super::suite::Suite;
use crate::certificate::DeviceCertificate;

/// Bytes of the longest key package that is looked at.
pub const KEY_PACKAGE_BYTES_MAX: usize = 8 * 1024;

/// The hash by which a key package is known to MLS (RFC 9420, section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyPackageReference(pub [u8; 32]);

/// Our own key packages.
#[derive(Debug, Clone, Copy)]
pub struct KeyPackage;

/// A key package of somebody, found good.
#[derive(Debug, Clone)]
pub struct ValidatedKeyPackage {
    /// Whose device it is.
    pub certificate: DeviceCertificate,
    /// The suite of the groups to which it can be added.
    pub suite: Suite,
    /// Its name in MLS.
    pub reference: KeyPackageReference,
    /// Whether it may be used for several groups; its owner should replace it soon.
    pub is_last_resort: bool,
    pub(super) package: MlsKeyPackage,
}

impl KeyPackage {
    /// Makes a key package, stores its secrets, and gives it as an MLS message.
    ///
    /// Its lifetime is unlimited: freshness is decided by who hands packages out, not by clocks.
    ///
    /// # Errors
    /// [`MlsError::Credential`] if our own certificate is not the device's, or does not name the suite;
    /// [`MlsError::Storage`].
    pub fn create(
        cx: &mut Context<'_>,
        suite: Suite,
        is_last_resort: bool,
    ) -> Result<(Vec<u8>, KeyPackageReference), MlsError> {
        let credential = credential::own(cx.device, cx.certificate, suite)?;
        let signer = DeviceSigner(cx.device);
        let mut cache = StorageCache::default();
        let provider = cx.provider(&mut cache);
        let mut builder = MlsKeyPackage::builder()
            .leaf_node_capabilities(capabilities())
            .key_package_lifetime(Lifetime::init(0, u64::MAX));
        if is_last_resort {
            builder = builder.mark_as_last_resort();
        }
        let bundle = builder
            .build(suite.ciphersuite(), &provider, &signer, credential)
            .map_err(|error| provider.explain(MlsError::library(error)))?;
        let package = bundle.into_key_package();
        let reference = reference(&package, provider.crypto())?;
        let message = MlsMessageOut::from(package).to_bytes().map_err(MlsError::library)?;
        Ok((message, reference))
    }

    /// Validates a key package of somebody: its form, both signatures, its credential, and that it never
    /// expires. Needs no clock and no state.
    ///
    /// # Errors
    /// [`MlsError::Malformed`], [`MlsError::KeyPackageInvalid`], [`MlsError::SuiteUnsupported`],
    /// [`MlsError::Credential`].
    pub fn validate(message: &[u8]) -> Result<ValidatedKeyPackage, MlsError> {
        if message.len() > KEY_PACKAGE_BYTES_MAX {
            return Err(MlsError::Malformed);
        }
        let message = MlsMessageIn::tls_deserialize_exact(message).map_err(|_| MlsError::Malformed)?;
        let MlsMessageBodyIn::KeyPackage(package) = message.extract() else {
            return Err(MlsError::Malformed);
        };
        validate(package)
    }

    /// Deletes the secrets of one of our key packages; welcomes to it can no longer be answered.
    ///
    /// # Errors
    /// [`MlsError::Storage`].
    pub fn delete(cx: &mut Context<'_>, reference: &KeyPackageReference) -> Result<(), MlsError> {
        let encoded =
            VLBytes::new(reference.0.to_vec()).tls_serialize_detached().map_err(MlsError::library)?;
        let reference = KeyPackageRef::tls_deserialize_exact(encoded).map_err(MlsError::library)?;
        let mut cache = StorageCache::default();
        let provider = cx.provider(&mut cache);
        provider
            .storage()
            .delete_key_package(&reference)
            .map_err(|error| provider.explain(MlsError::library(error)))
    }
}

impl ValidatedKeyPackage {
    /// Whether the package offers less than its device can do: a classical one, where the newest
    /// certificate known of the device names the hybrid suite.
    ///
    /// Whoever hands out such packages may be stripping the post-quantum protection; do not add them.
    pub fn is_downgrade(&self, newest: &DeviceCertificate) -> bool {
        self.suite == Suite::Classical && newest.supports(Suite::Hybrid.code_point())
    }
}

/// What every leaf of ours says it can do: both suites, the record's extension, basic credentials.
pub(super) fn capabilities() -> Capabilities {
    let suites = Suite::ALL.map(Suite::ciphersuite);
    Capabilities::new(
        Some(&[ProtocolVersion::Mls10]),
        Some(&suites),
        Some(&[ExtensionType::Unknown(RECORD_EXTENSION), ExtensionType::LastResort]),
        Some(&[] as &[ProposalType]),
        Some(&[CredentialType::Basic]),
    )
}

fn validate(package: KeyPackageIn) -> Result<ValidatedKeyPackage, MlsError> {
    let crypto = Crypto::unseeded();
    let package = package
        .validate(&crypto, ProtocolVersion::Mls10)
        .map_err(|error| MlsError::KeyPackageInvalid(error.to_string()))?;
    let ciphersuite = package.ciphersuite();
    let suite = Suite::from_ciphersuite(ciphersuite).ok_or(MlsError::SuiteUnsupported(ciphersuite.into()))?;
    let certificate = credential::verify_new_leaf(&package, suite)?;
    let reference = reference(&package, &crypto)?;
    Ok(ValidatedKeyPackage { certificate, suite, reference, is_last_resort: package.last_resort(), package })
}

fn reference(package: &MlsKeyPackage, crypto: &Crypto) -> Result<KeyPackageReference, MlsError> {
    let reference = package.hash_ref(crypto).map_err(MlsError::library)?;
    let bytes = reference.as_slice().try_into().map_err(MlsError::library)?;
    Ok(KeyPackageReference(bytes))
}
