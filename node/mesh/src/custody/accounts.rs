//! Who is charged for what.
//!
//! An account belongs to one bringer in one tier: a neighbour that is promoted from stranger to contact has two until
//! what it brought before is gone. An account whose last bundle is gone is forgotten.

use std::collections::{BTreeMap, BTreeSet};

use qpq_proto::ids::NodeKey;

use super::cost_bytes;
use crate::bundle::{Class, Header, SortKey};
use crate::storage::Tier;

/// An account, as long as it has a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AccountId(u32);

/// How little a bundle is worth, the least first: by class and size, then what would end first anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Worth {
    /// The last kind to travel is worth the least.
    rank: u8,
    expires_ms: u64,
    key: SortKey,
}

impl Worth {
    const fn new(key: SortKey, expires_ms: u64) -> Self {
        Self { rank: u8::MAX - key.kind_byte(), expires_ms, key }
    }
}

/// What one bringer is charged for.
#[derive(Debug)]
pub(crate) struct Account {
    /// How close it stood.
    pub(crate) tier: Tier,
    /// Who it is; none for this node itself.
    pub(crate) bringer: Option<NodeKey>,
    /// Bytes.
    pub(crate) bytes: u64,
    worth: BTreeSet<Worth>,
}

impl Account {
    /// Bundles.
    pub(crate) fn count(&self) -> usize {
        self.worth.len()
    }

    /// The bundles, the one worth least first.
    pub(crate) fn least_worthy(&self) -> impl Iterator<Item = SortKey> {
        self.worth.iter().map(|worth| worth.key)
    }
}

/// All accounts and their sums.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    by_bringer: BTreeMap<(Tier, Option<NodeKey>), AccountId>,
    accounts: Vec<Option<Account>>,
    free: Vec<AccountId>,
    tier_bytes: [u64; 4],
    topic_bytes: u64,
}

impl Accounts {
    /// An account.
    pub(crate) fn get(&self, id: AccountId) -> &Account {
        self.accounts[id.0 as usize].as_ref().expect("an account lives as long as it has a bundle")
    }

    /// The account of a bringer, if it has one.
    pub(crate) fn of(&self, tier: Tier, bringer: Option<NodeKey>) -> Option<(AccountId, &Account)> {
        let id = *self.by_bringer.get(&(tier, bringer))?;
        Some((id, self.get(id)))
    }

    /// The accounts of a tier, in a fixed order.
    pub(crate) fn of_tier(&self, tier: Tier) -> impl Iterator<Item = (AccountId, &Account)> {
        let all = (tier, None)..=(tier, Some(NodeKey::from_bytes([u8::MAX; 32])));
        self.by_bringer.range(all).map(|(_, id)| (*id, self.get(*id)))
    }

    /// Bytes of a tier.
    pub(crate) const fn tier_bytes(&self, tier: Tier) -> u64 {
        self.tier_bytes[tier as usize]
    }

    /// Bytes of all.
    pub(crate) fn total_bytes(&self) -> u64 {
        self.tier_bytes.iter().sum()
    }

    /// Bytes of broadcast topics.
    pub(crate) const fn topic_bytes(&self) -> u64 {
        self.topic_bytes
    }

    pub(super) fn charge(
        &mut self,
        tier: Tier,
        bringer: Option<NodeKey>,
        header: &Header,
        expires_ms: u64,
    ) -> AccountId {
        let id = self.open(tier, bringer);
        let cost = cost_bytes(header);
        self.tier_bytes[tier as usize] += cost;
        if header.kind().class == Class::Topic {
            self.topic_bytes += cost;
        }
        let account = self.accounts[id.0 as usize].as_mut().expect("it was opened");
        account.bytes += cost;
        account.worth.insert(Worth::new(SortKey::of(header), expires_ms));
        id
    }

    pub(super) fn credit(&mut self, id: AccountId, header: &Header, expires_ms: u64) {
        let slot = &mut self.accounts[id.0 as usize];
        let account = slot.as_mut().expect("an account lives as long as it has a bundle");
        let cost = cost_bytes(header);
        account.bytes -= cost;
        account.worth.remove(&Worth::new(SortKey::of(header), expires_ms));
        self.tier_bytes[account.tier as usize] -= cost;
        if header.kind().class == Class::Topic {
            self.topic_bytes -= cost;
        }
        if account.worth.is_empty() {
            self.by_bringer.remove(&(account.tier, account.bringer));
            *slot = None;
            self.free.push(id);
        }
    }

    fn open(&mut self, tier: Tier, bringer: Option<NodeKey>) -> AccountId {
        if let Some(id) = self.by_bringer.get(&(tier, bringer)) {
            return *id;
        }
        let account = Some(Account { tier, bringer, bytes: 0, worth: BTreeSet::new() });
        let id = self.free.pop().unwrap_or_else(|| {
            self.accounts.push(None);
            let index = u32::try_from(self.accounts.len() - 1);
            AccountId(index.expect("there are fewer accounts than bundles, and those are limited"))
        });
        self.accounts[id.0 as usize] = account;
        self.by_bringer.insert((tier, bringer), id);
        id
    }
}
