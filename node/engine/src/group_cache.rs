//! MLS groups kept in memory between inputs, so that a message does not cost loading its group.

use std::collections::{BTreeMap, BTreeSet};

use qpq_crypto::mls;
use qpq_proto::limits::Limits;

use crate::{context::Context, conversations::GroupView, engine::Engine, input::EngineError};

/// Groups in memory, the least recently used of which make room.
#[derive(Default)]
pub(crate) struct GroupCache {
    groups: BTreeMap<Vec<u8>, Cached>,
    /// Groups that the present input has changed; forgotten if its transaction is dropped.
    touched: BTreeSet<Vec<u8>>,
    uses: u64,
    count_max: usize,
    bytes_max: usize,
}

struct Cached {
    group: mls::Group,
    used: u64,
    /// About how much memory it takes.
    bytes: usize,
}

/// What a group takes besides its members, bytes, and what each member adds: a leaf with its hybrid keys and
/// credential, and the parent nodes above it. Measured, and rounded up.
const GROUP_BYTES: usize = 32 * 1024;
const MEMBER_BYTES: usize = 6 * 1024;

impl GroupCache {
    pub(crate) fn new(limits: &Limits) -> Self {
        let (count_max, bytes_max) = (limits.groups_cached_max, limits.groups_cached_bytes_max);
        Self { count_max, bytes_max, ..Self::default() }
    }

    /// Forgets what the last input changed in memory: its transaction is dropped.
    pub(crate) fn discard(&mut self) {
        for id in std::mem::take(&mut self.touched) {
            self.groups.remove(&id);
        }
    }

    /// The last input's changes are kept.
    pub(crate) fn keep(&mut self) {
        self.touched.clear();
    }

    pub(crate) fn forget(&mut self, id: &[u8]) {
        self.groups.remove(id);
    }

    pub(crate) fn insert(&mut self, group: mls::Group) {
        let id = group.id().0.to_vec();
        self.uses += 1;
        self.touched.insert(id.clone());
        let bytes = GROUP_BYTES + MEMBER_BYTES * group.roster().len();
        self.groups.insert(id, Cached { group, used: self.uses, bytes });
        self.make_room();
    }

    /// Lets go of the groups that were used least recently; one may stay whatever its size.
    fn make_room(&mut self) {
        let mut bytes: usize = self.groups.values().map(|cached| cached.bytes).sum();
        while self.groups.len() > 1 && (self.groups.len() > self.count_max || bytes > self.bytes_max) {
            let oldest = self.groups.iter().min_by_key(|(_, cached)| cached.used).map(|(id, _)| id.clone());
            let removed = oldest.and_then(|id| self.groups.remove(&id));
            bytes -= removed.map_or(0, |cached| cached.bytes);
        }
    }

    fn get_mut(&mut self, id: &[u8]) -> Option<&mut mls::Group> {
        self.uses += 1;
        let cached = self.groups.get_mut(id)?;
        cached.used = self.uses;
        self.touched.insert(id.to_vec());
        Some(&mut cached.group)
    }
}

/// Why an operation on a group failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GroupFailure {
    #[error("the group is not on this node")]
    Absent,
    #[error(transparent)]
    Mls(#[from] mls::MlsError),
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl From<GroupFailure> for EngineError {
    fn from(failure: GroupFailure) -> Self {
        match failure {
            GroupFailure::Engine(error) => error,
            GroupFailure::Mls(mls::MlsError::Storage(error)) => Self::Storage(error.into()),
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<GroupFailure> for qpq_proto::Failure {
    fn from(failure: GroupFailure) -> Self {
        EngineError::from(failure).into()
    }
}

impl Engine {
    /// Runs an operation on a group. A group that a failure may have torn is forgotten.
    pub(crate) fn with_group<R>(
        &mut self,
        cx: &mut Context<'_>,
        id: &[u8],
        operate: impl FnOnce(&mut mls::Group, &mut mls::Context<'_>) -> Result<R, mls::MlsError>,
    ) -> Result<R, GroupFailure> {
        let Some(me) = &self.me else { return Err(GroupFailure::Absent) };
        let mut mls_cx = me.mls(cx);
        if self.groups.get_mut(id).is_none() {
            let group_id = mls::GroupId(id.try_into().map_err(|_| GroupFailure::Absent)?);
            let group = mls::Group::load(&mut mls_cx, &group_id)?.ok_or(GroupFailure::Absent)?;
            self.groups.insert(group);
        }
        let group = self.groups.get_mut(id).ok_or(GroupFailure::Absent)?;
        let result = operate(group, &mut mls_cx);
        if result.as_ref().is_err_and(|error| !error.leaves_group_intact()) {
            self.groups.forget(id);
        }
        Ok(result?)
    }

    /// The group's present epoch.
    pub(crate) fn group_view(&mut self, cx: &mut Context<'_>, id: &[u8]) -> Result<GroupView, GroupFailure> {
        let mut view = None;
        self.with_group(cx, id, |group, _| {
            view = Some(GroupView::of(group));
            Ok(())
        })?;
        view.map_or(Err(GroupFailure::Absent), |view| Ok(view?))
    }

    /// Deletes a group and its secrets; nothing happens where there is none.
    pub(crate) fn delete_group(&mut self, cx: &mut Context<'_>, id: &[u8]) -> Result<(), EngineError> {
        self.groups.forget(id);
        let Some(me) = &self.me else { return Ok(()) };
        let mut mls_cx = me.mls(cx);
        let Ok(group_id) = id.try_into().map(mls::GroupId) else { return Ok(()) };
        let group = mls::Group::load(&mut mls_cx, &group_id).map_err(GroupFailure::from)?;
        if let Some(group) = group {
            group.delete(&mut mls_cx).map_err(GroupFailure::from)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
