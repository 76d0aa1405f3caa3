//! In place of what serves others, in a build that leaves it out.

use qpq_proto::ids::Identity;
use qpq_proto::v1::{AdministratorKey, TransparencyKeys};
use qpq_relay::{Config, Effect, Figures, Input, Now, Outcome, RelayError, SignedTree, Totals};
use rand_core::CryptoRng;

use qpq_relay::storage::Transaction;

/// A relay: never.
#[derive(Debug)]
pub(crate) enum Relay {}

#[expect(clippy::needless_pass_by_ref_mut, reason = "as the one that serves")]
impl Relay {
    /// Refuses.
    pub(crate) fn open(
        _: Config,
        _: &mut dyn CryptoRng,
        _: &mut dyn Transaction,
    ) -> Result<Self, RelayError> {
        Err(RelayError::NotBuilt)
    }

    /// Remains none.
    pub(crate) fn with_private_push(self, _: bool) -> Self {
        self
    }

    /// Remains none.
    pub(crate) fn with_wakes(self, _: bool) -> Self {
        self
    }

    /// Has room for nothing.
    pub(crate) fn set_room(&mut self, _: bool) {
        match *self {}
    }

    /// Takes nothing.
    pub(crate) fn handle(
        &mut self,
        _: Input,
        _: Now,
        _: &mut dyn CryptoRng,
        _: &mut dyn Transaction,
    ) -> Result<Outcome, RelayError> {
        match *self {}
    }

    /// Answers nobody.
    pub(crate) fn end_batch(&mut self) -> Vec<Effect> {
        match *self {}
    }

    /// Waits for no moment.
    pub(crate) fn wake_at(&self) -> Option<u64> {
        match *self {}
    }

    /// Counts nothing.
    pub(crate) fn figures(&self) -> Figures {
        match *self {}
    }

    /// Holds nothing.
    pub(crate) fn totals(&self) -> Totals {
        match *self {}
    }

    /// Has changed nothing.
    pub(crate) fn has_new_totals(&self) -> bool {
        match *self {}
    }

    /// Writes nothing.
    pub(crate) fn keep_totals(&mut self, _: &mut dyn Transaction) -> Result<(), RelayError> {
        match *self {}
    }

    /// Is told of nobody.
    pub(crate) fn set_owner(&mut self, _: Option<AdministratorKey>) {
        match *self {}
    }

    /// Knows nobody.
    pub(crate) fn owner(&self) -> Option<(Identity, u64)> {
        match *self {}
    }

    /// Signs nothing.
    pub(crate) fn signed_tree(&self) -> Option<&SignedTree> {
        match *self {}
    }

    /// Keeps nothing.
    pub(crate) fn tree_is_kept(&mut self) {
        match *self {}
    }

    /// Has no log.
    pub(crate) fn is_log_older(&self) -> bool {
        match *self {}
    }

    /// Has no keys.
    pub(crate) fn transparency_keys(&self) -> TransparencyKeys {
        match *self {}
    }
}
