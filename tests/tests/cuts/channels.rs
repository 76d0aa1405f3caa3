//! One who makes groups, changes what is said of them and who is on their lists, and leaves them.

use std::collections::BTreeSet;

use qpq_proto::Status;
use qpq_proto::ids::Identity;
use qpq_proto::v1::{
    CreateChannelRequest, ListGroupMembersRequest, RemoveMemberRequest, UpdateGroupMetadataRequest,
};
use qpq_tests::RelayAddress;

use crate::visitor::{Arrivals, Kept, Visitor, status};

pub(crate) struct Channels {
    maker: Visitor,
    peer: Visitor,
    other: Visitor,
    /// The channel of the maker and the peer, once it is known.
    pair: Option<Vec<u8>>,
    /// Of a group that stays: its members.
    members: Kept<BTreeSet<Vec<u8>>>,
    /// Of the same group: version and metadata.
    metadata: Kept<(u64, Vec<u8>)>,
    group: Vec<u8>,
    /// A group that comes and goes.
    passing: Kept<Option<Vec<u8>>>,
}

impl Channels {
    pub(crate) async fn arrive(arrivals: &mut Arrivals) -> Self {
        let (maker, peer, other) = (arrivals.next().await, arrivals.next().await, arrivals.next().await);
        let group = create(&maker, &peer, true, &[]).await.0;
        let members = [maker.identity(), peer.identity()].map(|member| member.to_vec()).into();
        let (members, metadata) = (Kept::new(members), Kept::new((0, Vec::new())));
        Self { maker, peer, other, pair: None, members, metadata, group, passing: Kept::new(None) }
    }

    pub(crate) async fn act(&mut self) {
        loop {
            let (pair, created) = create(&self.maker, &self.peer, false, &[]).await;
            assert_eq!(pair, *self.pair.get_or_insert_with(|| pair.clone()), "two people have one channel");
            assert!(!created || self.metadata.changes == 0, "it is there already");
            self.change_metadata().await;
            self.change_members().await;
            self.come_and_go().await;
        }
    }

    async fn change_metadata(&mut self) {
        let version = self.metadata.known().0;
        let metadata = format!("metadata {version}").into_bytes();
        self.metadata.want((version + 1, metadata.clone()));
        let request = UpdateGroupMetadataRequest { channel_id: self.group.clone(), metadata, version };
        self.maker.line().update_group_metadata(&request).await.unwrap();
        self.metadata.done();
    }

    async fn change_members(&mut self) {
        let mut members = self.members.known().clone();
        let other = self.other.identity().to_vec();
        if members.remove(&other) {
            self.members.want(members);
            remove(&self.maker, &self.group, self.other.identity()).await;
        } else {
            members.insert(other);
            self.members.want(members);
            assert!(create(&self.maker, &self.other, false, &self.group).await.1, "it is added");
        }
        self.members.done();
    }

    /// Makes a group, or has the two leave it, with whom it ends.
    async fn come_and_go(&mut self) {
        match self.passing.known().clone() {
            None => {
                let (group, _) = create(&self.maker, &self.peer, true, &[]).await;
                self.passing.want(Some(group));
            }
            Some(group) => {
                self.passing.want(None);
                remove(&self.maker, &group, self.peer.identity()).await;
                remove(&self.maker, &group, self.maker.identity()).await;
            }
        }
        self.passing.done();
    }

    pub(crate) async fn check(&mut self, relay: &RelayAddress) {
        for visitor in [&mut self.maker, &mut self.peer, &mut self.other] {
            visitor.enter(relay).await;
        }
        let found = self.maker.line().list_group_members(&list(&self.group)).await.unwrap();
        self.members.settle(found.members.into_iter().map(|member| member.identity_key).collect());
        self.metadata.settle((found.version, found.metadata));
        let Some(group) = self.passing.known().clone() else { return };
        match self.maker.line().list_group_members(&list(&group)).await {
            Ok(_) => {
                self.passing.settle(Some(group.clone()));
                // Whom it removed may be off the list already: it is the peer again.
                create(&self.maker, &self.peer, false, &group).await;
            }
            Err(refused) => {
                assert_eq!(status(&refused), Status::Forbidden, "{refused}");
                self.passing.settle(None);
            }
        }
    }

    pub(crate) fn summary(&self) -> String {
        let (said, members, groups) = (self.metadata.changes, self.members.changes, self.passing.changes);
        format!("{said} versions of metadata, {members} changes of members, {groups} of groups")
    }
}

/// Makes a channel of two or a group, or adds to a channel; gives its id, and whether something was made or added.
async fn create(maker: &Visitor, peer: &Visitor, group: bool, channel: &[u8]) -> (Vec<u8>, bool) {
    let (identity_key, channel_id) = (peer.identity().to_vec(), channel.to_vec());
    let request = CreateChannelRequest { identity_key, group, channel_id };
    let answer = maker.line().create_channel(&request).await.unwrap();
    (answer.channel_id, answer.created)
}

async fn remove(by: &Visitor, channel: &[u8], whom: Identity) {
    let request = RemoveMemberRequest { channel_id: channel.to_vec(), identity_key: whom.to_vec() };
    by.line().remove_member(&request).await.unwrap();
}

fn list(channel: &[u8]) -> ListGroupMembersRequest {
    ListGroupMembersRequest { channel_id: channel.to_vec() }
}
