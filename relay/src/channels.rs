//! Channels: lists of the people among whom deliveries go.
//!
//! ```text
//!  CreateChannel(peer)            the one channel of two people, the same whoever asks first
//!  CreateChannel(peer, group)     a new channel, with both on its list
//!  CreateChannel(peer, channel)   the peer is added; any member may
//!  RemoveMember                   oneself; whom one added; anybody, if one is first on the list
//! ```
//!
//! A channel's id is random: it says nothing about its members, and nobody comes upon it by trying. What the relay makes
//! of a channel is little. A queue of its name can be made in the mailbox of somebody on its list, by somebody on its
//! list, and not by a stranger who thinks an id up; and the list is told of changes. A group itself is MLS, between its
//! members: who belongs to it, who may change it, and what is encrypted to whom is theirs to say. Members who are removed
//! keep the queue, which may hold the very message that removes them, until they leave it themselves.
//!
//! Whoever makes a channel pays for it out of the channels that an account may make, so that nobody's room is taken by
//! being put on a list.

mod create;
mod members;
mod metadata;
mod records;

use bytes::Bytes;
use prost::Message;
use qpq_proto::Failure;
use qpq_proto::ids::{ChannelId, Identity};
use qpq_proto::v1::{Membership, MembershipChange, PushEvent};

use crate::channels::records::ChannelRecord;
use crate::context::Context;
use crate::input::{Effect, RelayError};
use crate::relay::Relay;
use crate::storage::Transaction;
use crate::tables::{self, CHANNELS, key};

pub(crate) use members::forget_account;
pub(crate) use members::forget_memberships;

impl Relay {
    /// Tells the members of a channel who are connected. Returns how many members that are.
    fn tell_members(
        &self,
        cx: &mut Context<'_>,
        channel: ChannelId,
        record: &ChannelRecord,
        change: MembershipChange,
        whose: Identity,
    ) -> u32 {
        let channel_id = channel.to_vec();
        let event = Membership { channel_id, change: change.into(), identity_key: whose.to_vec() };
        let payload = Bytes::from(event.encode_to_vec());
        let mut told = 0;
        for member in &record.members {
            let Ok(identity) = Identity::try_from(member.identity.as_slice()) else { continue };
            let before = cx.effects.len();
            for (connection, _) in self.sessions.connections(identity) {
                let payload = payload.clone();
                cx.effects.push(Effect::Push { connection, event: PushEvent::Membership, payload });
            }
            told += u32::from(cx.effects.len() > before);
        }
        told
    }
}

/// Whether a queue of a channel's name may be made in a mailbox of the owner's: the owner must be on the channel's list,
/// and so must be who is logged in, unless it shows a token of the mailbox's.
pub(crate) fn check_queue(
    cx: &Context<'_>,
    channel: &[u8],
    owner: &[u8],
    has_token: bool,
) -> Result<(), Failure> {
    let record: Option<ChannelRecord> = tables::load(cx.tx, CHANNELS, key(channel))?;
    let is_open = record.is_some_and(|record| {
        let session = cx.call.and_then(|call| call.session);
        let is_writers = session.is_none_or(|session| record.has(session.identity.as_bytes()));
        record.has(owner) && (is_writers || has_token)
    });
    if is_open { Ok(()) } else { Err(not_yours()) }
}

/// A channel of the caller's, from a field of a request.
fn own_channel(
    cx: &Context<'_>,
    identity: Identity,
    channel_id: &[u8],
) -> Result<(ChannelId, ChannelRecord), Failure> {
    let channel = ChannelId::try_from(channel_id).map_err(|error| error.in_field("channel_id"))?;
    let record = load(cx.tx, channel)?.filter(|record| record.has(identity.as_bytes()));
    record.map(|record| (channel, record)).ok_or_else(not_yours)
}

fn load(tx: &dyn Transaction, channel: ChannelId) -> Result<Option<ChannelRecord>, RelayError> {
    tables::load(tx, CHANNELS, key(channel.as_bytes()))
}

fn save(tx: &mut dyn Transaction, channel: ChannelId, record: &ChannelRecord) -> Result<(), RelayError> {
    tables::save(tx, CHANNELS, key(channel.as_bytes()), record)
}

/// The same for a channel that does not exist.
fn not_yours() -> Failure {
    Failure::forbidden("this is no channel of the caller's and of the person named")
}
