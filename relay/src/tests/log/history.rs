//! Whatever happens, in whatever order: everybody is told the same, and can prove it.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use qpq_proto::limits::RelayLimits;

use super::*;

const NAMES: [&str; 3] = ["ada", "bob", "cyd"];
const PEOPLE: u8 = 5;

#[derive(Debug, Clone)]
enum Step {
    Register {
        person: u8,
        name: usize,
    },
    Delete {
        person: u8,
    },
    Revoke {
        person: u8,
    },
    /// A client asks about a name and a person.
    Ask {
        client: usize,
        name: usize,
        person: u8,
    },
    /// The clock jumps, in seconds.
    Clock {
        seconds: i64,
    },
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (person, name) = (1..=PEOPLE, 0..NAMES.len());
    let step = prop_oneof![
        4 => (person.clone(), name.clone()).prop_map(|(person, name)| Step::Register { person, name }),
        2 => person.clone().prop_map(|person| Step::Delete { person }),
        1 => person.clone().prop_map(|person| Step::Revoke { person }),
        5 => (0..2_usize, name, person)
            .prop_map(|(client, name, person)| Step::Ask { client, name, person }),
        1 => (-3_600..3_600_i64).prop_map(|seconds| Step::Clock { seconds }),
        1 => Just(Step::Restart),
    ];
    vec(step, 1..40)
}

/// What must be said.
#[derive(Default)]
struct Model {
    /// Versions of the names, and who is behind them.
    names: BTreeMap<usize, (u64, Option<u8>)>,
    /// The names of those who have an account.
    accounts: BTreeMap<u8, usize>,
    revoked: BTreeSet<u8>,
    entries: usize,
}

impl Model {
    fn set(&mut self, name: usize, person: Option<u8>) {
        let version = self.names.get(&name).map_or(1, |(version, _)| version + 1);
        self.names.insert(name, (version, person));
        self.entries += 1;
    }

    fn who_is(&self, name: usize) -> (u64, Option<Identity>) {
        let (version, person) = self.names.get(&name).copied().unwrap_or_default();
        (version, person.map(identity))
    }
}

fn identity(person: u8) -> Identity {
    IdentityKey::from_seed(&[person; 32]).public()
}

fn take(world: &mut World, clients: &mut [Client], model: &mut Model, step: &Step) {
    match *step {
        Step::Register { person, name } => {
            let is_free = model.names.get(&name).is_none_or(|(_, person)| person.is_none());
            let may = is_free && !model.accounts.contains_key(&person) && !model.revoked.contains(&person);
            let registered = register(world, &Person::new(person, NAMES[name]), person);
            assert_eq!(registered.is_ok(), may);
            if may {
                model.set(name, Some(person));
                model.accounts.insert(person, name);
            }
        }
        Step::Delete { person } => {
            let name = model.accounts.get(&person).copied().filter(|_| !model.revoked.contains(&person));
            let deleted = delete(world, &Person::new(person, NAMES[name.unwrap_or_default()]), person);
            assert_eq!(deleted.is_ok(), name.is_some(), "{deleted:?}");
            if let Some(name) = name {
                model.set(name, None);
                model.accounts.remove(&person);
            }
        }
        Step::Revoke { person } => {
            let Some(name) = model.accounts.get(&person) else { return };
            let key = IdentityKey::from_seed(&[person; 32]);
            let logged_in = log_in(world, &Person::new(person, NAMES[*name]), 1, person);
            assert_eq!(logged_in.is_err(), model.revoked.contains(&person));
            if logged_in.is_ok() {
                let index = revoke(world, person, Revoked::Identity(ending(&key, 2, "enough"))).unwrap();
                assert_eq!(index, model.entries as u64);
                model.entries += 1;
                model.revoked.insert(person);
            }
        }
        Step::Ask { client, name, person } => {
            let client = &mut clients[client];
            assert_eq!(client.who_is(world, NAMES[name]), Ok(model.who_is(name)));
            let end = client.end_of(world, &identity(person)).unwrap();
            assert_eq!(end.is_some(), model.revoked.contains(&person));
        }
        Step::Clock { seconds } => {
            world.now.wall_ms = world.now.wall_ms.saturating_add_signed(seconds * 1_000);
        }
        Step::Restart => world.restart("").unwrap(),
    }
}

/// Every name and person, asked about by somebody whom a head has been shown, and nothing else.
fn ask_everything(world: &mut World, model: &Model, seen: Option<&TreeHead>) -> Client {
    let mut client = Client::new(world);
    if let Some(seen) = seen {
        client.view.observe(seen, None).unwrap();
    }
    for (number, name) in NAMES.iter().enumerate() {
        assert_eq!(client.who_is(world, name), Ok(model.who_is(number)), "{name} after {seen:?}");
    }
    for person in 1..=PEOPLE {
        let end = client.end_of(world, &identity(person)).unwrap();
        assert_eq!(end.is_some(), model.revoked.contains(&person));
    }
    client
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn everybody_is_told_the_truth_and_the_same(steps in steps()) {
        let mut world = World::with(RelayLimits { log_entries_per_answer_max: 3, ..RelayLimits::ROUTER });
        let mut clients = [Client::new(&mut world), Client::new(&mut world)];
        let mut model = Model::default();
        for step in &steps {
            take(&mut world, &mut clients, &mut model, step);
        }

        let stranger = ask_everything(&mut world, &model, None);
        let roots = audit_all(&mut world, &stranger.view);
        prop_assert_eq!(roots.len(), model.entries + 1);
        let heads: Vec<_> = clients.iter().flat_map(|client| client.heads.clone()).collect();
        for head in &heads {
            prop_assert_eq!(roots[usize::try_from(head.size).unwrap()], head.root);
            prop_assert!(heads.iter().all(|other| head.contradiction(other).is_none()));
        }
        let distinct: BTreeMap<u64, &TreeHead> = heads.iter().map(|head| (head.size, head)).collect();
        for head in distinct.values() {
            ask_everything(&mut world, &model, Some(head));
        }
    }
}
