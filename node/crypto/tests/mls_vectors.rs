//! The vectors of the MLS working group, through our crypto and our storage.
//!
//! A passive client joins and follows groups that other implementations made, for every suite that our
//! provider supports and that has vectors. OpenMLS's interface lets its user in at the level of messages; the
//! vectors below that (key schedule, tree operations, secret tree and so on) are OpenMLS's own to run.

#![allow(clippy::unwrap_used, reason = "what cannot be set up here has failed")]

mod mls_support;
#[path = "vectors/support.rs"]
#[allow(dead_code, reason = "made for other vectors too")]
mod support;

use ed25519_dalek::{Signer as _, SigningKey};
use mls_support::MemoryStorage;
use openmls::group::{MIXED_CIPHERTEXT_WIRE_FORMAT_POLICY, MlsGroup, MlsGroupJoinConfig, StagedWelcome};
use openmls::prelude::{
    BasicCredential, Ciphersuite, CredentialWithKey, KeyPackage, KeyPackageBundle, MlsMessageBodyIn,
    MlsMessageIn, OpenMlsProvider, ProcessedMessageContent, RatchetTreeIn, SignaturePublicKey,
};
use openmls::schedule::PreSharedKeyId;
use openmls_traits::crypto::OpenMlsCrypto;
use openmls_traits::signatures::{Signer, SignerError};
use openmls_traits::storage::StorageProvider;
use openmls_traits::types::SignatureScheme;
use qpq_crypto::mls::provider::{Provider, StorageCache};
use qpq_crypto::mls::{MlsError, peek};
use rand_core::SeedableRng;
use serde::Deserialize;
use serde_json::{Value, json};
use support::{Hex, load};
use tls_codec::{Deserialize as _, Serialize as _, VLBytes};

#[derive(Deserialize)]
struct PassiveClient {
    cipher_suite: u16,
    external_psks: Vec<ExternalPsk>,
    key_package: Hex,
    encryption_priv: Hex,
    init_priv: Hex,
    welcome: Hex,
    ratchet_tree: Option<Hex>,
    initial_epoch_authenticator: Hex,
    epochs: Vec<Epoch>,
}

#[derive(Deserialize)]
struct ExternalPsk {
    psk_id: Hex,
    psk: Hex,
}

#[derive(Deserialize)]
struct Epoch {
    proposals: Vec<Hex>,
    commit: Hex,
    epoch_authenticator: Hex,
}

/// Storage and randomness of a client, and the group once it is joined.
struct Client {
    storage: MemoryStorage,
    cache: StorageCache,
    rng: chacha20::ChaCha20Rng,
    group: Option<MlsGroup>,
}

impl Client {
    fn new() -> Self {
        let rng = chacha20::ChaCha20Rng::from_seed([0; 32]);
        Self { storage: MemoryStorage::default(), cache: StorageCache::default(), rng, group: None }
    }

