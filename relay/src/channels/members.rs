//! The delivery list: who is on it, and coming off it.

use qpq_proto::Failure;
use qpq_proto::ids::{ChannelId, Identity};
use qpq_proto::v1::{
    ChannelMember, ListGroupMembersRequest, ListGroupMembersResponse, MembershipChange, RemoveMemberRequest,
    RemoveMemberResponse,
};

use crate::channels::records::{ChannelAccountRecord, ChannelRecord, MemberRecord, MetadataRecord};
use crate::channels::{load, own_channel, save};
use crate::context::Context;
use crate::graves;
use crate::input::RelayError;
use crate::queues;
use crate::records::SetKind;
use crate::relay::Relay;
use crate::sets;
use crate::storage::Transaction;
use crate::tables::{
    self, ACCOUNT_CHANNELS, CHANNEL_ACCOUNTS, CHANNEL_METADATA, CHANNEL_PAIRS, CHANNELS, key,
};

impl Relay {
    pub(crate) fn remove_member(
        &self,
        cx: &mut Context<'_>,
        request: &RemoveMemberRequest,
    ) -> Result<RemoveMemberResponse, Failure> {
        let identity = cx.identity()?;
        let whom = Identity::try_from(request.identity_key.as_slice())
            .map_err(|error| error.in_field("identity_key"))?;
        if whom == identity {
            self.leave(cx, identity, &request.channel_id)?;
            return Ok(RemoveMemberResponse {});
        }
        let (channel, record) = own_channel(cx, identity, &request.channel_id)?;
        let Some(member) = record.member(whom.as_bytes()) else {
            return Err(Failure::not_found("this person is not on the channel's list"));
        };
        if !record.may_remove(identity.as_bytes(), member) {
            let message = "who was added by another is taken off by the first on the list only";
            return Err(Failure::forbidden(message));
        }
        self.tell_members(cx, channel, &record, MembershipChange::Removed, whom);
        take_off(cx.tx, channel, record, whom.as_bytes())?;
        Ok(RemoveMemberResponse {})
    }

    /// Takes the caller off a list, if it is on it, and drops its queue of the channel's name.
    fn leave(&self, cx: &mut Context<'_>, identity: Identity, channel_id: &[u8]) -> Result<(), Failure> {
        let channel = ChannelId::try_from(channel_id).map_err(|error| error.in_field("channel_id"))?;
        let had_queue = queues::drop_channel(cx.tx, identity, channel)?;
        match load(cx.tx, channel)?.filter(|record| record.has(identity.as_bytes())) {
            Some(record) => {
                self.tell_members(cx, channel, &record, MembershipChange::Removed, identity);
                Ok(take_off(cx.tx, channel, record, identity.as_bytes())?)
            }
            None if had_queue => Ok(()),
            None => Err(super::not_yours()),
        }
    }

    pub(crate) fn list_group_members(
        &self,
        cx: &Context<'_>,
        request: &ListGroupMembersRequest,
    ) -> Result<ListGroupMembersResponse, Failure> {
        let (channel, record) = own_channel(cx, cx.identity()?, &request.channel_id)?;
        let metadata: MetadataRecord =
            tables::load(cx.tx, CHANNEL_METADATA, key(channel.as_bytes()))?.unwrap_or_default();
        let ChannelRecord { members, version, rotation_asked_at_ms, .. } = record;
        let mut members: Vec<_> = members.into_iter().map(ChannelMember::from).collect();
        members.sort_unstable_by(|one, other| one.identity_key.cmp(&other.identity_key));
        Ok(ListGroupMembersResponse { members, metadata: metadata.metadata, version, rotation_asked_at_ms })
    }
}

impl From<MemberRecord> for ChannelMember {
    fn from(record: MemberRecord) -> Self {
        let MemberRecord { identity, joined_at_ms, added_by, .. } = record;
        Self { identity_key: identity, joined_at_ms, added_by }
    }
}

/// Takes somebody off a list. The channel goes with the last on it.
fn take_off(
    tx: &mut dyn Transaction,
    channel: ChannelId,
    mut record: ChannelRecord,
    whom: &[u8],
) -> Result<(), RelayError> {
    if let Some(member) = record.member(whom) {
        let all = [whom, &member.joined_in].concat();
        sets::remove(tx, ACCOUNT_CHANNELS, &all, channel.as_bytes())?;
    }
    record.members.retain(|member| member.identity != whom);
    if !record.members.is_empty() {
        return save(tx, channel, &record);
    }
    tx.delete(CHANNELS, key(channel.as_bytes()))?;
    tx.delete(CHANNEL_METADATA, key(channel.as_bytes()))?;
    if !record.pair.is_empty() {
        tx.delete(CHANNEL_PAIRS, key(&record.pair))?;
    }
    let maker: Option<ChannelAccountRecord> = tables::load(tx, CHANNEL_ACCOUNTS, key(&record.made_by))?;
    if let Some(mut account) = maker.filter(|account| account.incarnation == record.made_in) {
        account.made = account.made.saturating_sub(1);
        tables::save(tx, CHANNEL_ACCOUNTS, key(&record.made_by), &account)?;
    }
    Ok(())
}

/// Takes a person off all lists, step by step.
pub(crate) fn forget_account(tx: &mut dyn Transaction, identity: Identity) -> Result<(), RelayError> {
    let place = key(identity.as_bytes());
    let Some(account) = tables::load::<ChannelAccountRecord>(tx, CHANNEL_ACCOUNTS, place)? else {
        return Ok(());
    };
    graves::dig_for_set(tx, identity.as_bytes(), &account.all_channels(identity), SetKind::Memberships)?;
    Ok(tx.delete(CHANNEL_ACCOUNTS, place)?)
}

/// Takes a person whose account was deleted off some of its lists. Returns whether it was on none.
pub(crate) fn forget_memberships(
    relay: &Relay,
    cx: &mut Context<'_>,
    identity: &[u8],
    prefix: &[u8],
    limit: usize,
) -> Result<bool, RelayError> {
    let channels = sets::take_some(cx.tx, ACCOUNT_CHANNELS, prefix, limit)?;
    let Ok(whom) = Identity::try_from(identity) else { return Ok(true) };
    for channel in channels.iter().filter_map(|id| ChannelId::try_from(id.as_slice()).ok()) {
        let Some(record) = load(cx.tx, channel)? else { continue };
        let is_of_that_life = |member: &MemberRecord| [identity, &member.joined_in].concat() == prefix;
        if record.member(identity).is_some_and(is_of_that_life) {
            relay.tell_members(cx, channel, &record, MembershipChange::Removed, whom);
            take_off(cx.tx, channel, record, identity)?;
        }
    }
    Ok(channels.is_empty())
}
