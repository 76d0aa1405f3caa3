//! Changing a group (RFC 9420, section 12.4).

use openmls::prelude::{LeafNodeIndex, OpenMlsProvider};

use super::error::MlsError;
use super::group::{Context, EpochId, Group, record_extensions};
use super::key_package::ValidatedKeyPackage;
use super::provider::DeviceSigner;
use super::roster::{placed, update_roster};

/// What a commit is to change; nothing at all renews the committer's keys.
#[derive(Debug, Clone, Copy, Default)]
pub struct Changes<'a> {
    /// Whom to add.
    pub add: &'a [ValidatedKeyPackage],
    /// Whom to remove, by leaf.
    pub remove: &'a [u32],
    /// The group's new record, if it changes.
    pub record: Option<&'a [u8]>,
    /// Travels with the commit: encrypted to the group, authenticated, opaque here.
    pub annotation: &'a [u8],
    /// Renew the committer's keys in a commit that would only add.
    pub force_path: bool,
}

/// A commit of ours, which is in force.
#[derive(Debug, Clone)]
pub struct Committed {
    /// For those who are members already, the removed ones too.
    pub commit: Vec<u8>,
    /// For those who were added, if any; one for all of them, with the ratchet tree.
    pub welcome: Option<Vec<u8>>,
    /// The new epoch.
    pub epoch: EpochId,
    /// The epoch before, on which the commit builds.
    pub parent: EpochId,
}

impl Group {
    /// Changes the group, and goes to the new epoch at once.
    ///
    /// That the commit wins is the caller's business: keep a [checkpoint](Group::checkpoint) of the epoch
    /// before, as nobody can process a commit of their own.
    ///
    /// # Errors
    /// [`MlsError::OwnRemoval`], [`MlsError::NoSuchMember`], [`MlsError::ChangesInvalid`] if the changes
    /// contradict each other or the group, [`MlsError::NotAMember`], [`MlsError::SendingRefused`],
    /// [`MlsError::Torn`], [`MlsError::Storage`].
    pub fn commit(&mut self, cx: &mut Context<'_>, changes: Changes<'_>) -> Result<Committed, MlsError> {
        self.ready()?;
        self.may_send()?;
        self.check_changes(&changes)?;
        let parent = self.epoch_id();
        self.is_torn = true;
        let (commit, welcome) = self.commit_and_merge(cx, &changes)?;
        let certificates = changes.add.iter().map(|package| package.certificate.clone()).collect();
        let added = placed(&self.roster, changes.remove, certificates);
        update_roster(&mut self.roster, &self.mls, changes.remove, &added)?;
        let epoch = self.note_epoch(cx)?;
        self.is_torn = false;
        Ok(Committed { commit, welcome, epoch, parent })
    }

    fn check_changes(&self, changes: &Changes<'_>) -> Result<(), MlsError> {
        for leaf in changes.remove {
            if *leaf == self.own_leaf() {
                return Err(MlsError::OwnRemoval);
            }
            if !self.roster.contains_key(leaf) {
                return Err(MlsError::NoSuchMember(*leaf));
            }
        }
        if changes.add.iter().any(|package| package.suite != self.suite) {
            return Err(MlsError::ChangesInvalid("a key package is for another cipher suite".into()));
        }
        Ok(())
    }

    fn commit_and_merge(
        &mut self,
        cx: &mut Context<'_>,
        changes: &Changes<'_>,
    ) -> Result<(Vec<u8>, Option<Vec<u8>>), MlsError> {
        let signer = DeviceSigner(cx.device);
        let provider = cx.provider(&mut self.cache);
        let invalid = |error: &dyn std::fmt::Display| MlsError::ChangesInvalid(error.to_string());
        self.mls.set_aad(changes.annotation.to_vec());
        let mut builder = self
            .mls
            .commit_builder()
            .consume_proposal_store(false)
            .force_self_update(changes.force_path)
            .propose_adds(changes.add.iter().map(|package| package.package.clone()))
            .propose_removals(changes.remove.iter().map(|leaf| LeafNodeIndex::new(*leaf)));
        if let Some(record) = changes.record {
            builder = builder
                .propose_group_context_extensions(record_extensions(record)?)
                .map_err(|error| invalid(&error))?;
        }
        // The ratchet tree goes into the welcome; a group info beside it would be serialized and signed for
        // nobody.
        let complete = builder
            .load_psks(provider.storage())
            .map_err(|error| provider.explain(invalid(&error)))?
            .use_ratchet_tree_extension(!changes.add.is_empty())
            .create_group_info(false)
            .build(provider.rand(), provider.crypto(), &signer, |_| true)
            .map_err(|error| provider.explain(invalid(&error)))?;
        // Merging replaces what staging would write.
        provider.storage().set_transient(true);
        let bundle =
            complete.stage_commit(&provider).map_err(|error| provider.explain(MlsError::library(error)))?;
        provider.storage().set_transient(false);
        self.mls
            .merge_pending_commit(&provider)
            .map_err(|error| provider.explain(MlsError::library(error)))?;
        let (commit, welcome, _) = bundle.into_messages();
        let commit = commit.to_bytes().map_err(MlsError::library)?;
        let welcome = welcome.map(|welcome| welcome.to_bytes()).transpose().map_err(MlsError::library)?;
        Ok((commit, welcome))
    }
}
