//! The trait, method by method.

use openmls_traits::storage::{CURRENT_VERSION, StorageProvider, traits};
use serde::Serialize;

use super::{Label, OWN, Storage, StorageFailed};

/// Methods that write, read and remove one record of a group.
macro_rules! records_of_groups {
    ($($label:ident: $entity:ident, $write:ident, $read:ident, $remove:ident;)+) => { $(
        fn $write<G: traits::GroupId<CURRENT_VERSION>, V: traits::$entity<CURRENT_VERSION>>(
            &self,
            group: &G,
            value: &V,
        ) -> Result<(), StorageFailed> {
            self.write_of_group(group, Label::$label, value)
        }

        fn $read<G: traits::GroupId<CURRENT_VERSION>, V: traits::$entity<CURRENT_VERSION>>(
            &self,
            group: &G,
        ) -> Result<Option<V>, StorageFailed> {
            self.read_of_group(group, Label::$label)
        }

        fn $remove<G: traits::GroupId<CURRENT_VERSION>>(&self, group: &G) -> Result<(), StorageFailed> {
            self.remove_of_group(group, Label::$label)
        }
    )+ };
}

/// Methods that write, read and remove a record that belongs to no group.
macro_rules! own_records {
    ($($label:ident: $key:ident, $entity:ident, $write:ident, $remove:ident;)+) => { $(
        fn $write<K: traits::$key<CURRENT_VERSION>, V: traits::$entity<CURRENT_VERSION>>(
            &self,
            key: &K,
            value: &V,
        ) -> Result<(), StorageFailed> {
            self.write(OWN, &self.identified(Label::$label, key)?, value)
        }

        fn $remove<K: traits::$key<CURRENT_VERSION>>(&self, key: &K) -> Result<(), StorageFailed> {
            self.remove(OWN, &self.identified(Label::$label, key)?)
        }
    )+ };
}

