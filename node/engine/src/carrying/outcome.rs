//! What becomes of own bundles: handed on, settled, ended, or without room.
//!
//! What this node's own custody has no room for is marked in the outbox. It is deposited again by the looks that there
//! are anyway ([`Engine::carry_waiting`](crate::Engine)), when somebody connects or something new waits, and after an own
//! bundle has gone. A look in which there was no room for one does not try the others that are marked.

use qpq_mesh::{BundleId, wire::Durability};
use qpq_proto::ids::NodeKey;

use crate::{
    context::Context,
    engine::Engine,
    input::{EngineError, Now},
    outbox::Stream,
    records::{CarriedRecord, ParcelRecord, Progress},
    tables::{self, CARRIED, OUTGOING},
};

impl Engine {
    /// A node has an own bundle. The one recipient's own node is no carrier.
    pub(crate) fn own_handed(
        &mut self,
        cx: &mut Context<'_>,
        id: &BundleId,
        node: NodeKey,
        durability: Durability,
    ) -> Result<(), EngineError> {
        let Some((stream, _, parcel)) = self.carried_entry(cx, id)? else { return Ok(()) };
        let readers = self.recipients(cx, &stream)?.cloned().unwrap_or_default();
        if parcel.message.is_empty()
            || readers.is_subset(&self.owners_of_node(cx, node)?.into_iter().collect())
        {
            return Ok(());
        }
        self.message_handed(cx, &parcel.message, node, durability)
    }

    /// The lifetime of an own bundle has ended; its entry waits for its recipients.
    pub(crate) fn own_expired(&mut self, cx: &mut Context<'_>, id: &BundleId) -> Result<(), EngineError> {
        if let Some((_, _, parcel)) = self.carried_entry(cx, id)? {
            self.message_dropped(cx, &parcel.message)?;
        }
        self.own_dropped(cx, id)
    }

    /// The one recipient of an own bundle has revealed its secret: it has the message, and if the bundle held a piece of
    /// it, all the others too.
    pub(crate) fn own_settled(&mut self, cx: &mut Context<'_>, id: &BundleId) -> Result<(), EngineError> {
        let Some((stream, ordinal, _)) = self.carried_entry(cx, id)? else { return Ok(()) };
        cx.tx.delete(CARRIED, tables::key(id.as_bytes()))?;
        let readers: Vec<Vec<u8>> = self
            .recipients(cx, &stream)?
            .map(|readers| readers.iter().cloned().collect())
            .unwrap_or_default();
        let [reader] = readers.as_slice() else { return Ok(()) };
        match self.pending_entry(cx, &stream, reader, ordinal)? {
            Some(entry) => self.finish(cx, &entry, Progress::Delivered, ""),
            None => Ok(()),
        }
    }

    /// An own bundle is carried no further; its entry waits for its recipients.
    pub(crate) fn own_dropped(&self, cx: &mut Context<'_>, id: &BundleId) -> Result<(), EngineError> {
        Ok(cx.tx.delete(CARRIED, tables::key(id.as_bytes()))?)
    }

    /// This node has no room for an own bundle, or has it no longer: it is to be deposited again.
    pub(crate) fn own_without_room(
        &mut self,
        cx: &mut Context<'_>,
        id: &BundleId,
    ) -> Result<(), EngineError> {
        let Some((stream, ordinal, parcel)) = self.carried_entry(cx, id)? else { return Ok(()) };
        self.carrying.lacks_room = true;
        let refused = ParcelRecord { is_refused: true, ..parcel };
        tables::save(cx.tx, OUTGOING, tables::at(stream.key(), ordinal), &refused)?;
        self.own_dropped(cx, id)
    }

    /// An own bundle is gone, so that another may have room.
    pub(crate) fn room_appeared(&mut self, now: Now) {
        if self.carrying.lacks_room {
            self.carry_soon(now);
        }
    }

    /// The id of the message in an entry that a bundle carries; empty for what is no message.
    pub(crate) fn message_of_entry(
        &self,
        cx: &Context<'_>,
        carried: CarriedRecord,
    ) -> Result<Vec<u8>, EngineError> {
        let Some(stream) = Stream::from_record(carried.stream, carried.key) else { return Ok(Vec::new()) };
        let parcel: Option<ParcelRecord> =
            tables::load(cx.tx, OUTGOING, tables::at(stream.key(), carried.ordinal))?;
        Ok(parcel.map(|parcel| parcel.message).unwrap_or_default())
    }

    fn carried_entry(
        &self,
        cx: &Context<'_>,
        id: &BundleId,
    ) -> Result<Option<(Stream, u64, ParcelRecord)>, EngineError> {
        let carried: Option<CarriedRecord> = tables::load(cx.tx, CARRIED, tables::key(id.as_bytes()))?;
        let Some(CarriedRecord { stream, key, ordinal }) = carried else { return Ok(None) };
        let Some(stream) = Stream::from_record(stream, key) else { return Ok(None) };
        let parcel = tables::load(cx.tx, OUTGOING, tables::at(stream.key(), ordinal))?;
        Ok(parcel.map(|parcel| (stream, ordinal, parcel)))
    }
}
