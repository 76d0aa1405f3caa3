//! The log of names, held to by clients that believe nothing.

mod answers;
mod history;
mod older;
mod refusals;

use std::collections::BTreeMap;

use qpq_crypto::account::{sign_deletion, sign_revocation};
use qpq_crypto::identity::IdentityKey;
use qpq_crypto::transparency::checkpoint::Checkpoint;
use qpq_crypto::transparency::log::NodePlace;
use qpq_crypto::transparency::merkle::LogHash;
use qpq_crypto::transparency::{
    Consistency, LogEntry, LogKeys, LogView, Observed, Revocation, TreeHead, Violation, audit, log,
};
use qpq_proto::ids::{Identity, NodeKey};
use qpq_proto::v1::revoke_key_request::Revocation as Revoked;
use qpq_proto::v1::{
    AuditKeyTransparencyRequest, AuditKeyTransparencyResponse, CheckRevocationRequest,
    CheckRevocationResponse, DeleteAccountRequest, DeleteAccountResponse, IdentityRevocation,
    ResolveUserRequest, ResolveUserResponse, RevokeKeyRequest, RevokeKeyResponse,
};
use qpq_proto::{Failure, Method};

use super::people::{Person, log_in, on, prove, register};
use super::world::World;
use crate::input::{Caller, ConnectionId, Peer};

/// A node that asks, over a connection of its own.
const NODE: Caller = Caller {
    connection: ConnectionId(1_000),
    peer: Peer::Node(NodeKey::from_bytes([7; 32])),
    address: None,
    exporter: [0; 32],
};

/// Somebody who asks the relay, and remembers.
struct Client {
    view: LogView,
    /// Every head that was believed.
    heads: Vec<TreeHead>,
}

impl Client {
    /// Has seen nothing, and takes the keys that the relay shows.
    fn new(world: &mut World) -> Self {
        let keys = read(world, 0..0, 0).unwrap().keys.unwrap();
        Self { view: LogView::new(LogKeys::try_from(&keys).unwrap()), heads: Vec::new() }
    }

    /// Asks who is behind a name: which version of it, and who.
    fn who_is(
        &mut self,
        world: &mut World,
        username: &str,
    ) -> Result<(u64, Option<Identity>), Box<Violation>> {
        let answer = ask(world, username, self.view.size());
        let found = self.view.check_name(&username.to_lowercase(), &answer).map_err(Box::new)?;
        self.heads.extend(self.view.newest().cloned());
        assert!(found.is_none_or(|found| found.version == answer.version));
        Ok((answer.version, found.map(|found| found.identity)))
    }

    /// Asks whether an identity has ended.
    fn end_of(
        &mut self,
        world: &mut World,
        identity: &Identity,
    ) -> Result<Option<Revocation>, Box<Violation>> {
        let last_tree_size = self.view.size();
        let request = CheckRevocationRequest { identity_key: identity.to_vec(), last_tree_size };
        let answer: CheckRevocationResponse = world.call(NODE, Method::CheckRevocation, &request).unwrap();
        let found = self.view.check_revocation(identity, &answer).map_err(Box::new)?;
        self.heads.extend(self.view.newest().cloned());
        Ok(found)
    }
}

fn ask(world: &mut World, username: &str, last_tree_size: u64) -> ResolveUserResponse {
    let request = ResolveUserRequest { username: username.to_owned(), last_tree_size };
    world.call(NODE, Method::ResolveUser, &request).unwrap()
}

fn read(
    world: &mut World,
    entries: std::ops::Range<u64>,
    from_tree_size: u64,
) -> Result<AuditKeyTransparencyResponse, Failure> {
    let request = AuditKeyTransparencyRequest { start: entries.start, end: entries.end, from_tree_size };
    world.call(super::world::STRANGER, Method::AuditKeyTransparency, &request)
}

