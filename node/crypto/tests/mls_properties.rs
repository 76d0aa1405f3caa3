//! Random histories of a group: whoever has seen the same commits is in the same epoch with the same members,
//! and every message is opened once by everyone it was sealed to, in whatever order it comes.

#![allow(clippy::unwrap_used, reason = "what cannot be set up here has failed")]

mod mls_support;

use std::collections::{BTreeMap, BTreeSet};

use mls_support::{Person, allow_all, plaintext};
use proptest::prelude::*;
use proptest::sample::Index;
use qpq_crypto::ids::DeviceKey;
use qpq_crypto::mls::{Changes, EpochId, Group, GroupId, MlsError, Opened, Suite};

const PEOPLE: u32 = 6;

#[derive(Debug, Clone)]
enum Step {
    /// Somebody commits: renews keys, adds a person from outside, removes a member, changes the record.
    Commit(Index, Kind),
    /// Somebody processes the next commit, if there is one.
    Follow(Index),
    /// Somebody seals a message.
    Seal(Index),
    /// One of the messages reaches somebody, perhaps again, perhaps too early.
    Deliver(Index, Index),
    /// Somebody's process stops before its transaction is committed, in the middle of one of these.
    Crash(Index, Index),
    /// Somebody's process stops and starts again.
    Restart(Index),
    /// Somebody goes back to a checkpoint and replays the commits since.
    Rewind(Index),
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Update,
    Add,
    Remove(u8),
    Record(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![
        Just(Kind::Update),
        Just(Kind::Add),
        any::<u8>().prop_map(Kind::Remove),
        any::<u8>().prop_map(Kind::Record),
    ];
    prop_oneof![
        3 => (any::<Index>(), kind).prop_map(|(who, kind)| Step::Commit(who, kind)),
        6 => any::<Index>().prop_map(Step::Follow),
        5 => any::<Index>().prop_map(Step::Seal),
        9 => (any::<Index>(), any::<Index>()).prop_map(|(what, to)| Step::Deliver(what, to)),
        2 => (any::<Index>(), any::<Index>()).prop_map(|(who, what)| Step::Crash(who, what)),
        2 => any::<Index>().prop_map(Step::Restart),
        1 => any::<Index>().prop_map(Step::Rewind),
    ]
}

/// What must hold, kept apart from the groups.
struct Member {
    person: Person,
    group: Option<Group>,
    /// The epochs it has been in since it joined, by their place in the history.
    epochs: BTreeSet<usize>,
    /// The place of its current epoch.
    at: usize,
    /// The messages it opened, and those it sealed itself.
    opened: BTreeSet<usize>,
    sealed: BTreeSet<usize>,
    is_removed: bool,
}

struct Message {
    bytes: Vec<u8>,
    epoch: usize,
}

struct History {
    id: GroupId,
    suite: Suite,
    members: Vec<Member>,
    /// Epochs in order: id, devices of the members, the commit that made it.
    epochs: Vec<(EpochId, BTreeSet<DeviceKey>, Vec<u8>)>,
    messages: Vec<Message>,
}

impl History {
    fn new(suite: Suite) -> Self {
        let mut members: Vec<_> = (0..PEOPLE)
            .map(|number| Member {
                person: Person::new(number),
                group: None,
                epochs: BTreeSet::new(),
                at: 0,
                opened: BTreeSet::new(),
                sealed: BTreeSet::new(),
                is_removed: false,
            })
            .collect();
        let founder = &mut members[0];
        let group = founder.person.create(suite);
        founder.person.storage.commit();
        founder.epochs.insert(0);
        let id = group.id();
        let devices = BTreeSet::from([founder.person.device.public()]);
        let epochs = vec![(group.epoch_id(), devices, Vec::new())];
        founder.group = Some(group);
        let mut history = Self { id, suite, members, epochs, messages: Vec::new() };
        for _ in 0..2 {
            history.commit(0, Kind::Add);
        }
        history
    }

    /// Those in the group as far as they know.
    fn active(&self) -> Vec<usize> {
        let is_active = |member: &Member| member.group.as_ref().is_some_and(Group::is_active);
        (0..self.members.len()).filter(|index| is_active(&self.members[*index])).collect()
    }

