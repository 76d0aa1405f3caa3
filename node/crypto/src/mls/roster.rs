//! The certificates of a group's members, by leaf.

use std::collections::BTreeMap;

use openmls::group::MlsGroup;
use openmls::prelude::LeafNodeIndex;

use super::credential;
use super::error::MlsError;
use super::group::Member;
use super::suite::Suite;
use crate::certificate::DeviceCertificate;

/// Verifies the credentials of all members.
pub(super) fn verified_roster(
    members: impl Iterator<Item = openmls::group::Member>,
    suite: Suite,
) -> Result<BTreeMap<u32, DeviceCertificate>, MlsError> {
    members
        .map(|member| {
            let certificate = credential::verify(&member.credential, &member.signature_key, suite)?;
            Ok((member.index.u32(), certificate))
        })
        .collect()
}

/// Reads the credentials of all members of a group that was stored, which were verified before.
pub(super) fn stored_roster(
    members: impl Iterator<Item = openmls::group::Member>,
) -> Result<BTreeMap<u32, DeviceCertificate>, MlsError> {
    members.map(|member| Ok((member.index.u32(), credential::stored(&member.credential)?))).collect()
}

/// Where added members come to sit: each at the first leaf that is free (RFC 9420, section 7.7).
pub(super) fn placed(
    roster: &BTreeMap<u32, DeviceCertificate>,
    removed: &[u32],
    added: Vec<DeviceCertificate>,
) -> Vec<Member> {
    let is_taken = |leaf: &u32| roster.contains_key(leaf) && !removed.contains(leaf);
    let free_leaves = (0..).filter(|leaf| !is_taken(leaf));
    free_leaves.zip(added).map(|(leaf, certificate)| Member { leaf, certificate }).collect()
}

/// Brings a roster up to date with a merged commit, and checks it against the tree.
pub(super) fn update_roster(
    roster: &mut BTreeMap<u32, DeviceCertificate>,
    mls: &MlsGroup,
    removed: &[u32],
    added: &[Member],
) -> Result<(), MlsError> {
    for leaf in removed {
        roster.remove(leaf);
    }
    for member in added {
        let leaf = mls.public_group().leaf(LeafNodeIndex::new(member.leaf));
        let is_there =
            leaf.is_some_and(|leaf| leaf.signature_key().as_slice() == member.certificate.device.as_bytes());
        if !is_there {
            return Err(MlsError::Library("an added member is not at the leaf where it belongs".into()));
        }
        roster.insert(member.leaf, member.certificate.clone());
    }
    Ok(())
}