/// Reads the whole log, a page at a time, and sees that each entry follows from those before; gives the root of the log
/// at each size.
fn audit_all(world: &mut World, view: &LogView) -> Vec<LogHash> {
    let (mut prefix_nodes, mut nodes) = (BTreeMap::new(), BTreeMap::<NodePlace, LogHash>::new());
    let root = |size, nodes: &BTreeMap<NodePlace, LogHash>| {
        log::root(size, |place| Ok::<_, std::convert::Infallible>(nodes.get(&place).copied())).unwrap()
    };
    let mut roots = vec![root(0, &nodes)];
    loop {
        let size = roots.len() as u64 - 1;
        let page = read(world, size..u64::MAX, view.size()).unwrap();
        for entry in &page.entries {
            let entry = LogEntry::try_from(entry).unwrap();
            let read = |place| Ok::<_, std::convert::Infallible>(prefix_nodes.get(&place).copied());
            let written = audit(&entry, read).expect("an entry that follows");
            prefix_nodes.extend(written);
            let size = roots.len() as u64 - 1;
            let read = |place| Ok::<_, std::convert::Infallible>(nodes.get(&place).copied());
            let written = log::append(size, entry.hash(), read).unwrap();
            nodes.extend(written);
            roots.push(root(size + 1, &nodes));
        }
        if page.entries.is_empty() {
            check_page(&page, view, &roots);
            return roots;
        }
    }
}

/// The last page of an audit: its head, in both forms, is of the tree that was read, and grew from what was seen.
fn check_page(page: &AuditKeyTransparencyResponse, view: &LogView, roots: &[LogHash]) {
    let (size, root) = (roots.len() as u64 - 1, roots[roots.len() - 1]);
    assert_eq!((page.tree_size, page.root.as_slice()), (size, root.as_slice()));
    let head = TreeHead::try_from(page.tree_head.as_ref().unwrap()).unwrap();
    assert_eq!((head.size, head.root), (size, root));
    let consistency = page.consistency.as_ref().map(|proof| Consistency::try_from(proof).unwrap());
    let observed = view.clone().observe(&head, consistency.as_ref());
    assert!(matches!(observed, Ok(Observed::Known | Observed::Adopted)), "{observed:?}");
    let LogKeys { relay, log, .. } = view.keys();
    let checkpoint = Checkpoint::read_and_verify(&page.checkpoint, relay, log).unwrap();
    assert_eq!((checkpoint.size, checkpoint.root), (size, root));
}

/// Somebody whose connection has their number.
fn join(world: &mut World, number: u8, name: &'static str) -> Person {
    let person = Person::new(number, name);
    assert_eq!(register(world, &person, number), Ok(true));
    person
}

fn delete(world: &mut World, person: &Person, connection: u8) -> Result<(), Failure> {
    log_in(world, person, 1, connection)?;
    let proven = prove(world, person, connection)?;
    let request = DeleteAccountRequest {
        finalization: proven.finalization,
        signature: sign_deletion(&person.identity(), &proven.session_key, &[connection; 32]).to_vec(),
    };
    let answer: Result<DeleteAccountResponse, _> =
        world.call(on(connection), Method::DeleteAccount, &request);
    answer.map(|_| ())
}

fn ending(key: &IdentityKey, sequence: u64, reason: &str) -> IdentityRevocation {
    IdentityRevocation {
        identity_key: key.public().to_vec(),
        sequence,
        reason: reason.to_owned(),
        signature: sign_revocation(key, sequence, reason).to_vec(),
    }
}

/// Revokes over a connection that is logged in; gives the index of the entry.
fn revoke(world: &mut World, connection: u8, revoked: Revoked) -> Result<u64, Failure> {
    let request = RevokeKeyRequest { revocation: Some(revoked) };
    let answer: Result<RevokeKeyResponse, _> = world.call(on(connection), Method::RevokeKey, &request);
    answer.map(|answer| answer.leaf_index)
}