    fn commit(&mut self, who: usize, kind: Kind) {
        let tip = self.epochs.len() - 1;
        if self.members[who].at != tip {
            return;
        }
        let mut devices = self.epochs[tip].1.clone();
        let outside = self.members.iter().position(|member| {
            !devices.contains(&member.person.device.public())
                && member.group.as_ref().is_none_or(|group| !group.is_active())
        });
        let mut add = Vec::new();
        let mut remove = Vec::new();
        let record = if let Kind::Record(byte) = kind { Some([byte]) } else { None };
        match (kind, outside) {
            (Kind::Add, Some(guest)) => {
                add.push(self.members[guest].person.key_package(self.suite));
                self.members[guest].person.storage.commit();
            }
            (Kind::Remove(byte), _) => {
                let members = self.members[who].group.as_ref().unwrap().members();
                let victim = &members[usize::from(byte) % members.len()];
                if victim.certificate == self.members[who].person.certificate || members.len() < 3 {
                    return;
                }
                remove.push(victim.leaf);
                devices.remove(&victim.certificate.device);
            }
            _ => {}
        }
        let committer = &mut self.members[who];
        let changes = Changes {
            add: &add,
            remove: &remove,
            record: record.as_ref().map(|record| record.as_slice()),
            ..Changes::default()
        };
        let committed = committer.person.commit(committer.group.as_mut().unwrap(), changes);
        committer.person.storage.commit();
        devices.extend(add.iter().map(|package| package.certificate.device));
        assert_eq!(committed.parent, self.epochs[tip].0);
        self.epochs.push((committed.epoch, devices, committed.commit));
        self.enter(who, tip + 1);
        if let (Some(welcome), Some(guest)) = (committed.welcome, outside) {
            let member = &mut self.members[guest];
            member.group = Some(member.person.join(&welcome));
            member.person.storage.commit();
            member.is_removed = false;
            // Messages of its earlier life in the group are gone with its old branch.
            member.epochs.clear();
            self.enter(guest, tip + 1);
        }
    }

    /// Notes that a member is in an epoch now, and checks that it is.
    fn enter(&mut self, who: usize, epoch: usize) {
        let member = &mut self.members[who];
        member.at = epoch;
        member.epochs.insert(epoch);
        let group = member.group.as_ref().unwrap();
        let (id, devices, _) = &self.epochs[epoch];
        assert_eq!(group.epoch_id(), *id);
        let found: BTreeSet<_> =
            group.members().into_iter().map(|member| member.certificate.device).collect();
        assert_eq!(found, *devices);
    }

    fn follow(&mut self, who: usize) {
        let next = self.members[who].at + 1;
        let Some((id, devices, commit)) = self.epochs.get(next) else { return };
        let member = &mut self.members[who];
        let stays = devices.contains(&member.person.device.public());
        let opened = member.person.open(member.group.as_mut().unwrap(), commit).unwrap();
        let Opened::Committed { epoch, removed_us, .. } = opened else { panic!("not a commit") };
        assert_eq!((epoch, removed_us), (stays.then_some(*id), !stays));
        member.person.storage.commit();
        if stays {
            self.enter(who, next);
        } else {
            self.members[who].is_removed = true;
        }
    }

    fn seal(&mut self, who: usize) {
        let number = self.messages.len();
        let member = &mut self.members[who];
        let bytes = member.person.seal(member.group.as_mut().unwrap(), &number.to_be_bytes());
        member.person.storage.commit();
        member.sealed.insert(number);
        self.messages.push(Message { bytes, epoch: member.at });
    }

    fn deliver(&mut self, number: usize, to: usize) {
        let Message { bytes, epoch } = &self.messages[number];
        let member = &mut self.members[to];
        let result = member.person.open(member.group.as_mut().unwrap(), bytes);
        if *epoch > member.at {
            assert!(matches!(result, Err(MlsError::FutureEpoch { .. })), "{result:?}");
        } else if !member.epochs.contains(epoch) {
            assert!(matches!(result, Err(MlsError::PastEpoch { .. })), "{result:?}");
        } else if member.sealed.contains(&number) {
            assert!(matches!(result, Ok(Opened::OwnEcho)), "{result:?}");
        } else if member.opened.insert(number) {
            assert_eq!(plaintext(result), number.to_be_bytes());
        } else {
            assert!(matches!(result, Ok(Opened::Duplicate)), "{result:?}");
        }
        member.person.storage.commit();
    }

