//! What a member can make that OpenMLS lets through and we do not.
//!
//! The attacker drives OpenMLS directly, on the state of a group of ours.

#![allow(clippy::unwrap_used, reason = "what cannot be set up here has failed")]

mod mls_support;

use ed25519_dalek::{Signer as _, SigningKey};
use mls_support::{Circle, MemoryStorage, Person, plaintext, welcome_all};
use openmls::group::{
    MIXED_PLAINTEXT_WIRE_FORMAT_POLICY, MlsGroup, MlsGroupCreateConfig, MlsGroupJoinConfig,
};
use openmls::prelude::{
    ApplicationIdExtension, BasicCredential, Capabilities, Ciphersuite, CredentialType, CredentialWithKey,
    Extension, ExtensionType, Extensions, KeyPackage, LeafNodeParameters, Lifetime, OpenMlsProvider,
    RequiredCapabilitiesExtension, SignaturePublicKey, UnknownExtension,
};
use openmls_traits::signatures::{Signer, SignerError};
use openmls_traits::types::SignatureScheme;
use qpq_crypto::certificate::DeviceCertificate;
use qpq_crypto::identity::IdentityKey;
use qpq_crypto::ids::{DeviceKey, NodeKey};
use qpq_crypto::mls::provider::{Provider, StorageCache};
use qpq_crypto::mls::{CLASSICAL, CredentialError, Group, HYBRID, MlsError, RECORD_EXTENSION, Suite};

struct Key(SigningKey);

impl Key {
    fn of(person: &Person) -> Self {
        Self(SigningKey::from_bytes(&person.device.seed()))
    }

    fn credential(&self, content: Vec<u8>) -> CredentialWithKey {
        CredentialWithKey {
            credential: BasicCredential::new(content).into(),
            signature_key: SignaturePublicKey::from(self.0.verifying_key().as_bytes().as_slice()),
        }
    }
}

impl Signer for Key {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(self.0.sign(payload).to_bytes().to_vec())
    }

    fn signature_scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

