//! Who comes back after each cut, and what it remembers.

use std::fmt::Debug;

use qpq_net::direct::DirectClient;
use qpq_proto::ids::Identity;
use qpq_proto::{CallError, Client, Status};
use qpq_tests::{RelayAddress, RelayUser};

pub(crate) type Connection = Client<DirectClient>;

/// The users of a relay, in the order in which they come.
pub(crate) struct Arrivals {
    pub(crate) relay: RelayAddress,
    /// Who came so far, each under a name of the own.
    pub(crate) people: Vec<(String, Identity)>,
}

impl Arrivals {
    pub(crate) fn new(relay: &RelayAddress) -> Self {
        Self { relay: relay.clone(), people: Vec::new() }
    }

    /// One more registers and logs in.
    pub(crate) async fn next(&mut self) -> Visitor {
        let number = u32::try_from(self.people.len()).unwrap();
        let user = RelayUser::new(number);
        let line = self.relay.connect().await.unwrap();
        user.register(&line).await.unwrap();
        let token = user.log_in(&line).await.unwrap();
        self.people.push((format!("user{number}"), user.identity()));
        Visitor { user, token, line }
    }
}

/// Somebody with a session that outlives its connection.
pub(crate) struct Visitor {
    pub(crate) user: RelayUser,
    token: [u8; 32],
    line: Connection,
}

impl Visitor {
    /// Comes back with the session it had.
    pub(crate) async fn enter(&mut self, relay: &RelayAddress) {
        self.line = relay.connect().await.unwrap();
        self.user.resume(&self.line, &self.token).await.unwrap();
    }

    /// Logs in anew, for a session that was ended.
    pub(crate) async fn log_in(&mut self, relay: &RelayAddress) {
        self.line = relay.connect().await.unwrap();
        self.token = self.user.log_in(&self.line).await.unwrap();
    }

    /// The connection of the present run of the relay.
    pub(crate) fn line(&self) -> &Connection {
        &self.line
    }

    pub(crate) fn identity(&self) -> Identity {
        self.user.identity()
    }
}

/// Something that the relay keeps: as its newest change was acknowledged, and as it is if the change under way was carried
/// out.
#[derive(Debug)]
pub(crate) struct Kept<T> {
    known: T,
    wanted: Option<T>,
    /// Changes that were acknowledged.
    pub(crate) changes: u32,
}

impl<T: PartialEq + Debug> Kept<T> {
    pub(crate) fn new(known: T) -> Self {
        Self { known, wanted: None, changes: 0 }
    }

    pub(crate) fn known(&self) -> &T {
        &self.known
    }

    /// As it may be: as it was last acknowledged, and as the change under way would make it.
    pub(crate) fn tried(&self) -> impl Iterator<Item = &T> {
        std::iter::once(&self.known).chain(&self.wanted)
    }

    /// A change is about to be asked for.
    pub(crate) fn want(&mut self, wanted: T) {
        self.wanted = Some(wanted);
    }

    /// The change was acknowledged.
    pub(crate) fn done(&mut self) {
        self.known = self.wanted.take().expect("a change is under way");
        self.changes += 1;
    }

    /// After a cut it is found to be like this, and so it stays.
    #[track_caller]
    pub(crate) fn settle(&mut self, found: T) {
        let is_possible = found == self.known || self.wanted.as_ref() == Some(&found);
        assert!(is_possible, "{found:?} is kept: {self:?}");
        self.wanted = None;
        self.known = found;
    }
}

/// With which status a call was refused.
#[track_caller]
pub(crate) fn status(error: &CallError) -> Status {
    error.failure().unwrap_or_else(|| panic!("{error}")).status
}