impl StorageProvider<CURRENT_VERSION> for Storage<'_> {
    type Error = StorageFailed;

    records_of_groups! {
        JoinConfig: MlsGroupJoinConfig, write_mls_join_config, mls_group_join_config, delete_group_config;
        Context: GroupContext, write_context, group_context, delete_context;
        InterimTranscriptHash: InterimTranscriptHash, write_interim_transcript_hash, interim_transcript_hash,
            delete_interim_transcript_hash;
        ConfirmationTag: ConfirmationTag, write_confirmation_tag, confirmation_tag, delete_confirmation_tag;
        ResumptionPsks: ResumptionPskStore, write_resumption_psk_store, resumption_psk_store,
            delete_all_resumption_psk_secrets;
        OwnLeafIndex: LeafNodeIndex, write_own_leaf_index, own_leaf_index, delete_own_leaf_index;
        EpochSecrets: GroupEpochSecrets, write_group_epoch_secrets, group_epoch_secrets,
            delete_group_epoch_secrets;
    }

    own_records! {
        SignatureKeyPair: SignaturePublicKey, SignatureKeyPair, write_signature_key_pair,
            delete_signature_key_pair;
        EncryptionKeyPair: EncryptionKey, HpkeKeyPair, write_encryption_key_pair, delete_encryption_key_pair;
        KeyPackage: HashReference, KeyPackage, write_key_package, delete_key_package;
        Psk: PskId, PskBundle, write_psk, delete_psk;
    }

    fn signature_key_pair<
        K: traits::SignaturePublicKey<CURRENT_VERSION>,
        V: traits::SignatureKeyPair<CURRENT_VERSION>,
    >(
        &self,
        key: &K,
    ) -> Result<Option<V>, StorageFailed> {
        self.read(OWN, &self.identified(Label::SignatureKeyPair, key)?)
    }

    fn encryption_key_pair<
        V: traits::HpkeKeyPair<CURRENT_VERSION>,
        K: traits::EncryptionKey<CURRENT_VERSION>,
    >(
        &self,
        key: &K,
    ) -> Result<Option<V>, StorageFailed> {
        self.read(OWN, &self.identified(Label::EncryptionKeyPair, key)?)
    }

    fn key_package<K: traits::HashReference<CURRENT_VERSION>, V: traits::KeyPackage<CURRENT_VERSION>>(
        &self,
        reference: &K,
    ) -> Result<Option<V>, StorageFailed> {
        self.read(OWN, &self.identified(Label::KeyPackage, reference)?)
    }

    fn psk<V: traits::PskBundle<CURRENT_VERSION>, K: traits::PskId<CURRENT_VERSION>>(
        &self,
        id: &K,
    ) -> Result<Option<V>, StorageFailed> {
        self.read(OWN, &self.identified(Label::Psk, id)?)
    }

    fn write_group_state<S: traits::GroupState<CURRENT_VERSION>, G: traits::GroupId<CURRENT_VERSION>>(
        &self,
        group: &G,
        state: &S,
    ) -> Result<(), StorageFailed> {
        if self.is_transient.get() {
            return Ok(());
        }
        self.write_of_group(group, Label::GroupState, state)
    }

    fn group_state<S: traits::GroupState<CURRENT_VERSION>, G: traits::GroupId<CURRENT_VERSION>>(
        &self,
        group: &G,
    ) -> Result<Option<S>, StorageFailed> {
        self.read_of_group(group, Label::GroupState)
    }

    fn delete_group_state<G: traits::GroupId<CURRENT_VERSION>>(
        &self,
        group: &G,
    ) -> Result<(), StorageFailed> {
        self.remove_of_group(group, Label::GroupState)
    }

    fn write_message_secrets<
        G: traits::GroupId<CURRENT_VERSION>,
        S: traits::MessageSecrets<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
        secrets: &S,
    ) -> Result<(), StorageFailed> {
        if self.is_transient.get() {
            return Ok(());
        }
        self.write_secrets(self.group_namespace(group)?, secrets)
    }

    fn message_secrets<G: traits::GroupId<CURRENT_VERSION>, S: traits::MessageSecrets<CURRENT_VERSION>>(
        &self,
        group: &G,
    ) -> Result<Option<S>, StorageFailed> {
        self.read_secrets(self.group_namespace(group)?)
    }

    fn delete_message_secrets<G: traits::GroupId<CURRENT_VERSION>>(
        &self,
        group: &G,
    ) -> Result<(), StorageFailed> {
        self.remove_secrets(self.group_namespace(group)?)
    }

    fn write_tree<G: traits::GroupId<CURRENT_VERSION>, T: traits::TreeSync<CURRENT_VERSION>>(
        &self,
        group: &G,
        tree: &T,
    ) -> Result<(), StorageFailed> {
        self.write_tree_parts(self.group_namespace(group)?, tree)
    }

    fn tree<G: traits::GroupId<CURRENT_VERSION>, T: traits::TreeSync<CURRENT_VERSION>>(
        &self,
        group: &G,
    ) -> Result<Option<T>, StorageFailed> {
        self.read_tree_parts(self.group_namespace(group)?)
    }

    fn delete_tree<G: traits::GroupId<CURRENT_VERSION>>(&self, group: &G) -> Result<(), StorageFailed> {
        self.remove_tree_parts(self.group_namespace(group)?)
    }

    fn append_own_leaf_node<G: traits::GroupId<CURRENT_VERSION>, L: traits::LeafNode<CURRENT_VERSION>>(
        &self,
        group: &G,
        leaf: &L,
    ) -> Result<(), StorageFailed> {
        let mut leaves: Vec<L> = self.own_leaf_nodes(group)?;
        let leaf = self.checked(super::codec::encode(leaf).and_then(|bytes| super::codec::decode(&bytes)))?;
        leaves.push(leaf);
        self.write_of_group(group, Label::OwnLeafNodes, &leaves)
    }

    fn own_leaf_nodes<G: traits::GroupId<CURRENT_VERSION>, L: traits::LeafNode<CURRENT_VERSION>>(
        &self,
        group: &G,
    ) -> Result<Vec<L>, StorageFailed> {
        Ok(self.read_of_group(group, Label::OwnLeafNodes)?.unwrap_or_default())
    }

    fn delete_own_leaf_nodes<G: traits::GroupId<CURRENT_VERSION>>(
        &self,
        group: &G,
    ) -> Result<(), StorageFailed> {
        self.remove_of_group(group, Label::OwnLeafNodes)
    }

    fn queue_proposal<
        G: traits::GroupId<CURRENT_VERSION>,
        R: traits::ProposalRef<CURRENT_VERSION>,
        P: traits::QueuedProposal<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
        reference: &R,
        proposal: &P,
    ) -> Result<(), StorageFailed> {
        let namespace = self.group_namespace(group)?;
        self.write(&namespace, &self.identified(Label::Proposal, reference)?, proposal)?;
        let mut references: Vec<R> = self.queued_proposal_refs(group)?;
        let known = self.position_of(&references, reference)?;
        if known.is_none() {
            let reference =
                self.checked(super::codec::encode(reference).and_then(|bytes| super::codec::decode(&bytes)))?;
            references.push(reference);
        }
        self.write(&namespace, Label::ProposalReferences.name(), &references)
    }

    fn queued_proposal_refs<G: traits::GroupId<CURRENT_VERSION>, R: traits::ProposalRef<CURRENT_VERSION>>(
        &self,
        group: &G,
    ) -> Result<Vec<R>, StorageFailed> {
        Ok(self.read_of_group(group, Label::ProposalReferences)?.unwrap_or_default())
    }

    fn queued_proposals<
        G: traits::GroupId<CURRENT_VERSION>,
        R: traits::ProposalRef<CURRENT_VERSION>,
        P: traits::QueuedProposal<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
    ) -> Result<Vec<(R, P)>, StorageFailed> {
        let namespace = self.group_namespace(group)?;
        let references: Vec<R> = self.queued_proposal_refs(group)?;
        let mut proposals = Vec::with_capacity(references.len());
        for reference in references {
            if let Some(proposal) = self.read(&namespace, &self.identified(Label::Proposal, &reference)?)? {
                proposals.push((reference, proposal));
            }
        }
        Ok(proposals)
    }

    fn remove_proposal<G: traits::GroupId<CURRENT_VERSION>, R: traits::ProposalRef<CURRENT_VERSION>>(
        &self,
        group: &G,
        reference: &R,
    ) -> Result<(), StorageFailed> {
        let namespace = self.group_namespace(group)?;
        self.remove(&namespace, &self.identified(Label::Proposal, reference)?)?;
        let mut references: Vec<R> = self.queued_proposal_refs(group)?;
        if let Some(position) = self.position_of(&references, reference)? {
            references.remove(position);
            self.write(&namespace, Label::ProposalReferences.name(), &references)?;
        }
        Ok(())
    }

    fn clear_proposal_queue<G: traits::GroupId<CURRENT_VERSION>, R: traits::ProposalRef<CURRENT_VERSION>>(
        &self,
        group: &G,
    ) -> Result<(), StorageFailed> {
        let namespace = self.group_namespace(group)?;
        for reference in self.queued_proposal_refs::<G, R>(group)? {
            self.remove(&namespace, &self.identified(Label::Proposal, &reference)?)?;
        }
        self.remove(&namespace, Label::ProposalReferences.name())
    }

    fn write_encryption_epoch_key_pairs<
        G: traits::GroupId<CURRENT_VERSION>,
        E: traits::EpochKey<CURRENT_VERSION>,
        P: traits::HpkeKeyPair<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
        epoch: &E,
        leaf: u32,
        pairs: &[P],
    ) -> Result<(), StorageFailed> {
        self.write(
            &self.group_namespace(group)?,
            &self.identified(Label::EpochKeyPairs, &(epoch, leaf))?,
            pairs,
        )
    }

    fn encryption_epoch_key_pairs<
        G: traits::GroupId<CURRENT_VERSION>,
        E: traits::EpochKey<CURRENT_VERSION>,
        P: traits::HpkeKeyPair<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
        epoch: &E,
        leaf: u32,
    ) -> Result<Vec<P>, StorageFailed> {
        let name = self.identified(Label::EpochKeyPairs, &(epoch, leaf))?;
        Ok(self.read(&self.group_namespace(group)?, &name)?.unwrap_or_default())
    }

    fn delete_encryption_epoch_key_pairs<
        G: traits::GroupId<CURRENT_VERSION>,
        E: traits::EpochKey<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
        epoch: &E,
        leaf: u32,
    ) -> Result<(), StorageFailed> {
        self.remove(&self.group_namespace(group)?, &self.identified(Label::EpochKeyPairs, &(epoch, leaf))?)
    }
}

impl Storage<'_> {
    /// Where a reference stands in a list; references have no equality, but their encodings do.
    fn position_of<R: Serialize>(
        &self,
        references: &[R],
        reference: &R,
    ) -> Result<Option<usize>, StorageFailed> {
        let sought = self.checked(super::codec::encode(reference))?;
        for (position, candidate) in references.iter().enumerate() {
            if *self.checked(super::codec::encode(candidate))? == *sought {
                return Ok(Some(position));
            }
        }
        Ok(None)
    }
}
