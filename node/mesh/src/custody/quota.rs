//! Whether there is room for a bundle, and what must go for it.
//!
//! | tier | share of the store | for one bringer |
//! |---|---|---|
//! | own | all | |
//! | paired | half | |
//! | contact | what is free | `neighbour_bytes_max`, `neighbour_bundles_max` |
//! | stranger | a quarter | a quarter of that, and no more than a contact |
//!
//! Where a share is full, something worth less makes room, in this order: what the same bringer brought of a
//! class worth less, then what a
//! tier further away brought, then what the largest bringer of the same tier brought, if it is larger than the newcomer
//! would become. So a flood displaces itself, a stranger never displaces a contact's bundle, and nobody displaces what
//! is this node's own. Posts to topics have a quarter of the store, whoever brings them, and within it make room for each
//! other by the same order of tiers. Who is charged follows from the link alone, never from what a bundle says.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use qpq_proto::ids::NodeKey;

use super::{AccountId, Accounts, Custody, cost_bytes};
use crate::bundle::{Class, Header, Kind, SortKey};
use crate::storage::Tier;
use crate::wire::Refusal;

/// How much is held for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quotas {
    /// Bytes of all.
    pub(crate) bytes_max: u64,
    /// Bundles of all.
    pub(crate) bundles_max: usize,
    /// Bytes for one neighbour that is not paired.
    pub(crate) neighbour_bytes_max: u64,
    /// Bundles for one neighbour that is not paired.
    pub(crate) neighbour_bundles_max: usize,
}

impl Quotas {
    /// Bytes of a tier.
    pub(crate) const fn tier_bytes_max(&self, tier: Tier) -> u64 {
        match tier {
            Tier::Own | Tier::Contact => self.bytes_max,
            Tier::Paired => self.bytes_max / 2,
            Tier::Stranger => self.bytes_max / 4,
        }
    }

    /// Bytes and bundles of one bringer.
    pub(crate) fn bringer_max(&self, tier: Tier) -> (u64, usize) {
        match tier {
            Tier::Own | Tier::Paired => (self.bytes_max, self.bundles_max),
            Tier::Contact => (self.neighbour_bytes_max, self.neighbour_bundles_max),
            Tier::Stranger => {
                let fair = self.tier_bytes_max(Tier::Stranger) / 4;
                (fair.min(self.neighbour_bytes_max), self.neighbour_bundles_max)
            }
        }
    }

    /// Bytes of broadcast topics.
    pub(crate) const fn topic_bytes_max(&self) -> u64 {
        self.bytes_max / 4
    }

    /// Bytes that a bringer may still deposit.
    pub(crate) fn free_bytes(&self, accounts: &Accounts, tier: Tier, bringer: Option<NodeKey>) -> u64 {
        let charged = accounts.of(tier, bringer).map_or(0, |(_, account)| account.bytes);
        let of_bringer = self.bringer_max(tier).0.saturating_sub(charged);
        of_bringer.min(self.tier_bytes_max(tier).saturating_sub(accounts.tier_bytes(tier)))
    }

    /// Whether strangers have to work for what they deposit.
    pub(crate) const fn is_under_pressure(&self, accounts: &Accounts) -> bool {
        accounts.tier_bytes(Tier::Stranger) > self.tier_bytes_max(Tier::Stranger) / 2
    }
}

impl Custody {
    /// What must go so that a bundle has room.
    ///
    /// # Errors
    /// [`Refusal::QuotaExceeded`] where nothing that may go would be enough.
    pub(crate) fn make_room(
        &self,
        quotas: &Quotas,
        header: &Header,
        tier: Tier,
        bringer: Option<NodeKey>,
    ) -> Result<Vec<SortKey>, Refusal> {
        Plan::new(self, quotas, header, tier, bringer).make()
    }
}

/// A search for room that changes nothing.
struct Plan<'a> {
    custody: &'a Custody,
    quotas: &'a Quotas,
    kind: u8,
    is_topic: bool,
    cost: u64,
    tier: Tier,
    own: Option<AccountId>,
    /// Bytes of topics that are to go.
    topics_freed: u64,
    /// Bytes and bundles that are to go, by account.
    freed: BTreeMap<AccountId, (u64, usize)>,
    victims: Vec<SortKey>,
}

impl<'a> Plan<'a> {
    fn new(
        custody: &'a Custody,
        quotas: &'a Quotas,
        header: &Header,
        tier: Tier,
        bringer: Option<NodeKey>,
    ) -> Self {
        let own = custody.accounts.of(tier, bringer).map(|(id, _)| id);
        let is_topic = header.kind().class == Class::Topic;
        let (kind, cost) = (header.kind().to_byte(), cost_bytes(header));
        let (freed, victims) = (BTreeMap::new(), Vec::new());
        Self { custody, quotas, kind, is_topic, cost, tier, own, topics_freed: 0, freed, victims }
    }

    fn make(mut self) -> Result<Vec<SortKey>, Refusal> {
        while !self.fits_topics() {
            self.evict_of_topics()?;
        }
        while !self.fits_bringer() {
            self.evict_of_bringer()?;
        }
        while !self.fits_tier() {
            self.evict_of_tier()?;
        }
        while !self.fits_store() {
            self.evict_of_any()?;
        }
        Ok(self.victims)
    }

    fn fits_topics(&self) -> bool {
        let bytes = self.custody.accounts.topic_bytes() - self.topics_freed;
        !self.is_topic || bytes + self.cost <= self.quotas.topic_bytes_max()
    }