    /// Does something, and forgets that it did.
    fn crash(&mut self, who: usize, what: Index) {
        let next = self.epochs.get(self.members[who].at + 1).map(|(_, _, commit)| commit);
        let member = &mut self.members[who];
        let group = member.group.as_mut().unwrap();
        let unopened = self.messages.iter().enumerate().find(|(number, message)| {
            message.epoch == member.at && !member.opened.contains(number) && !member.sealed.contains(number)
        });
        match (what.index(4), next, unopened) {
            (0, Some(commit), _) => {
                drop(group.open(&mut member.person.cx(), commit, &mut allow_all).unwrap())
            }
            (1, _, Some((_, message))) => drop(member.person.open(group, &message.bytes).unwrap()),
            (2, ..) => drop(member.person.commit(group, Changes::default())),
            _ => drop(member.person.seal(group, b"lost")),
        }
        member.person.storage.abort();
        self.restart(who);
    }

    fn restart(&mut self, who: usize) {
        let id = self.id;
        let member = &mut self.members[who];
        member.group = Some(member.person.load(id));
        let at = member.at;
        self.enter(who, at);
    }

    /// Checkpoints, follows to the tip, goes back, and follows again.
    fn rewind(&mut self, who: usize) {
        let member = &mut self.members[who];
        let start = member.at;
        let checkpoint = member.group.as_ref().unwrap().checkpoint(&mut member.person.cx()).unwrap();
        while !self.members[who].is_removed && self.members[who].at + 1 < self.epochs.len() {
            self.follow(who);
        }
        let member = &mut self.members[who];
        let rewound = Group::rewind(&mut member.person.cx(), &self.id, &checkpoint).unwrap().unwrap();
        Group::drop_checkpoint(&mut member.person.cx(), &self.id, &checkpoint).unwrap();
        member.person.storage.commit();
        member.group = Some(rewound);
        member.is_removed = false;
        member.epochs.retain(|epoch| *epoch <= start);
        self.enter(who, start);
    }

    fn run(&mut self, step: &Step) {
        let active = self.active();
        let pick = |who: &Index| active[who.index(active.len())];
        match step {
            Step::Commit(who, kind) => self.commit(pick(who), *kind),
            Step::Follow(who) => self.follow(pick(who)),
            Step::Seal(who) => self.seal(pick(who)),
            Step::Deliver(what, to) if !self.messages.is_empty() => {
                self.deliver(what.index(self.messages.len()), pick(to));
            }
            Step::Deliver(..) => {}
            Step::Crash(who, what) => self.crash(pick(who), *what),
            Step::Restart(who) => self.restart(pick(who)),
            Step::Rewind(who) => self.rewind(pick(who)),
        }
    }

    /// Everybody hears everything.
    fn settle(&mut self) {
        for who in self.active() {
            while !self.members[who].is_removed && self.members[who].at + 1 < self.epochs.len() {
                self.follow(who);
            }
        }
        for who in self.active() {
            for number in 0..self.messages.len() {
                self.deliver(number, who);
            }
        }
        let tip = self.epochs.len() - 1;
        let there: BTreeMap<_, _> = self
            .active()
            .into_iter()
            .map(|who| (self.members[who].person.device.public(), self.members[who].at))
            .collect();
        assert_eq!(there.keys().copied().collect::<BTreeSet<_>>(), self.epochs[tip].1);
        assert!(there.values().all(|at| *at == tip));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn histories_agree(steps in proptest::collection::vec(step(), 1..60)) {
        let mut history = History::new(Suite::Classical);
        for step in &steps {
            history.run(step);
        }
        history.settle();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hybrid_histories_agree(steps in proptest::collection::vec(step(), 1..60)) {
        let mut history = History::new(Suite::Hybrid);
        for step in &steps {
            history.run(step);
        }
        history.settle();
    }
}
