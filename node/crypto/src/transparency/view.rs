//! What a client remembers of a relay's log, and how it holds the relay to it.

use std::cmp::Ordering;

use super::answer::{Consistency, LookupAnswer};
use super::entry::{Subject, Value, label};
use super::head::{ForkProof, TreeHead, read_relay};
use super::merkle::{empty_root, verify_consistency};
use super::prefix::{PrefixEnd, PrefixLeaf, PrefixProof};
use super::violation::Violation;
use crate::encoding::{Reader, Truncated};
use crate::ids::LogKey;
use crate::vrf::VrfPublic;

/// The keys of a relay's log: what must be known of it beforehand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogKeys {
    /// Domain of the relay, 1 to 253 bytes.
    pub relay: String,
    /// Signs the tree heads.
    pub log: LogKey,
    /// Makes the labels.
    pub vrf: VrfPublic,
}

/// A relay's log as one client has seen it: the keys, and the newest tree head that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogView {
    keys: LogKeys,
    newest: Option<TreeHead>,
}

/// What became of a tree head that was met somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observed {
    /// It says what was known.
    Known,
    /// It is the newest now.
    Adopted,
    /// The tree remembered has grown from it.
    Earlier,
    /// It contradicts nothing; whether one tree grew from the other is to be shown.
    NeedsProof {
        /// Size of the earlier tree.
        from: u64,
        /// Size of the later tree.
        size: u64,
    },
}

impl LogView {
    /// Nothing seen yet: the first tree head is believed.
    pub fn new(keys: LogKeys) -> Self {
        Self { keys, newest: None }
    }

    /// The keys.
    pub fn keys(&self) -> &LogKeys {
        &self.keys
    }

    /// The newest tree head that was verified; to be compared with what others have seen.
    pub fn newest(&self) -> Option<&TreeHead> {
        self.newest.as_ref()
    }

    /// Entries of the newest log that was seen: `last_tree_size` of the next question.
    pub fn size(&self) -> u64 {
        self.newest.as_ref().map_or(0, |head| head.size)
    }