    fn run<R>(&mut self, operate: impl FnOnce(&Provider<'_>, &mut Option<MlsGroup>) -> R) -> R {
        let provider = Provider::new(&mut self.storage, &mut self.rng, &mut self.cache);
        operate(&provider, &mut self.group)
    }

    fn supports(&mut self, suite: u16) -> bool {
        let suite = Ciphersuite::try_from(suite);
        self.run(|provider, _| suite.is_ok_and(|suite| provider.crypto().supports(suite).is_ok()))
    }

    /// Puts the secrets of a key package where joining looks for them.
    fn install(&mut self, vector: &PassiveClient) {
        let package = key_package_in(&vector.key_package);
        let mut bundle = serde_json::to_value(template_bundle()).unwrap();
        bundle["key_package"] = serde_json::to_value(&package).unwrap();
        replace_bytes(&mut bundle["private_init_key"], &vector.init_priv);
        replace_bytes(&mut bundle["private_encryption_key"], &vector.encryption_priv);
        let bundle: KeyPackageBundle = serde_json::from_value(bundle).unwrap();
        self.run(|provider, _| {
            let reference = package.hash_ref(provider.crypto()).unwrap();
            provider.storage().write_key_package(&reference, &bundle).unwrap();
            for psk in &vector.external_psks {
                PreSharedKeyId::external(psk.psk_id.to_vec(), Vec::new()).store(provider, &psk.psk).unwrap();
            }
        });
    }

    fn join(&mut self, vector: &PassiveClient) {
        let config = MlsGroupJoinConfig::builder()
            .wire_format_policy(MIXED_CIPHERTEXT_WIRE_FORMAT_POLICY)
            .number_of_resumption_psks(16)
            .use_ratchet_tree_extension(true)
            .build();
        let message = MlsMessageIn::tls_deserialize_exact(&*vector.welcome).unwrap();
        let MlsMessageBodyIn::Welcome(welcome) = message.extract() else { panic!("not a welcome") };
        self.run(|provider, group| {
            let mut builder = StagedWelcome::build_from_welcome(provider, &config, welcome).unwrap();
            if let Some(tree) = &vector.ratchet_tree {
                builder = builder.with_ratchet_tree(RatchetTreeIn::tls_deserialize_exact(&**tree).unwrap());
            }
            let staged = builder.skip_lifetime_validation().build().unwrap();
            *group = Some(staged.into_group(provider).unwrap());
        });
        self.load();
        self.check_authenticator(&vector.initial_epoch_authenticator);
    }

    fn follow(&mut self, epoch: &Epoch) {
        for message in epoch.proposals.iter().chain([&epoch.commit]) {
            let message = MlsMessageIn::tls_deserialize_exact(&**message).unwrap();
            let message = message.try_into_protocol_message().unwrap();
            self.run(|provider, group| {
                let group = group.as_mut().unwrap();
                match group.process_message(provider, message).unwrap().into_content() {
                    ProcessedMessageContent::ProposalMessage(proposal) => {
                        group.store_pending_proposal(provider.storage(), *proposal).unwrap();
                    }
                    ProcessedMessageContent::StagedCommitMessage(staged) => {
                        group.merge_staged_commit(provider, *staged).unwrap();
                    }
                    other => panic!("unexpected {other:?}"),
                }
            });
            // Whatever is stored must be enough to go on.
            self.load();
        }
        self.check_authenticator(&epoch.epoch_authenticator);
    }

    fn load(&mut self) {
        let id = self.group.take().unwrap().group_id().clone();
        self.cache = StorageCache::default();
        self.run(|provider, group| *group = MlsGroup::load(provider.storage(), &id).unwrap());
    }

    fn check_authenticator(&self, expected: &[u8]) {
        assert_eq!(self.group.as_ref().unwrap().epoch_authenticator().as_slice(), expected);
    }
}

/// The key package in a message, unverified: those of the vectors have expired.
fn key_package_in(message: &[u8]) -> KeyPackage {
    let MlsMessageBodyIn::KeyPackage(package) =
        MlsMessageIn::tls_deserialize_exact(message).unwrap().extract()
    else {
        panic!("not a key package")
    };
    serde_json::from_value(serde_json::to_value(package).unwrap()).unwrap()
}

/// Any key package with its secrets: OpenMLS lets nobody put one together, but reads what it wrote.
fn template_bundle() -> KeyPackageBundle {
    struct Key(SigningKey);

    impl Signer for Key {
        fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
            Ok(self.0.sign(payload).to_bytes().to_vec())
        }

        fn signature_scheme(&self) -> SignatureScheme {
            SignatureScheme::ED25519
        }
    }

    let key = SigningKey::from_bytes(&[1; 32]);
    let credential_with_key = CredentialWithKey {
        credential: BasicCredential::new(Vec::new()).into(),
        signature_key: SignaturePublicKey::from(key.verifying_key().as_bytes().as_slice()),
    };
    let suite = Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519;
    Client::new().run(|provider, _| {
        KeyPackage::builder().build(suite, provider, &Key(key), credential_with_key).unwrap()
    })
}

/// Replaces the only byte string in a value.
fn replace_bytes(value: &mut Value, bytes: &[u8]) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(|field| replace_bytes(field, bytes)),
        other => *other = json!(bytes),
    }
}

