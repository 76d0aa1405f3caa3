//! Making channels, and adding people to them.

use qpq_proto::Failure;
use qpq_proto::ids::{ChannelId, Identity};
use qpq_proto::v1::{CreateChannelRequest, CreateChannelResponse, MembershipChange};

use crate::accounts;
use crate::channels::records::{ChannelAccountRecord, ChannelRecord, MemberRecord, PairRecord};
use crate::channels::{load, own_channel, save};
use crate::context::Context;
use crate::input::RelayError;
use crate::relay::Relay;
use crate::sets;
use crate::tables::{self, ACCOUNT_CHANNELS, CHANNEL_ACCOUNTS, CHANNEL_PAIRS, key};

impl Relay {
    pub(crate) fn create_channel(
        &self,
        cx: &mut Context<'_>,
        request: &CreateChannelRequest,
    ) -> Result<CreateChannelResponse, Failure> {
        let identity = cx.identity()?;
        let peer = Identity::try_from(request.identity_key.as_slice())
            .map_err(|error| error.in_field("identity_key"))?;
        if peer == identity {
            return Err(Failure::bad_request("identity_key", "a channel needs somebody else"));
        }
        if accounts::account(cx.tx, peer.as_bytes())?.is_none() {
            return Err(Failure::not_found("this person has no account here"));
        }
        let (channel, created) = match (request.channel_id.is_empty(), request.group) {
            (true, false) => self.channel_of_two(cx, identity, peer)?,
            (true, true) => (self.new_channel(cx, identity, peer, Vec::new())?, true),
            (false, false) => self.add_member(cx, identity, peer, &request.channel_id)?,
            (false, true) => {
                return Err(Failure::bad_request("group", "the channel that is named exists already"));
            }
        };
        Ok(CreateChannelResponse { channel_id: channel.to_vec(), created })
    }

    /// The channel of two people, with both on its list.
    fn channel_of_two(
        &self,
        cx: &mut Context<'_>,
        identity: Identity,
        peer: Identity,
    ) -> Result<(ChannelId, bool), Failure> {
        let pair = [identity.min(peer).to_vec(), identity.max(peer).to_vec()].concat();
        let Some(known) = tables::load::<PairRecord>(cx.tx, CHANNEL_PAIRS, key(&pair))? else {
            let channel = self.new_channel(cx, identity, peer, pair.clone())?;
            tables::save(cx.tx, CHANNEL_PAIRS, key(&pair), &PairRecord { channel: channel.to_vec() })?;
            return Ok((channel, true));
        };
        let channel = ChannelId::try_from(known.channel.as_slice()).map_err(|_| Failure::internal())?;
        let mut record = load(cx.tx, channel)?.unwrap_or_default();
        for member in [identity, peer] {
            if !is_on(cx, &record, member)? {
                self.join(cx, channel, &mut record, member, identity)?;
            }
        }
        Ok((channel, false))
    }

    fn add_member(
        &self,
        cx: &mut Context<'_>,
        identity: Identity,
        peer: Identity,
        channel_id: &[u8],
    ) -> Result<(ChannelId, bool), Failure> {
        let (channel, mut record) = own_channel(cx, identity, channel_id)?;
        if is_on(cx, &record, peer)? {
            return Ok((channel, false));
        }
        if !record.pair.is_empty() {
            return Err(Failure::forbidden("the channel of two people is for them alone: make one for more"));
        }
        if record.members.len() >= self.limits.members_per_channel_max {
            let most = self.limits.members_per_channel_max;
            return Err(Failure::quota(format!("a channel has at most {most} members")));
        }
        self.join(cx, channel, &mut record, peer, identity)?;
        Ok((channel, true))
    }

    fn new_channel(
        &self,
        cx: &mut Context<'_>,
        identity: Identity,
        peer: Identity,
        pair: Vec<u8>,
    ) -> Result<ChannelId, Failure> {
        let mut account = channel_account(cx, identity)?;
        if account.made >= self.limits.channels_per_account_max {
            let most = self.limits.channels_per_account_max;
            return Err(Failure::quota(format!("an account makes at most {most} channels: leave one first")));
        }
        account.made += 1;
        tables::save(cx.tx, CHANNEL_ACCOUNTS, key(identity.as_bytes()), &account)?;
        let mut id = [0; ChannelId::LENGTH_BYTES];
        cx.rng.fill_bytes(&mut id);
        let channel = ChannelId::from_bytes(id);
        let (made_by, made_in) = (identity.to_vec(), account.incarnation);
        let mut record = ChannelRecord { pair, made_by, made_in, ..ChannelRecord::default() };
        for member in [identity, peer] {
            self.join(cx, channel, &mut record, member, identity)?;
        }
        Ok(channel)
    }

    /// Puts somebody on a channel's list, and tells all on it.
    fn join(
        &self,
        cx: &mut Context<'_>,
        channel: ChannelId,
        record: &mut ChannelRecord,
        member: Identity,
        added_by: Identity,
    ) -> Result<(), RelayError> {
        let account = channel_account(cx, member)?;
        tables::save(cx.tx, CHANNEL_ACCOUNTS, key(member.as_bytes()), &account)?;
        sets::add(cx.tx, ACCOUNT_CHANNELS, &account.all_channels(member), channel.as_bytes())?;
        record.members.retain(|known| known.identity != member.as_bytes());
        record.members.push(MemberRecord {
            identity: member.to_vec(),
            joined_at_ms: cx.now.wall_ms,
            added_by: added_by.to_vec(),
            joined_in: account.incarnation,
        });
        save(cx.tx, channel, record)?;
        self.tell_members(cx, channel, record, MembershipChange::Added, member);
        Ok(())
    }
}

impl ChannelAccountRecord {
    /// Under which the ids of the account's channels lie.
    pub(crate) fn all_channels(&self, identity: Identity) -> Vec<u8> {
        [identity.as_bytes().as_slice(), &self.incarnation].concat()
    }
}

/// Whether a person is on a list, and not only what is left of an account that was deleted.
fn is_on(cx: &mut Context<'_>, record: &ChannelRecord, person: Identity) -> Result<bool, RelayError> {
    let account = channel_account(cx, person)?;
    let member = record.member(person.as_bytes());
    Ok(member.is_some_and(|member| member.joined_in == account.incarnation))
}

/// What an account has to do with channels. The caller writes it.
fn channel_account(cx: &mut Context<'_>, identity: Identity) -> Result<ChannelAccountRecord, RelayError> {
    let known = tables::load(cx.tx, CHANNEL_ACCOUNTS, key(identity.as_bytes()))?;
    Ok(known.unwrap_or_else(|| {
        let incarnation = cx.rng.next_u64().to_be_bytes().to_vec();
        ChannelAccountRecord { incarnation, made: 0 }
    }))
}
