mod value;

use chacha20::ChaCha20Rng;
use openmls::group::{GroupId, MlsGroup, StagedWelcome};
use openmls::prelude::{
    ContentType, KeyPackage, LeafNodeIndex, MlsMessageBodyIn, MlsMessageIn, ProcessedMessageContent,
    SenderRatchetConfiguration,
};
use openmls_traits::OpenMlsProvider;
use openmls_traits::storage::{CURRENT_VERSION, Entity, StorageProvider, traits};
use proptest::prelude::*;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tls_codec::Deserialize as _;

use self::value::Value;
use super::*;
use crate::mls::credential;
use crate::mls::group::join_config;
use crate::mls::key_package::capabilities;
use crate::mls::provider::{DeviceSigner, Provider, StorageCache};
use crate::mls::storage::codec::decode;
use crate::mls::storage::live_namespace;
use crate::mls::suite::Suite;
use crate::mls::testing::{Device, MapStorage};

/// A value as a type of OpenMLS's, to be read through its storage.
struct Stored(Value);

impl<'de> Deserialize<'de> for Stored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self)
    }
}

impl Serialize for Stored {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

impl Entity<CURRENT_VERSION> for Stored {}
impl traits::MessageSecrets<CURRENT_VERSION> for Stored {}

/// What is left out of storage on purpose.
fn reduce(value: Value) -> Value {
    match value {
        Value::Sequence(elements) => Value::Sequence(elements.into_iter().map(reduce).collect()),
        Value::Record(fields) => Value::Record(
            fields
                .into_iter()
                .map(|(name, value)| match name.as_str() {
                    BEGAN_AT => (name, Value::Nothing),
                    ENCRYPTION_KEY => (name, Value::Sequence(Vec::new())),
                    _ => (name, reduce(value)),
                })
                .collect(),
        ),
        other => other,
    }
}

struct Party {
    device: Device,
    storage: MapStorage,
    rng: ChaCha20Rng,
    cache: StorageCache,
    group: Option<MlsGroup>,
}

impl Party {
    fn new(number: u8) -> Self {
        let device = Device::new(number);
        let rng = device.rng();
        Self { device, storage: MapStorage::default(), rng, cache: StorageCache::default(), group: None }
    }

    /// Runs an operation on the group, and checks that what is in storage is what OpenMLS wrote.
    fn run<R>(
        &mut self,
        touched: Touched,
        operate: impl FnOnce(&mut MlsGroup, &Provider<'_>, &DeviceSigner<'_>) -> R,
    ) -> R {
        let group = self.group.as_mut().unwrap();
        let provider = Provider::new(&mut self.storage, &mut self.rng, &mut self.cache);
        provider.storage().set_touched(touched);
        let result = operate(group, &provider, &DeviceSigner(&self.device.secret));
        let whole = provider.storage().whole_secrets.take();
        if let Some(whole) = whole {
            let stored: Stored = provider.storage().message_secrets(group.group_id()).unwrap().unwrap();
            assert_eq!(stored.0, reduce(decode(&whole).unwrap()));
        }
        drop(provider);
        self.check_records();
        result
    }

    /// That the records are those that are known, and read as what is known of them.
    fn check_records(&self) {
        let group = self.group.as_ref().unwrap().group_id().clone();
        let namespace = live_namespace(group.as_slice());
        let known = &self.cache.0[&namespace].secrets;
        let mut expected = names(known);
        expected.sort_unstable();
        expected.dedup();
        let found: Vec<_> = self
            .storage
            .records
            .keys()
            .filter(|(_, name)| name.starts_with(PREFIX))
            .map(|(_, name)| name.clone())
            .collect();
        assert_eq!(found, expected);
        let fetch = |name: &[u8]| {
            Ok(self.storage.records.get(&(namespace.clone(), name.to_vec())).cloned().map(Zeroizing::new))
        };
        let (_, read_again) = read(&fetch).unwrap().unwrap();
        assert_eq!(&read_again, known);
    }