    /// Verifies an answer: that the log grew from what was seen, and that it says `claim` of `subject` - a
    /// version and a value, or that there is none. Remembers the log if all of it holds.
    ///
    /// # Errors
    /// The first violation, of [`Violation`].
    pub fn check_lookup(
        &mut self,
        subject: Subject<'_>,
        claim: Option<(u64, Value<'_>)>,
        answer: &LookupAnswer,
    ) -> Result<(), Violation> {
        self.check_growth(&answer.head, answer.consistency.as_ref())?;
        let prefix_root = answer.prefix_root()?;
        let label = label(&self.keys.vrf.verify(&subject.vrf_input(), &answer.vrf_proof)?);
        let end = match claim {
            Some((0, _)) => return Err(Violation::Malformed("version")),
            Some((version, value)) => {
                let opening = answer.opening.ok_or(Violation::Malformed("opening"))?;
                let commitment = subject.commit(version, value, &opening);
                PrefixEnd::Leaf(PrefixLeaf { label, version, commitment })
            }
            None => answer.neighbour.map_or(PrefixEnd::Empty, PrefixEnd::Neighbour),
        };
        PrefixProof { end, path: answer.prefix_path.clone() }.verify(&label, &prefix_root)?;
        self.remember(&answer.head);
        Ok(())
    }

    /// Compares a tree head that somebody else saw with what is remembered. Without a proof a head of another
    /// size is neither believed nor refused.
    ///
    /// # Errors
    /// [`Violation::Head`], [`Violation::EmptyLog`], [`Violation::Fork`], [`Violation::NoConsistency`],
    /// [`Violation::Consistency`].
    pub fn observe(
        &mut self,
        head: &TreeHead,
        consistency: Option<&Consistency>,
    ) -> Result<Observed, Violation> {
        self.check_signed(head)?;
        let Some(newest) = &self.newest else {
            self.remember(head);
            return Ok(Observed::Adopted);
        };
        let (earlier, later, observed) = match head.size.cmp(&newest.size) {
            Ordering::Equal => {
                self.remember(head);
                return Ok(Observed::Known);
            }
            Ordering::Less => (head, newest, Observed::Earlier),
            Ordering::Greater => (newest, head, Observed::Adopted),
        };
        if consistency.is_none() && earlier.size > 0 {
            return Ok(Observed::NeedsProof { from: earlier.size, size: later.size });
        }
        check_consistency(earlier, later, consistency)?;
        self.remember(head);
        Ok(observed)
    }

    /// Keeps the larger tree; of one size the head that was signed later.
    fn remember(&mut self, head: &TreeHead) {
        let rank = |head: &TreeHead| (head.size, head.signed_at_ms);
        if self.newest.as_ref().is_none_or(|newest| rank(newest) < rank(head)) {
            self.newest = Some(head.clone());
        }
    }

    /// Signed by the log, possible in itself, and no contradiction of what is remembered.
    fn check_signed(&self, head: &TreeHead) -> Result<(), Violation> {
        head.verify(&self.keys.relay, &self.keys.log)?;
        if head.size == 0 && head.root != empty_root() {
            return Err(Violation::EmptyLog);
        }
        let Some(newest) = &self.newest else { return Ok(()) };
        match newest.contradiction(head) {
            Some(_) => Err(Violation::Fork(Box::new(ForkProof { one: newest.clone(), other: head.clone() }))),
            None => Ok(()),
        }
    }

    fn check_growth(&self, head: &TreeHead, consistency: Option<&Consistency>) -> Result<(), Violation> {
        self.check_signed(head)?;
        let Some(newest) = &self.newest else { return Ok(()) };
        match head.size.cmp(&newest.size) {
            Ordering::Equal => Ok(()),
            Ordering::Less => Err(Violation::Stale { known: newest.size, size: head.size }),
            Ordering::Greater => check_consistency(newest, head, consistency),
        }
    }

    /// The keys and the newest tree head, to be stored where nobody else can change it:
    /// `form (1) = 1 | length (1) | relay | log key (32) | VRF key (32) | tree head, if any`.
    pub fn encode(&self) -> Vec<u8> {
        let relay = self.keys.relay.as_bytes();
        let mut bytes = vec![FORM, u8::try_from(relay.len()).unwrap_or(u8::MAX)];
        bytes.extend_from_slice(relay);
        bytes.extend_from_slice(self.keys.log.as_bytes());
        bytes.extend_from_slice(self.keys.vrf.as_bytes());
        if let Some(newest) = &self.newest {
            bytes.extend_from_slice(&newest.encode());
        }
        bytes
    }

    /// Reads what [`LogView::encode`] wrote.
    ///
    /// # Errors
    /// [`Violation::Malformed`], [`Violation::Head`], [`Violation::Label`] where it is damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, Violation> {
        let truncated = |_: Truncated| Violation::Malformed("view of the log");
        let mut reader = Reader::new(bytes);
        if reader.u8() != Ok(FORM) {
            return Err(Violation::Malformed("view of the log"));
        }
        let relay = read_relay(&mut reader)?;
        let log = LogKey::from_bytes(reader.array().map_err(truncated)?);
        let vrf = VrfPublic::from_bytes(reader.bytes(32).map_err(truncated)?)?;
        let mut view = Self::new(LogKeys { relay, log, vrf });
        if reader.remaining() > 0 {
            let head = TreeHead::decode(&bytes[bytes.len() - reader.remaining()..])?;
            view.check_signed(&head)?;
            view.newest = Some(head);
        }
        Ok(view)
    }
}

fn check_consistency(
    earlier: &TreeHead,
    later: &TreeHead,
    consistency: Option<&Consistency>,
) -> Result<(), Violation> {
    // Every log grew from the empty one.
    if earlier.size == 0 {
        return Ok(());
    }
    let consistency = consistency.ok_or(Violation::NoConsistency)?;
    if (consistency.from, consistency.size) != (earlier.size, later.size) {
        return Err(Violation::NoConsistency);
    }
    verify_consistency(earlier.size, later.size, &earlier.root, &later.root, &consistency.path)
        .map_err(Violation::Consistency)
}

const FORM: u8 = 1;