/// Joins and follows the groups of a file. Gives how many there were for our suites.
fn run_passive_clients(file: &str) -> usize {
    let Some(vectors) = load::<Vec<PassiveClient>>(&format!("mls/{file}")) else { return 0 };
    let mut passed = 0;
    for (number, vector) in vectors.iter().enumerate() {
        let mut client = Client::new();
        if !client.supports(vector.cipher_suite) {
            continue;
        }
        eprintln!("{file} {number}: suite {}", vector.cipher_suite);
        client.install(vector);
        client.join(vector);
        for epoch in &vector.epochs {
            client.follow(epoch);
        }
        passed += 1;
    }
    passed
}

#[test]
fn passive_clients_join() {
    let passed = run_passive_clients("passive-client-welcome.json");
    assert!(passed == 0 || passed == 2 * 8, "{passed}");
}

#[test]
fn passive_clients_follow_commits() {
    let passed = run_passive_clients("passive-client-handling-commit.json");
    assert!(passed == 0 || passed == 2 * 13, "{passed}");
}

#[derive(Deserialize)]
struct Messages {
    mls_welcome: Hex,
    mls_group_info: Hex,
    mls_key_package: Hex,
    ratchet_tree: Hex,
    public_message_application: Hex,
    public_message_proposal: Hex,
    public_message_commit: Hex,
    private_message: Hex,
}

#[test]
fn messages_are_read_and_written() {
    let Some(vectors) = load::<Vec<Messages>>("mls/messages.json") else { return };
    assert_eq!(vectors.len(), 300);
    for vector in &vectors {
        let read = |message: &[u8]| MlsMessageIn::tls_deserialize_exact(message).unwrap().extract();
        // A message is its version and its kind, four bytes, and its body.
        let MlsMessageBodyIn::Welcome(welcome) = read(&vector.mls_welcome) else { panic!("not a welcome") };
        assert_eq!(welcome.tls_serialize_detached().unwrap(), vector.mls_welcome[4..]);
        let MlsMessageBodyIn::KeyPackage(package) = read(&vector.mls_key_package) else {
            panic!("not a key package")
        };
        assert_eq!(package.tls_serialize_detached().unwrap(), vector.mls_key_package[4..]);
        assert!(matches!(read(&vector.mls_group_info), MlsMessageBodyIn::GroupInfo(_)));
        assert!(matches!(read(&vector.private_message), MlsMessageBodyIn::PrivateMessage(_)));
        let public = [
            &vector.public_message_application,
            &vector.public_message_proposal,
            &vector.public_message_commit,
        ];
        for message in public {
            assert!(matches!(read(message), MlsMessageBodyIn::PublicMessage(_)));
        }
        let tree = RatchetTreeIn::tls_deserialize_exact(&*vector.ratchet_tree).unwrap();
        assert_eq!(tree.tls_serialize_detached().unwrap(), *vector.ratchet_tree);
    }
}

/// Our own functions take these messages for what they are: none is for a group of ours.
#[test]
fn messages_of_other_groups_are_refused() {
    let Some(vectors) = load::<Vec<Messages>>("mls/messages.json") else { return };
    for vector in &vectors {
        assert!(matches!(peek(&vector.mls_welcome), Err(MlsError::Malformed)));
        assert!(matches!(peek(&vector.public_message_commit), Err(MlsError::Malformed)));
        let peeked = peek(&vector.private_message);
        assert!(peeked.is_ok() || matches!(peeked, Err(MlsError::Malformed)), "{peeked:?}");
        assert!(qpq_crypto::mls::KeyPackage::validate(&vector.mls_key_package).is_err());
    }
}

#[derive(Deserialize)]
struct Header {
    vlbytes_header: Hex,
    length: usize,
}

#[test]
fn lengths_of_vectors() {
    let Some(vectors) = load::<Vec<Header>>("mls/deserialization.json") else { return };
    for vector in &vectors {
        let header = &*vector.vlbytes_header;
        let alone = VLBytes::tls_deserialize_exact(header);
        assert_eq!(alone.is_ok(), vector.length == 0, "{}", vector.length);
        if vector.length < 1 << 20 {
            let content = vec![7; vector.length];
            let bytes = VLBytes::tls_deserialize_exact([header, &content].concat()).unwrap();
            assert_eq!(bytes.as_slice(), content);
            assert_eq!(bytes.tls_serialize_detached().unwrap(), [header, &content].concat());
        }
    }
}
