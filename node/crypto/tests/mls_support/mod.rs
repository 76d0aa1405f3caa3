//! People with devices, and storage whose transactions can be dropped, for tests and benchmarks of groups.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]
#![allow(clippy::unwrap_used, reason = "these are helpers of tests")]

use std::collections::BTreeMap;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use qpq_crypto::certificate::DeviceCertificate;
use qpq_crypto::identity::{DeviceSecret, IdentityKey};
use qpq_crypto::ids::NodeKey;
use qpq_crypto::key_value::{KeyValue, KeyValueError};
use qpq_crypto::mls::{
    CLASSICAL, Changes, CommitView, Committed, Context, Group, GroupId, HYBRID, JoinView, KeyPackage,
    MlsError, Opened, Refusal, Suite, ValidatedKeyPackage,
};

type Records = BTreeMap<(Vec<u8>, Vec<u8>), Vec<u8>>;

/// Storage in memory: what is written counts once it is committed.
#[derive(Default)]
pub struct MemoryStorage {
    committed: Records,
    current: Records,
    /// Writes so far, and their bytes.
    pub puts: usize,
    pub bytes_put: usize,
    /// How many more writes succeed.
    pub writes_left: Option<usize>,
}

impl MemoryStorage {
    pub fn commit(&mut self) {
        self.committed.clone_from(&self.current);
    }

    pub fn abort(&mut self) {
        self.current.clone_from(&self.committed);
    }

    /// All records, by namespace and name.
    pub fn records(&self) -> &BTreeMap<(Vec<u8>, Vec<u8>), Vec<u8>> {
        &self.current
    }

    /// Removes a record, cuts its end off, or flips a bit of its first byte.
    pub fn damage(&mut self, namespace: &[u8], name: &[u8], damage: usize) {
        let key = (namespace.to_vec(), name.to_vec());
        let record = self.current.get_mut(&key).unwrap();
        match damage {
            0 => drop(self.current.remove(&key)),
            1 => drop(record.pop()),
            _ => record[0] ^= 0x40,
        }
    }

