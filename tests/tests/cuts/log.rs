//! One who asks who is behind a name, believes nothing, and remembers what the relay signed.

use std::collections::BTreeMap;
use std::convert::Infallible;

use qpq_crypto::transparency::log::{self, NodePlace};
use qpq_crypto::transparency::merkle::LogHash;
use qpq_crypto::transparency::prefix::{PrefixNode, PrefixPlace};
use qpq_crypto::transparency::{Consistency, LogEntry, LogKeys, LogView, TreeHead, audit};
use qpq_proto::ids::Identity;
use qpq_proto::v1::{
    AuditKeyTransparencyRequest, AuditKeyTransparencyResponse, ResolveIdentityRequest, ResolveUserRequest,
};

use crate::visitor::{Connection, Visitor};

/// What somebody knows of the log, before and after a cut.
pub(crate) struct Asker {
    pub(crate) visitor: Visitor,
    view: LogView,
}

impl Asker {
    /// Has seen nothing, and takes the keys that the relay shows.
    pub(crate) async fn new(visitor: Visitor) -> Self {
        let keys = read(visitor.line(), 0, 0).await.keys.unwrap();
        Self { visitor, view: LogView::new(LogKeys::try_from(&keys).unwrap()) }
    }

    /// Entries of the newest tree that was seen.
    pub(crate) fn size(&self) -> u64 {
        self.view.size()
    }

    /// Which version of a name the log has, and who is behind it. The proof holds, and so does that the log has grown
    /// from the one that was seen before.
    pub(crate) async fn resolve(&mut self, name: &str) -> (u64, Option<Identity>) {
        let request = ResolveUserRequest { username: name.to_owned(), last_tree_size: self.view.size() };
        let answer = self.visitor.line().resolve_user(&request).await.unwrap();
        let found = self.view.check_name(name, &answer).unwrap();
        (answer.version, found.map(|found| found.identity))
    }

    /// The name of somebody.
    pub(crate) async fn name_of(&self, identity: Identity) -> String {
        let request = ResolveIdentityRequest { identity_key: identity.to_vec() };
        self.visitor.line().resolve_identity(&request).await.unwrap().username
    }

    /// Reads the whole log, and sees that each entry follows from those before and that what was signed is all of them.
    pub(crate) async fn audit(&mut self) {
        let mut rebuilt = Rebuilt::default();
        loop {
            let page = read(self.visitor.line(), rebuilt.size, self.view.size()).await;
            if page.entries.is_empty() {
                let head = TreeHead::try_from(page.tree_head.as_ref().unwrap()).unwrap();
                let grown = page.consistency.as_ref().map(|grown| Consistency::try_from(grown).unwrap());
                self.view.observe(&head, grown.as_ref()).unwrap();
                assert_eq!((head.size, head.root), (rebuilt.size, rebuilt.root()));
                return;
            }
            for entry in &page.entries {
                rebuilt.append(&LogEntry::try_from(entry).unwrap());
            }
        }
    }
}

async fn read(line: &Connection, start: u64, from_tree_size: u64) -> AuditKeyTransparencyResponse {
    let request = AuditKeyTransparencyRequest { start, end: u64::MAX, from_tree_size };
    line.audit_key_transparency(&request).await.unwrap()
}

/// A log that was put together from its entries.
#[derive(Default)]
struct Rebuilt {
    size: u64,
    prefixes: BTreeMap<PrefixPlace, PrefixNode>,
    nodes: BTreeMap<NodePlace, LogHash>,
}

impl Rebuilt {
    fn append(&mut self, entry: &LogEntry) {
        let prefixes = &self.prefixes;
        let written = audit(entry, |place| Ok::<_, Infallible>(prefixes.get(&place).copied()));
        let nodes = &self.nodes;
        let hashes =
            log::append(self.size, entry.hash(), |place| Ok::<_, Infallible>(nodes.get(&place).copied()));
        self.prefixes.extend(written.expect("an entry that follows"));
        self.nodes.extend(hashes.unwrap());
        self.size += 1;
    }

    fn root(&self) -> LogHash {
        log::root(self.size, |place| Ok::<_, Infallible>(self.nodes.get(&place).copied())).unwrap()
    }
}
