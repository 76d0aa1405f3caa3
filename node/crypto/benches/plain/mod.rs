//! Groups of OpenMLS as it comes.

#![allow(unreachable_pub, reason = "a module of a benchmark")]

use ed25519_dalek::{Signer as _, SigningKey};
use openmls::group::{MlsGroup, MlsGroupCreateConfig, PURE_CIPHERTEXT_WIRE_FORMAT_POLICY, StagedWelcome};
use openmls::prelude::{
    BasicCredential, Ciphersuite, CredentialWithKey, KeyPackage, KeyPackageBundle, LeafNodeParameters,
    MlsMessageBodyIn, MlsMessageIn, ProcessedMessageContent, SenderRatchetConfiguration, SignaturePublicKey,
};
use openmls_rust_crypto::OpenMlsRustCrypto;
use openmls_traits::signatures::{Signer, SignerError};
use openmls_traits::types::SignatureScheme;
use qpq_crypto::mls::{MISSING_MESSAGES_MAX, OUT_OF_ORDER_MESSAGES_MAX, PAST_EPOCHS_MAX};
use tls_codec::Deserialize;

use super::MESSAGE;

/// A member of a group of plain OpenMLS.
pub struct Plain {
    pub provider: OpenMlsRustCrypto,
    pub key: PlainKey,
    pub group: Option<MlsGroup>,
}

pub struct PlainKey(SigningKey);

impl Signer for PlainKey {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(self.0.sign(payload).to_bytes().to_vec())
    }

    fn signature_scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

impl Plain {
    pub fn new(number: u32) -> Self {
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&number.to_le_bytes());
        let key = PlainKey(SigningKey::from_bytes(&seed));
        Self { provider: OpenMlsRustCrypto::default(), key, group: None }
    }

    fn credential(&self) -> CredentialWithKey {
        CredentialWithKey {
            // As long as a certificate.
            credential: BasicCredential::new(vec![7; 174]).into(),
            signature_key: SignaturePublicKey::from(self.key.0.verifying_key().as_bytes().as_slice()),
        }
    }

    pub fn key_package(&self, suite: Ciphersuite) -> KeyPackageBundle {
        KeyPackage::builder().build(suite, &self.provider, &self.key, self.credential()).unwrap()
    }

    pub fn create(&self, suite: Ciphersuite) -> MlsGroup {
        MlsGroup::new(&self.provider, &self.key, &config(suite), self.credential()).unwrap()
    }

    pub fn group(&mut self) -> &mut MlsGroup {
        self.group.as_mut().unwrap()
    }

    pub fn update(&mut self) -> Vec<u8> {
        let group = self.group.as_mut().unwrap();
        let bundle = group.self_update(&self.provider, &self.key, LeafNodeParameters::default()).unwrap();
        group.merge_pending_commit(&self.provider).unwrap();
        bundle.into_commit().to_bytes().unwrap()
    }

    pub fn seal(&mut self) -> Vec<u8> {
        let group = self.group.as_mut().unwrap();
        group.create_message(&self.provider, &self.key, &MESSAGE).unwrap().to_bytes().unwrap()
    }

    pub fn open(&mut self, message: &[u8]) {
        let group = self.group.as_mut().unwrap();
        let message = MlsMessageIn::tls_deserialize_exact(message).unwrap();
        let message = message.try_into_protocol_message().unwrap();
        let processed = group.process_message(&self.provider, message).unwrap();
        if let ProcessedMessageContent::StagedCommitMessage(staged) = processed.into_content() {
            group.merge_staged_commit(&self.provider, *staged).unwrap();
        }
    }
}

fn config(suite: Ciphersuite) -> MlsGroupCreateConfig {
    MlsGroupCreateConfig::builder()
        .ciphersuite(suite)
        .wire_format_policy(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY)
        .max_past_epochs(PAST_EPOCHS_MAX)
        .sender_ratchet_configuration(SenderRatchetConfiguration::new(
            OUT_OF_ORDER_MESSAGES_MAX,
            MISSING_MESSAGES_MAX,
        ))
        .use_ratchet_tree_extension(true)
        .build()
}

/// Two members of a group of `size`, the others added but not followed, both of which have committed.
pub fn plain(size: usize, suite: Ciphersuite) -> [Plain; 2] {
    let count = u32::try_from(size).unwrap();
    let mut members: Vec<_> = (0..count).map(Plain::new).collect();
    let packages: Vec<_> =
        members[1..].iter().map(|member| member.key_package(suite).key_package().clone()).collect();
    let mut founder = members.remove(0);
    let mut group = founder.create(suite);
    let (_, welcome, _) = group.add_members(&founder.provider, &founder.key, &packages).unwrap();
    group.merge_pending_commit(&founder.provider).unwrap();
    founder.group = Some(group);
    let mut second = members.remove(0);
    let welcome = MlsMessageIn::tls_deserialize_exact(welcome.to_bytes().unwrap()).unwrap();
    let MlsMessageBodyIn::Welcome(welcome) = welcome.extract() else { panic!("not a welcome") };
    let staged =
        StagedWelcome::new_from_welcome(&second.provider, config(suite).join_config(), welcome, None)
            .unwrap();
    second.group = Some(staged.into_group(&second.provider).unwrap());
    let mut pair = [founder, second];
    for number in 0..PAST_EPOCHS_MAX {
        let commit = pair[number % 2].update();
        pair[1 - number % 2].open(&commit);
    }
    pair
}