    fn count_write(&mut self) -> Result<(), KeyValueError> {
        match &mut self.writes_left {
            Some(0) => Err(KeyValueError("no more writes".into())),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl KeyValue for MemoryStorage {
    fn get(&self, namespace: &[u8], name: &[u8]) -> Result<Option<Vec<u8>>, KeyValueError> {
        Ok(self.current.get(&(namespace.to_vec(), name.to_vec())).cloned())
    }

    fn put(&mut self, namespace: &[u8], name: &[u8], value: &[u8]) -> Result<(), KeyValueError> {
        self.count_write()?;
        self.puts += 1;
        self.bytes_put += value.len();
        self.current.insert((namespace.to_vec(), name.to_vec()), value.to_vec());
        Ok(())
    }

    fn delete(&mut self, namespace: &[u8], name: &[u8]) -> Result<(), KeyValueError> {
        self.count_write()?;
        self.current.remove(&(namespace.to_vec(), name.to_vec()));
        Ok(())
    }

    fn copy_namespace(&mut self, from: &[u8], to: &[u8]) -> Result<(), KeyValueError> {
        self.clear_namespace(to)?;
        let copies: Vec<_> = self
            .current
            .iter()
            .filter(|((namespace, _), _)| namespace == from)
            .map(|((_, name), value)| ((to.to_vec(), name.clone()), value.clone()))
            .collect();
        self.current.extend(copies);
        Ok(())
    }

    fn clear_namespace(&mut self, namespace: &[u8]) -> Result<(), KeyValueError> {
        self.count_write()?;
        self.current.retain(|(candidate, _), _| candidate != namespace);
        Ok(())
    }
}

/// A person with one device.
pub struct Person {
    pub identity: IdentityKey,
    pub device: DeviceSecret,
    pub certificate: DeviceCertificate,
    pub storage: MemoryStorage,
    pub rng: ChaCha20Rng,
}

impl Person {
    pub fn new(number: u32) -> Self {
        Self::with_suites(number, &[HYBRID, CLASSICAL])
    }

    pub fn with_suites(number: u32, suites: &[u16]) -> Self {
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&number.to_le_bytes());
        let mut rng = ChaCha20Rng::from_seed(seed);
        let identity = IdentityKey::generate(&mut rng);
        let device = DeviceSecret::generate(&mut rng);
        let node = NodeKey::from_bytes(*DeviceSecret::generate(&mut rng).public().as_bytes());
        let certificate =
            DeviceCertificate::issue(&identity, device.public(), node, suites, 1_800_000_000_000).unwrap();
        Self { identity, device, certificate, storage: MemoryStorage::default(), rng }
    }

    pub fn cx(&mut self) -> Context<'_> {
        Context {
            storage: &mut self.storage,
            rng: &mut self.rng,
            device: &self.device,
            certificate: &self.certificate,
        }
    }

    pub fn key_package(&mut self, suite: Suite) -> ValidatedKeyPackage {
        let (message, reference) = KeyPackage::create(&mut self.cx(), suite, false).unwrap();
        let package = KeyPackage::validate(&message).unwrap();
        assert_eq!(package.reference, reference);
        package
    }

    pub fn create(&mut self, suite: Suite) -> Group {
        Group::create(&mut self.cx(), suite, b"record").unwrap()
    }

    pub fn join(&mut self, welcome: &[u8]) -> Group {
        Group::join(&mut self.cx(), welcome, &mut welcome_all).unwrap()
    }

    pub fn load(&mut self, id: GroupId) -> Group {
        Group::load(&mut self.cx(), &id).unwrap().unwrap()
    }

    pub fn commit(&mut self, group: &mut Group, changes: Changes<'_>) -> Committed {
        group.commit(&mut self.cx(), changes).unwrap()
    }

    pub fn seal(&mut self, group: &mut Group, plaintext: &[u8]) -> Vec<u8> {
        group.seal(&mut self.cx(), plaintext).unwrap()
    }

    pub fn open(&mut self, group: &mut Group, message: &[u8]) -> Result<Opened, MlsError> {
        group.open(&mut self.cx(), message, &mut allow_all)
    }
}

pub fn welcome_all(_: &JoinView<'_>) -> Result<(), Refusal> {
    Ok(())
}

pub fn allow_all(_: &CommitView<'_>) -> Result<(), Refusal> {
    Ok(())
}

/// The text of an application message.
pub fn plaintext(opened: Result<Opened, MlsError>) -> Vec<u8> {
    match opened.unwrap() {
        Opened::Application { plaintext, .. } => plaintext.to_vec(),
        other => panic!("not an application message: {other:?}"),
    }
}

/// Members of one group, each with its own view of it.
pub struct Circle {
    pub people: Vec<Person>,
    pub groups: Vec<Group>,
}

impl Circle {
    /// A group of `size` people: person 0 adds all others in one commit.
    pub fn new(size: usize, suite: Suite) -> Self {
        let mut people: Vec<_> = (0..u32::try_from(size).unwrap()).map(Person::new).collect();
        let packages: Vec<_> = people[1..].iter_mut().map(|person| person.key_package(suite)).collect();
        let mut founder = people[0].create(suite);
        let mut groups = Vec::new();
        if !packages.is_empty() {
            let committed = people[0].commit(&mut founder, Changes { add: &packages, ..Changes::default() });
            let welcome = committed.welcome.unwrap();
            groups.extend(people[1..].iter_mut().map(|person| person.join(&welcome)));
        }
        groups.insert(0, founder);
        Self { people, groups }
    }

    /// Two members of a group of `size`; the others are in it, but not followed.
    pub fn pair_of(size: usize, suite: Suite) -> Self {
        let mut people: Vec<_> = (0..u32::try_from(size).unwrap()).map(Person::new).collect();
        let packages: Vec<_> = people[1..].iter_mut().map(|person| person.key_package(suite)).collect();
        people.truncate(2);
        let mut founder = people[0].create(suite);
        let committed = people[0].commit(&mut founder, Changes { add: &packages, ..Changes::default() });
        let second = people[1].join(&committed.welcome.unwrap());
        Self { people, groups: vec![founder, second] }
    }

    /// One member commits, everybody else follows.
    pub fn commit(&mut self, committer: usize, changes: Changes<'_>) -> Committed {
        let committed = self.people[committer].commit(&mut self.groups[committer], changes);
        for index in (0..self.people.len()).filter(|index| *index != committer) {
            if self.groups[index].is_active() {
                let opened = self.people[index].open(&mut self.groups[index], &committed.commit);
                assert!(matches!(opened, Ok(Opened::Committed { .. })), "{opened:?}");
            }
        }
        committed
    }

    pub fn seal(&mut self, sender: usize, plaintext: &[u8]) -> Vec<u8> {
        self.people[sender].seal(&mut self.groups[sender], plaintext)
    }

    pub fn open(&mut self, receiver: usize, message: &[u8]) -> Result<Opened, MlsError> {
        self.people[receiver].open(&mut self.groups[receiver], message)
    }
}