    fn load(&mut self) {
        let id = self.group.take().unwrap().group_id().clone();
        self.cache = StorageCache::default();
        let provider = Provider::new(&mut self.storage, &mut self.rng, &mut self.cache);
        self.group = MlsGroup::load(provider.storage(), &id).unwrap();
    }
}

/// Two members, of whom the first made the group.
fn pair() -> [Party; 2] {
    let [mut one, mut two] = [Party::new(1), Party::new(2)];
    let package = {
        let provider = Provider::new(&mut two.storage, &mut two.rng, &mut two.cache);
        let builder = KeyPackage::builder().leaf_node_capabilities(capabilities());
        let signer = DeviceSigner(&two.device.secret);
        let own = credential::own(&two.device.secret, &two.device.certificate, Suite::Classical).unwrap();
        builder.build(Suite::Classical.ciphersuite(), &provider, &signer, own).unwrap()
    };
    {
        let provider = Provider::new(&mut one.storage, &mut one.rng, &mut one.cache);
        let group = MlsGroup::builder()
            .with_group_id(GroupId::from_slice(&[9; 32]))
            .ciphersuite(Suite::Classical.ciphersuite())
            .max_past_epochs(3)
            .sender_ratchet_configuration(SenderRatchetConfiguration::new(256, 2_000))
            .use_ratchet_tree_extension(true)
            .with_capabilities(capabilities())
            .build(
                &provider,
                &DeviceSigner(&one.device.secret),
                credential::own(&one.device.secret, &one.device.certificate, Suite::Classical).unwrap(),
            );
        one.group = Some(group.unwrap());
    }
    let welcome = one.run(Touched::Any, |group, provider, signer| {
        let (_, welcome, _) = group.add_members(provider, signer, &[package.key_package().clone()]).unwrap();
        group.merge_pending_commit(provider).unwrap();
        welcome.to_bytes().unwrap()
    });
    let MlsMessageBodyIn::Welcome(welcome) = MlsMessageIn::tls_deserialize_exact(welcome).unwrap().extract()
    else {
        panic!("not a welcome");
    };
    {
        let provider = Provider::new(&mut two.storage, &mut two.rng, &mut two.cache);
        let staged = StagedWelcome::new_from_welcome(&provider, &join_config(), welcome, None).unwrap();
        two.group = Some(staged.into_group(&provider).unwrap());
    }
    [one, two]
}

fn receive(party: &mut Party, message: &[u8]) {
    let message = MlsMessageIn::tls_deserialize_exact(message).unwrap().try_into_protocol_message().unwrap();
    let (epoch, current) = (message.epoch(), party.group.as_ref().unwrap().epoch());
    if epoch.as_u64() + 3 < current.as_u64() {
        return;
    }
    // Each is at the leaf that the other is not at.
    let leaf = 1 - party.group.as_ref().unwrap().own_leaf_index().u32();
    let touched = match message.content_type() {
        ContentType::Application if epoch == current => Touched::Current(leaf),
        ContentType::Application => Touched::Past(epoch.as_u64(), leaf),
        _ => Touched::Any,
    };
    let processed =
        party.run(touched, |group, provider, _| group.process_message(provider, message)).unwrap();
    if let ProcessedMessageContent::StagedCommitMessage(staged) = processed.into_content() {
        party.run(Touched::Any, |group, provider, _| group.merge_staged_commit(provider, *staged)).unwrap();
    }
}

#[derive(Debug, Clone)]
enum Step {
    /// Seal a message, and keep it.
    Seal(usize),
    /// Deliver one of the kept messages, in any order.
    Deliver(prop::sample::Index),
    /// Commit, and deliver the commit at once.
    Commit(usize),
    Load(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..2_usize).prop_map(Step::Seal),
        4 => any::<prop::sample::Index>().prop_map(Step::Deliver),
        1 => (0..2_usize).prop_map(Step::Commit),
        1 => (0..2_usize).prop_map(Step::Load),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn storage_holds_what_openmls_wrote(steps in proptest::collection::vec(step(), 1..40)) {
        let mut parties = pair();
        let mut kept = Vec::new();
        for step in steps {
            match step {
                Step::Seal(sender) => {
                    let touched = Touched::Current(u32::try_from(sender).unwrap());
                    let message = parties[sender].run(touched, |group, provider, signer| {
                        group.create_message(provider, signer, b"hello").unwrap().to_bytes().unwrap()
                    });
                    kept.push((1 - sender, message));
                }
                Step::Deliver(index) if !kept.is_empty() => {
                    let (receiver, message) = kept.swap_remove(index.index(kept.len()));
                    receive(&mut parties[receiver], &message);
                }
                Step::Deliver(_) => {}
                Step::Commit(sender) => {
                    let commit = parties[sender].run(Touched::Any, |group, provider, signer| {
                        let bundle = group.self_update(provider, signer, Default::default()).unwrap();
                        group.merge_pending_commit(provider).unwrap();
                        bundle.into_commit().to_bytes().unwrap()
                    });
                    receive(&mut parties[1 - sender], &commit);
                }
                Step::Load(party) => parties[party].load(),
            }
        }
    }
}

#[test]
fn used_secrets_leave_storage() {
    let mut parties = pair();
    let secrets = |party: &Party, encoding: &[u8]| {
        let mut records = party.storage.records.iter().filter(|((_, name), _)| name.starts_with(PREFIX));
        records.any(|(_, value)| value.windows(encoding.len()).any(|window| window == encoding))
    };
    let current_tree = |party: &mut Party| {
        let provider = Provider::new(&mut party.storage, &mut party.rng, &mut party.cache);
        let stored: Option<Stored> =
            provider.storage().message_secrets(party.group.as_ref().unwrap().group_id()).unwrap();
        stored.unwrap().0.at(&[MESSAGE_SECRETS, SECRET_TREE, "parent_nodes"])
    };
    // The root of the secret tree, from which every key of the epoch derives.
    let root = current_tree(&mut parties[1]).longest_bytes();
    assert_eq!(root.len(), 32);
    assert!(secrets(&parties[1], &root));
    let message = parties[0].run(Touched::Current(0), |group, provider, signer| {
        group.create_message(provider, signer, b"hello").unwrap().to_bytes().unwrap()
    });
    receive(&mut parties[1], &message);
    assert!(!secrets(&parties[1], &root));
    assert_eq!(current_tree(&mut parties[1]).longest_bytes(), Vec::<u8>::new());
}

#[test]
fn a_removed_group_leaves_no_records() {
    let [mut one, _] = pair();
    one.run(Touched::Any, |group, provider, signer| {
        group.remove_members(provider, signer, &[LeafNodeIndex::new(1)]).unwrap();
        group.merge_pending_commit(provider).unwrap();
    });
    let mut group = one.group.take().unwrap();
    let provider = Provider::new(&mut one.storage, &mut one.rng, &mut one.cache);
    group.delete(provider.storage()).unwrap();
    drop(provider);
    assert_eq!(one.storage.records.keys().filter(|(namespace, _)| namespace != b"own").count(), 0);
}

#[test]
fn a_missing_record_is_noticed() {
    let [mut one, _] = pair();
    let id = one.group.take().unwrap().group_id().clone();
    let names: Vec<_> =
        one.storage.records.keys().filter(|(_, name)| name.starts_with(PREFIX)).cloned().collect();
    for name in names {
        let kept = one.storage.records.remove(&name).unwrap();
        let mut cache = StorageCache::default();
        let provider = Provider::new(&mut one.storage, &mut one.rng, &mut cache);
        let loaded = MlsGroup::load(provider.storage(), &id);
        assert!(!matches!(loaded, Ok(Some(_))), "loaded without {name:?}");
        drop(provider);
        one.storage.records.insert(name, kept);
    }
}
