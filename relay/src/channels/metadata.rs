//! What the members keep with a channel, and what they ask of each other.

use qpq_proto::Failure;
use qpq_proto::limits::METADATA_BYTES_MAX;
use qpq_proto::v1::{
    MembershipChange, RotateKeysRequest, RotateKeysResponse, UpdateGroupMetadataRequest,
    UpdateGroupMetadataResponse,
};

use crate::channels::records::MetadataRecord;
use crate::channels::{own_channel, save};
use crate::context::Context;
use crate::relay::Relay;
use crate::tables::{self, CHANNEL_METADATA, key};

impl Relay {
    pub(crate) fn update_group_metadata(
        &self,
        cx: &mut Context<'_>,
        request: &UpdateGroupMetadataRequest,
    ) -> Result<UpdateGroupMetadataResponse, Failure> {
        let identity = cx.identity()?;
        let UpdateGroupMetadataRequest { channel_id, metadata, version } = request;
        if metadata.len() > METADATA_BYTES_MAX {
            let message = format!("metadata has at most {METADATA_BYTES_MAX} bytes");
            return Err(Failure::bad_request("metadata", message));
        }
        let (channel, mut record) = own_channel(cx, identity, channel_id)?;
        if *version != record.version {
            let message = format!("version {} is held: read it, and replace that one", record.version);
            return Err(Failure::conflict(message));
        }
        record.version += 1;
        let metadata = MetadataRecord { metadata: metadata.clone() };
        tables::save(cx.tx, CHANNEL_METADATA, key(channel.as_bytes()), &metadata)?;
        save(cx.tx, channel, &record)?;
        self.tell_members(cx, channel, &record, MembershipChange::Metadata, identity);
        Ok(UpdateGroupMetadataResponse { version: record.version })
    }

    pub(crate) fn rotate_keys(
        &mut self,
        cx: &mut Context<'_>,
        request: &RotateKeysRequest,
    ) -> Result<RotateKeysResponse, Failure> {
        let identity = cx.identity()?;
        let (channel, mut record) = own_channel(cx, identity, &request.channel_id)?;
        self.rotations.take(channel, 1, cx.now.monotonic_ms)?;
        record.rotation_asked_at_ms = cx.now.wall_ms;
        save(cx.tx, channel, &record)?;
        let asked = self.tell_members(cx, channel, &record, MembershipChange::Rotate, identity);
        Ok(RotateKeysResponse { asked })
    }
}
