//! People who register and delete their accounts, so that names go from one to another, and one who asks who is behind them.

use qpq_proto::ids::Identity;
use qpq_tests::{RelayAddress, RelayUser};

use crate::log::Asker;
use crate::visitor::{Arrivals, Kept};

pub(crate) struct Accounts {
    asker: Asker,
    /// Those who stay, with their names.
    others: Vec<(String, Identity)>,
    names: [Kept<Holder>; 10],
    /// How many people were thought of.
    people: u32,
    turn: usize,
}

/// What the log says of a name: how often it was set, and whose it is by number.
type Holder = (u64, Option<u32>);

/// The first number of those who come and go.
const FIRST: u32 = 1_000;

impl Accounts {
    /// The last to come: everybody else is there, and stays.
    pub(crate) async fn arrive(mut arrivals: Arrivals) -> Self {
        let asker = Asker::new(arrivals.next().await).await;
        let names = std::array::from_fn(|_| Kept::new((0, None)));
        Self { asker, others: arrivals.people, names, people: 0, turn: 0 }
    }

    pub(crate) async fn act(&mut self, relay: &RelayAddress) {
        loop {
            let place = self.turn % self.names.len();
            self.turn += 1;
            let (version, holder) = *self.names[place].known();
            match holder {
                None => self.register(relay, place, version).await,
                Some(number) => self.delete(relay, place, version, number).await,
            }
            self.names[place].done();
            let found = self.asker.resolve(&name(place)).await;
            assert_eq!(found, shown(self.names[place].known()), "{}", name(place));
        }
    }

    async fn register(&mut self, relay: &RelayAddress, place: usize, version: u64) {
        let number = FIRST + self.people;
        self.people += 1;
        let line = relay.connect().await.unwrap();
        self.names[place].want((version + 1, Some(number)));
        person(number, place).register(&line).await.unwrap();
    }

    async fn delete(&mut self, relay: &RelayAddress, place: usize, version: u64, number: u32) {
        let (person, line) = (person(number, place), relay.connect().await.unwrap());
        person.log_in(&line).await.unwrap();
        let request = person.deletion(&line).await.unwrap();
        self.names[place].want((version + 1, None));
        line.delete_account(&request).await.unwrap();
    }

    /// Everybody who is registered is found, nobody else is, and the log says of nobody more than was done.
    pub(crate) async fn check(&mut self, relay: &RelayAddress) {
        self.asker.visitor.enter(relay).await;
        for (name, identity) in &self.others {
            assert_eq!(self.asker.resolve(name).await, (1, Some(*identity)), "{name}");
        }
        let mut entries = self.others.len() as u64;
        for place in 0..self.names.len() {
            let found = self.asker.resolve(&name(place)).await;
            entries += found.0;
            let number = found.1.map(|identity| self.number_of(place, identity));
            self.names[place].settle((found.0, number));
            if let Some(identity) = found.1 {
                assert_eq!(self.asker.name_of(identity).await, name(place));
            }
        }
        assert_eq!(self.asker.size(), entries, "each entry stands for something that was done");
    }

    /// Which of those who tried to have a name it is.
    #[track_caller]
    fn number_of(&self, place: usize, identity: Identity) -> u32 {
        let tried = self.names[place].tried().filter_map(|(_, number)| *number);
        let found = { tried }.find(|number| person(*number, place).identity() == identity);
        found.unwrap_or_else(|| panic!("{}: {identity} never asked for it", name(place)))
    }

    /// The log as a whole.
    pub(crate) async fn finish(&mut self) {
        self.asker.audit().await;
    }

    pub(crate) fn summary(&self) -> String {
        format!("{} people came and went, {} entries in the log", self.people, self.asker.size())
    }
}

/// What the log says of a name whose holder is known by number.
fn shown((version, holder): &Holder) -> (u64, Option<Identity>) {
    (*version, holder.map(|number| RelayUser::new(number).identity()))
}

fn name(place: usize) -> String {
    format!("name{place}")
}

fn person(number: u32, place: usize) -> RelayUser {
    RelayUser::new(number).named(&name(place))
}