/// Member 0 of a hybrid group makes a message as it likes; member 1 opens it. Gives the refusal, once the
/// group has shown that it goes on.
fn attack(make: impl FnOnce(&mut MlsGroup, &Provider<'_>, &Key) -> Vec<u8>) -> MlsError {
    let mut circle = Circle::new(2, Suite::Hybrid);
    for person in &mut circle.people {
        person.storage.commit();
    }
    let message = {
        let person = &mut circle.people[0];
        let key = Key::of(person);
        let mut cache = StorageCache::default();
        let provider = Provider::new(&mut person.storage, &mut person.rng, &mut cache);
        let id = openmls::group::GroupId::from_slice(&circle.groups[0].id().0);
        let mut group = MlsGroup::load(provider.storage(), &id).unwrap().unwrap();
        make(&mut group, &provider, &key)
    };
    let error = circle.open(1, &message).unwrap_err();
    for index in 0..2 {
        circle.people[index].storage.abort();
        let id = circle.groups[index].id();
        circle.groups[index] = circle.people[index].load(id);
    }
    let message = circle.seal(0, b"nothing happened");
    assert_eq!(plaintext(circle.open(1, &message)), b"nothing happened");
    error
}

fn update(parameters: LeafNodeParameters) -> MlsError {
    attack(|group, provider, key| {
        let bundle = group.self_update(provider, key, parameters).unwrap();
        bundle.into_commit().to_bytes().unwrap()
    })
}

/// Adds a package that the attacker made itself, with this credential and lifetime.
fn add(credential: impl Fn(&Key) -> Vec<u8>, lifetime: Lifetime) -> MlsError {
    attack(|group, provider, key| {
        let newcomer = Key(SigningKey::from_bytes(&[42; 32]));
        let own_leaf = group.own_leaf_node().unwrap();
        let package = KeyPackage::builder()
            .leaf_node_capabilities(own_leaf.capabilities().clone())
            .key_package_lifetime(lifetime)
            .build(group.ciphersuite(), provider, &newcomer, newcomer.credential(credential(&newcomer)))
            .unwrap();
        let (commit, _, _) = group.add_members(provider, key, &[package.key_package().clone()]).unwrap();
        commit.to_bytes().unwrap()
    })
}

fn certificate(device: &Key, suites: &[u16]) -> Vec<u8> {
    let device = DeviceKey::from_bytes(*device.0.verifying_key().as_bytes());
    let node = NodeKey::from_bytes([7; 32]);
    DeviceCertificate::issue(&IdentityKey::from_seed(&[5; 32]), device, node, suites, 0).unwrap().encode()
}

fn forever() -> Lifetime {
    Lifetime::init(0, u64::MAX)
}

#[test]
fn a_new_certificate_on_an_update_path() {
    let mut person = Person::new(0);
    let moved = DeviceCertificate::issue(
        &person.identity,
        person.device.public(),
        NodeKey::from_bytes([7; 32]),
        &[HYBRID, CLASSICAL],
        1,
    );
    person.certificate = moved.unwrap();
    let credential = Key::of(&person).credential(person.certificate.encode());
    let error = update(LeafNodeParameters::builder().with_credential_with_key(credential).build());
    assert!(matches!(error, MlsError::Credential(CredentialError::Changed)), "{error:?}");
}

#[test]
fn an_extension_on_an_update_path() {
    let extension = Extension::ApplicationId(ApplicationIdExtension::new(b"tracked"));
    let extensions = Extensions::single(extension).unwrap();
    let error = update(LeafNodeParameters::builder().with_extensions(extensions).build());
    assert!(matches!(error, MlsError::Credential(CredentialError::LeafForm)), "{error:?}");
}

#[test]
fn a_leaf_that_expires() {
    for lifetime in [Lifetime::init(0, u64::MAX - 1), Lifetime::init(1, u64::MAX), Lifetime::new(1_000_000)] {
        let error = add(|key| certificate(key, &[HYBRID]), lifetime);
        assert!(matches!(error, MlsError::Credential(CredentialError::LeafForm)), "{error:?}");
    }
}

#[test]
fn a_credential_that_is_no_certificate() {
    let error = add(|_| b"Alice".to_vec(), forever());
    assert!(matches!(error, MlsError::Credential(CredentialError::Certificate(_))), "{error:?}");
}

#[test]
fn a_certificate_of_another_device() {
    let error = add(|_| Person::new(9).certificate.encode(), forever());
    assert!(matches!(error, MlsError::Credential(CredentialError::SignatureKey)), "{error:?}");
}

#[test]
fn a_certificate_without_the_groups_suite() {
    let error = add(|key| certificate(key, &[CLASSICAL]), forever());
    assert!(matches!(error, MlsError::Credential(CredentialError::SuiteNotNamed(HYBRID))), "{error:?}");
}

#[test]
fn group_context_extensions_of_another_kind() {
    let required = |extensions: &[ExtensionType]| {
        Extension::RequiredCapabilities(RequiredCapabilitiesExtension::new(
            extensions,
            &[],
            &[CredentialType::Basic],
        ))
    };
    let record = ExtensionType::Unknown(RECORD_EXTENSION);
    let no_record = vec![required(&[record])];
    let no_requirement =
        vec![required(&[]), Extension::Unknown(RECORD_EXTENSION, UnknownExtension(b"record".to_vec()))];
    for extensions in [no_record, no_requirement] {
        let error = attack(|group, provider, key| {
            let builder = group.commit_builder();
            let builder =
                builder.propose_group_context_extensions(Extensions::from_vec(extensions).unwrap()).unwrap();
            let builder = builder.load_psks(provider.storage()).unwrap();
            match builder.build(provider.rand(), provider.crypto(), key, |_| true) {
                Ok(complete) => complete.stage_commit(provider).unwrap().into_commit().to_bytes().unwrap(),
                // OpenMLS refuses to make it.
                Err(_) => Vec::new(),
            }
        });
        assert!(matches!(error, MlsError::ChangeRefused(_) | MlsError::Malformed), "{error:?}");
    }
}

#[test]
fn proposals_outside_a_commit() {
    let error = attack(|group, provider, key| {
        let (proposal, _) =
            group.propose_remove_member(provider, key, openmls::prelude::LeafNodeIndex::new(1)).unwrap();
        proposal.to_bytes().unwrap()
    });
    assert!(matches!(error, MlsError::ChangeRefused(_)), "{error:?}");
    let error = attack(|group, provider, key| group.leave_group(provider, key).unwrap().to_bytes().unwrap());
    assert!(matches!(error, MlsError::ChangeRefused(_)), "{error:?}");
}

#[test]
fn proposals_by_reference() {
    let error = attack(|group, provider, key| {
        let leaf = openmls::prelude::LeafNodeIndex::new(1);
        group.propose_remove_member(provider, key, leaf).unwrap();
        let (commit, _, _) = group.commit_to_pending_proposals(provider, key).unwrap();
        commit.to_bytes().unwrap()
    });
    assert!(matches!(error, MlsError::CommitInvalid(_)), "{error:?}");
}

#[test]
fn unencrypted_commits() {
    let error = attack(|group, provider, key| {
        let config =
            MlsGroupJoinConfig::builder().wire_format_policy(MIXED_PLAINTEXT_WIRE_FORMAT_POLICY).build();
        group.set_configuration(provider.storage(), &config).unwrap();
        let bundle = group.self_update(provider, key, LeafNodeParameters::default()).unwrap();
        bundle.into_commit().to_bytes().unwrap()
    });
    assert!(matches!(error, MlsError::Malformed), "{error:?}");
}

#[test]
fn group_infos_are_no_way_in() {
    let error = attack(|group, provider, key| {
        group.export_group_info(provider.crypto(), key, true).unwrap().to_bytes().unwrap()
    });
    assert!(matches!(error, MlsError::Malformed), "{error:?}");
}

/// Founds a group outside our rules and invites a victim into it.
fn invite(id: &[u8], extensions: Vec<Extension>, credential: impl Fn(&Key) -> Vec<u8>) -> MlsError {
    let mut victim = Person::new(1);
    let (message, _) = qpq_crypto::mls::KeyPackage::create(&mut victim.cx(), Suite::Hybrid, false).unwrap();
    let key = Key(SigningKey::from_bytes(&[42; 32]));
    let (mut storage, mut cache) = (MemoryStorage::default(), StorageCache::default());
    let mut rng = Person::new(0).rng;
    let provider = Provider::new(&mut storage, &mut rng, &mut cache);
    let suite = Ciphersuite::try_from(HYBRID).unwrap();
    let capabilities = Capabilities::new(
        None,
        Some(&[suite]),
        Some(&[ExtensionType::Unknown(RECORD_EXTENSION)]),
        None,
        None,
    );
    let config = MlsGroupCreateConfig::builder()
        .ciphersuite(suite)
        .capabilities(capabilities)
        .use_ratchet_tree_extension(true)
        .with_group_context_extensions(Extensions::from_vec(extensions).unwrap())
        .build();
    let id = openmls::group::GroupId::from_slice(id);
    let own = key.credential(credential(&key));
    let mut group = MlsGroup::new_with_group_id(&provider, &key, &config, id, own).unwrap();
    let package = mls_package(&message, &provider);
    let (_, welcome, _) = group.add_members(&provider, &key, &[package]).unwrap();
    let welcome = welcome.to_bytes().unwrap();
    let error = Group::join(&mut victim.cx(), &welcome, &mut welcome_all).unwrap_err();
    assert!(victim.storage.records().keys().all(|(namespace, _)| namespace == b"own"));
    error
}

fn mls_package(message: &[u8], provider: &Provider<'_>) -> KeyPackage {
    use openmls::prelude::{MlsMessageBodyIn, MlsMessageIn, ProtocolVersion};
    use tls_codec::Deserialize;
    match MlsMessageIn::tls_deserialize_exact(message).unwrap().extract() {
        MlsMessageBodyIn::KeyPackage(package) => {
            package.validate(provider.crypto(), ProtocolVersion::Mls10).unwrap()
        }
        _ => panic!("not a key package"),
    }
}

fn our_extensions() -> Vec<Extension> {
    let record = ExtensionType::Unknown(RECORD_EXTENSION);
    vec![
        Extension::RequiredCapabilities(RequiredCapabilitiesExtension::new(
            &[record],
            &[],
            &[CredentialType::Basic],
        )),
        Extension::Unknown(RECORD_EXTENSION, UnknownExtension(b"record".to_vec())),
    ]
}

#[test]
fn groups_of_another_kind() {
    let error = invite(&[3; 32], Vec::new(), |key| certificate(key, &[HYBRID]));
    assert!(matches!(error, MlsError::WelcomeInvalid(_)), "{error:?}");
    let error = invite(&[3; 16], our_extensions(), |key| certificate(key, &[HYBRID]));
    assert!(matches!(error, MlsError::Malformed), "{error:?}");
}

#[test]
fn groups_with_a_member_without_certificate() {
    let error = invite(&[3; 32], our_extensions(), |_| b"Mallory".to_vec());
    assert!(matches!(error, MlsError::Credential(CredentialError::Certificate(_))), "{error:?}");
    let error = invite(&[3; 32], our_extensions(), |key| certificate(key, &[CLASSICAL]));
    assert!(matches!(error, MlsError::Credential(CredentialError::SuiteNotNamed(HYBRID))), "{error:?}");
}