    fn fits_bringer(&self) -> bool {
        let (bytes, count) = self.own.map_or((0, 0), |own| self.remaining(own));
        let (bytes_max, count_max) = self.quotas.bringer_max(self.tier);
        bytes + self.cost <= bytes_max && count < count_max
    }

    fn fits_tier(&self) -> bool {
        let bytes = self.custody.accounts.tier_bytes(self.tier) - self.freed_of(self.tier);
        bytes + self.cost <= self.quotas.tier_bytes_max(self.tier)
    }

    fn fits_store(&self) -> bool {
        let freed: u64 = self.freed.values().map(|(bytes, _)| bytes).sum();
        let count = self.custody.len() - self.victims.len();
        self.custody.accounts.total_bytes() - freed + self.cost <= self.quotas.bytes_max
            && count < self.quotas.bundles_max
    }

    /// A tier further away gives up a post, or else this tier's largest bringer of posts, if it stays at least as large as
    /// the newcomer becomes. Posts are worth least, so that an account which has any loses one first.
    fn evict_of_topics(&mut self) -> Result<(), Refusal> {
        for tier in [Tier::Stranger, Tier::Contact, Tier::Paired] {
            if tier < self.tier {
                break;
            }
            let Some((largest, bytes, victim)) = self.largest_with_topics(tier) else { continue };
            let own_bytes = self.own.map_or(0, |own| self.remaining(own).0);
            if tier > self.tier || (Some(largest) != self.own && bytes > own_bytes + self.cost) {
                self.evict(largest, victim);
                return Ok(());
            }
        }
        Err(Refusal::QuotaExceeded)
    }

    /// The account of a tier with most bytes left among those that have posts, and which of those goes first.
    fn largest_with_topics(&self, tier: Tier) -> Option<(AccountId, u64, SortKey)> {
        let of_tier = self.custody.accounts.of_tier(tier);
        let with_topics = of_tier.filter_map(|(id, _)| {
            let victim = self.next_victim(id).filter(|victim| is_topic(*victim))?;
            Some((id, self.remaining(id).0, victim))
        });
        with_topics.max_by_key(|(id, bytes, _)| (*bytes, Reverse(*id)))
    }

    /// The bringer gives up something of a class worth less. Of the same class nothing makes room: what came would be
    /// displaced by what comes next, and be brought again.
    fn evict_of_bringer(&mut self) -> Result<(), Refusal> {
        let own = self.own.ok_or(Refusal::QuotaExceeded)?;
        let victim = self.next_victim(own).filter(|victim| victim.kind_byte() >> 4 > self.kind >> 4);
        self.evict(own, victim.ok_or(Refusal::QuotaExceeded)?);
        Ok(())
    }

    /// The largest bringer of the tier gives up something, if it stays at least as large as the newcomer becomes.
    fn evict_of_tier(&mut self) -> Result<(), Refusal> {
        if self.tier == Tier::Own {
            return Err(Refusal::QuotaExceeded);
        }
        let (largest, bytes) = self.largest(self.tier).ok_or(Refusal::QuotaExceeded)?;
        let own_bytes = self.own.map_or(0, |own| self.remaining(own).0);
        if Some(largest) == self.own || bytes <= own_bytes + self.cost {
            return self.evict_of_bringer();
        }
        let victim = self.next_victim(largest).ok_or(Refusal::QuotaExceeded)?;
        self.evict(largest, victim);
        Ok(())
    }

    /// A tier further away gives up something, or else this one.
    fn evict_of_any(&mut self) -> Result<(), Refusal> {
        for tier in [Tier::Stranger, Tier::Contact, Tier::Paired] {
            if tier <= self.tier {
                break;
            }
            let Some((largest, _)) = self.largest(tier) else { continue };
            let Some(victim) = self.next_victim(largest) else { continue };
            self.evict(largest, victim);
            return Ok(());
        }
        self.evict_of_tier()
    }

    /// The account of a tier with most bytes left, and how many; the first of equals.
    fn largest(&self, tier: Tier) -> Option<(AccountId, u64)> {
        let mut largest = None;
        for (id, _) in self.custody.accounts.of_tier(tier) {
            let (bytes, _) = self.remaining(id);
            if bytes > largest.map_or(0, |(_, most)| most) {
                largest = Some((id, bytes));
            }
        }
        largest
    }

    fn remaining(&self, id: AccountId) -> (u64, usize) {
        let account = self.custody.accounts.get(id);
        let (bytes, count) = self.freed.get(&id).copied().unwrap_or_default();
        (account.bytes - bytes, account.count() - count)
    }

    fn freed_of(&self, tier: Tier) -> u64 {
        let of_tier = self.freed.iter().filter(|(id, _)| self.custody.accounts.get(**id).tier == tier);
        of_tier.map(|(_, (bytes, _))| bytes).sum()
    }

    fn next_victim(&self, id: AccountId) -> Option<SortKey> {
        let gone = self.freed.get(&id).map_or(0, |(_, count)| *count);
        self.custody.accounts.get(id).least_worthy().nth(gone)
    }

    fn evict(&mut self, id: AccountId, victim: SortKey) {
        let cost = self.custody.get(victim).map_or(0, super::Entry::cost_bytes);
        if is_topic(victim) {
            self.topics_freed += cost;
        }
        let freed = self.freed.entry(id).or_default();
        *freed = (freed.0 + cost, freed.1 + 1);
        self.victims.push(victim);
    }
}

fn is_topic(key: SortKey) -> bool {
    Kind::from_byte(key.kind_byte()).is_some_and(|kind| kind.class == Class::Topic)
}
