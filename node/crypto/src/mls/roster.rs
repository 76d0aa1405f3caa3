//! The certificates of a group's members, by leaf.

use std::collections::BTreeMap;

use openmls::group::MlsGroup;
use openmls::prelude::LeafNodeIndex;

use super::credential;
use super::error::MlsError;
use super::group::{Group, Member};
use super::suite::Suite;
use crate::certificate::DeviceCertificate;
use crate::ids::Identity;

impl Group {
    /// The certificates of the current epoch's members, in the order of their leaves. Unlike
    /// [`members`](Self::members) it copies nothing: use it for what is done with every message.
    pub fn roster(&self) -> impl ExactSizeIterator<Item = (u32, &DeviceCertificate)> {
        self.roster.iter().map(|(leaf, certificate)| (*leaf, certificate))
    }

    /// The members of the current epoch that are devices of a person.
    pub fn members_of(&self, identity: &Identity) -> impl Iterator<Item = (u32, &DeviceCertificate)> {
        self.roster().filter(move |(_, certificate)| certificate.identity == *identity)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mls::testing::{Device, MapStorage};
    use crate::mls::{Context, Suite};

    #[test]
    fn the_roster_is_the_members_without_copies() {
        let device = Device::new(1);
        let mut storage = MapStorage::default();
        let mut rng = device.rng();
        let (secret, certificate) = (&device.secret, &device.certificate);
        let mut cx = Context { storage: &mut storage, rng: &mut rng, device: secret, certificate };
        let group = Group::create(&mut cx, Suite::Classical, b"record").unwrap();
        assert_eq!(group.roster().len(), 1);
        let copies: Vec<_> =
            group.roster().map(|(leaf, found)| Member { leaf, certificate: found.clone() }).collect();
        assert_eq!(copies, group.members());
        assert_eq!(group.members_of(&certificate.identity).next(), Some((0, certificate)));
        let stranger = Device::new(2).certificate.identity;
        assert_eq!(group.members_of(&stranger).count(), 0);
    }

    #[test]
    fn newcomers_take_the_first_free_leaves() {
        let certificate = Device::new(1).certificate;
        let roster = [0, 1, 3].map(|leaf| (leaf, certificate.clone())).into_iter().collect();
        let added = placed(&roster, &[1], vec![certificate.clone(); 4]);
        assert_eq!(added.iter().map(|member| member.leaf).collect::<Vec<_>>(), [1, 2, 4, 5]);
    }
}
