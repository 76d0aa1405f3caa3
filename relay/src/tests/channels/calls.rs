//! Calls about channels.

use std::collections::BTreeSet;

use qpq_proto::v1::{
    CreateChannelRequest, CreateChannelResponse, EnqueueRequest, EnqueueResponse, ListGroupMembersRequest,
    ListGroupMembersResponse, Membership, MembershipChange, PushEvent, RemoveMemberRequest,
    RemoveMemberResponse, RotateKeysRequest, RotateKeysResponse, UpdateGroupMetadataRequest,
    UpdateGroupMetadataResponse,
};
use qpq_proto::{Failure, Method, Status};

use super::status;
use crate::tests::world::{Device, World, delivery};

impl World {
    pub(super) fn channel(&mut self, who: Device, peer: Device) -> Result<(Vec<u8>, bool), Failure> {
        self.create(
            who,
            &CreateChannelRequest { identity_key: peer.identity().to_vec(), ..Default::default() },
        )
    }

    pub(super) fn group(&mut self, who: Device, peer: Device) -> Result<Vec<u8>, Failure> {
        let identity_key = peer.identity().to_vec();
        let request = CreateChannelRequest { identity_key, group: true, channel_id: Vec::new() };
        self.create(who, &request).map(|(channel, created)| {
            assert!(created);
            channel
        })
    }

    pub(super) fn add(&mut self, who: Device, channel: &[u8], peer: Device) -> Result<bool, Failure> {
        let (identity_key, channel_id) = (peer.identity().to_vec(), channel.to_vec());
        let request = CreateChannelRequest { identity_key, group: false, channel_id };
        self.create(who, &request).map(|(of, is_new)| {
            assert_eq!(of, channel);
            is_new
        })
    }

    pub(super) fn create(
        &mut self,
        who: Device,
        request: &CreateChannelRequest,
    ) -> Result<(Vec<u8>, bool), Failure> {
        let answer: CreateChannelResponse = self.call(who.caller(), Method::CreateChannel, request)?;
        Ok((answer.channel_id, answer.created))
    }

    pub(super) fn remove(&mut self, who: Device, channel: &[u8], whom: Device) -> Result<(), Failure> {
        let (channel_id, identity_key) = (channel.to_vec(), whom.identity().to_vec());
        let request = RemoveMemberRequest { channel_id, identity_key };
        self.call(who.caller(), Method::RemoveMember, &request).map(|_: RemoveMemberResponse| ())
    }

    pub(super) fn list(&mut self, who: Device, channel: &[u8]) -> Result<ListGroupMembersResponse, Failure> {
        let request = ListGroupMembersRequest { channel_id: channel.to_vec() };
        self.call(who.caller(), Method::ListGroupMembers, &request)
    }

    pub(super) fn members(&mut self, who: Device, channel: &[u8]) -> BTreeSet<Vec<u8>> {
        let members = self.list(who, channel).unwrap().members;
        assert!(members.is_sorted_by(|one, other| one.identity_key < other.identity_key));
        members.into_iter().map(|member| member.identity_key).collect()
    }

    pub(super) fn put(&mut self, who: Device, to: Device, channel: &[u8], text: &str) -> Result<u64, Status> {
        let delivery = delivery(to.identity().as_bytes(), text);
        let request = EnqueueRequest { channel_id: channel.to_vec(), ..delivery };
        let answer: Result<EnqueueResponse, _> = self.call(who.caller(), Method::Enqueue, &request);
        status(answer).map(|answer| answer.seq)
    }

    pub(super) fn update(
        &mut self,
        who: Device,
        channel: &[u8],
        version: u64,
        metadata: &[u8],
    ) -> Result<u64, Failure> {
        let (channel_id, metadata) = (channel.to_vec(), metadata.to_vec());
        let request = UpdateGroupMetadataRequest { channel_id, metadata, version };
        let answer: UpdateGroupMetadataResponse =
            self.call(who.caller(), Method::UpdateGroupMetadata, &request)?;
        Ok(answer.version)
    }

    pub(super) fn rotate(&mut self, who: Device, channel: &[u8]) -> Result<u32, Failure> {
        let request = RotateKeysRequest { channel_id: channel.to_vec() };
        let answer: RotateKeysResponse = self.call(who.caller(), Method::RotateKeys, &request)?;
        Ok(answer.asked)
    }

    /// Who was told since the last time, of what change of whose.
    pub(super) fn told(&mut self) -> Vec<(u64, MembershipChange, Vec<u8>)> {
        let events = self.events::<Membership>(PushEvent::Membership).into_iter();
        events.map(|(to, event)| (to.0 >> 8, event.change(), event.identity_key)).collect()
    }
}
