//! Own bundles: entries of the outbox that others carry, and what becomes of them.

use std::collections::BTreeSet;

use prost::Message as _;
use qpq_crypto::route::{piece_salt, settle_secret};
use qpq_mesh::{Bundle, BundleId, Class, Label, Secret, SizeClass};
use qpq_proto::v1::{Content, Parcel, content};

use crate::{
    context::Context,
    engine::Engine,
    input::{EngineError, Now},
    outbox::{Stream, Task},
    records::{CarriedRecord, CursorRecord, ParcelRecord},
    storage::Direction,
    tables::{self, CARRIED, OUTGOING, PAYLOADS},
};

/// How long a direct delivery may take before others are given the entry, ms.
const CARRY_AFTER_MS: u64 = 2_000;
/// Entries given to others by one input; the rest by the next.
const DEPOSITS_MAX: usize = 32;
const DAY_S: u32 = 86_400;

impl Engine {
    /// Looks, soon, for entries that others should carry.
    pub(crate) fn carry_soon(&mut self, now: Now) {
        if !std::mem::replace(&mut self.carrying.is_planned, true) {
            self.outbox.plan(now.monotonic_ms + CARRY_AFTER_MS, Task::Carry);
        }
    }

    /// Gives to others what waits for people who are not connected.
    pub(crate) fn carry_waiting(&mut self, cx: &mut Context<'_>) -> Result<(), EngineError> {
        self.carrying.is_planned = false;
        // Alone there is nobody to give it to; when somebody comes it is looked for again.
        if self.peers.connected().is_empty() {
            return Ok(());
        }
        let (mut deposits, mut is_full) = (0, false);
        self.carrying.lacks_room = false;
        for stream in self.stream_names(cx)? {
            let absent = self.absent_readers(cx, &stream)?;
            if absent.is_empty() {
                continue;
            }
            for (ordinal, parcel) in self.entries_after(cx, &stream, 0, usize::MAX)? {
                // What lies at a relay of a reader's is not carried as well.
                let is_waited_for = absent.iter().any(|(who, cursor)| {
                    cursor.is_pending(ordinal) && !cursor.is_relayed(ordinal) && parcel.is_for(who)
                });
                if !is_waited_for || (!parcel.bundles.is_empty() && !parcel.is_refused) {
                    continue;
                }
                if self.goes_by_relay_alone(cx, &stream, &parcel.recipient, &parcel)? {
                    continue;
                }
                if parcel.is_refused && is_full {
                    self.carrying.lacks_room = true;
                    continue;
                }
                if deposits == DEPOSITS_MAX {
                    self.carrying.is_planned = true;
                    self.outbox.plan(cx.now.monotonic_ms, Task::Carry);
                    return Ok(());
                }
                is_full |= !self.deposit(cx, &stream, ordinal, parcel)?;
                deposits += 1;
            }
        }
        Ok(())
    }

    /// Gives a conversation's newest entry to others at once, whoever is connected.
    pub(crate) fn carry_newest(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &[u8],
    ) -> Result<(), EngineError> {
        let stream = Stream::Conversation(conversation.to_vec());
        let newest: Vec<(u64, ParcelRecord)> =
            tables::scan(cx.tx, OUTGOING, stream.key(), 0..u64::MAX, Direction::Backward, 1)?;
        for (ordinal, parcel) in newest.into_iter().filter(|(_, parcel)| parcel.bundles.is_empty()) {
            self.deposit(cx, &stream, ordinal, parcel)?;
        }
        Ok(())
    }

    /// Who reads a stream and is not connected, with how far each is.
    fn absent_readers(
        &mut self,
        cx: &mut Context<'_>,
        stream: &Stream,
    ) -> Result<Vec<(Vec<u8>, CursorRecord)>, EngineError> {
        let readers: BTreeSet<Vec<u8>> = self.recipients(cx, stream)?.cloned().unwrap_or_default();
        let mut absent = Vec::new();
        for reader in readers {
            let nodes = self.person(cx, &reader)?.map(|person| person.node_keys()).unwrap_or_default();
            if !nodes.iter().any(|node| self.peers.is_connected(node)) {
                let cursor = self.cursor(cx, stream, &reader)?;
                absent.push((reader, cursor));
            }
        }
        Ok(absent)
    }

    /// Deposits an entry with the mesh. False if this node's own custody has no room for it.
    fn deposit(
        &mut self,
        cx: &mut Context<'_>,
        stream: &Stream,
        ordinal: u64,
        parcel: ParcelRecord,
    ) -> Result<bool, EngineError> {
        let Some((sealed, salt)) = self.sealed_parcel(cx, stream, ordinal)? else { return Ok(true) };
        let bundles = match SizeClass::of(sealed.body.len()) {
            Some(_) => vec![self.bundle(&parcel, sealed, &salt)?],
            None => self.cut(cx, &parcel, &sealed)?,
        };
        let ids: Vec<u8> = bundles.iter().flat_map(|bundle| *bundle.id().as_bytes()).collect();
        tables::save(
            cx.tx,
            OUTGOING,
            tables::at(stream.key(), ordinal),
            &ParcelRecord { bundles: ids, is_refused: false, ..parcel },
        )?;
        let mut is_taken = true;
        for bundle in bundles {
            let (number, key) = stream.to_record();
            let carried = CarriedRecord { stream: number, key, ordinal };
            tables::save(cx.tx, CARRIED, tables::key(bundle.id().as_bytes()), &carried)?;
            let id = *bundle.id();
            self.mesh_input(cx, qpq_mesh::Input::Deposit { bundle })?;
            // Marked when the present input is over, as all that the mesh says is taken then.
            let is_refusal = |effect: &_| matches!(effect, qpq_mesh::Effect::Refused { id: refused, .. } if *refused == id);
            is_taken &= !self.carrying.effects.iter().any(is_refusal);
        }
        Ok(is_taken)
    }

    /// The bundle of a parcel that fits into one.
    fn bundle(&self, parcel: &ParcelRecord, sealed: Parcel, salt: &[u8; 8]) -> Result<Bundle, EngineError> {
        let (class, lifetime_max_s) = class_of(parcel);
        let malformed = || EngineError::Internal("an own parcel is malformed".into());
        let tag = sealed.tag.as_slice().try_into().map_err(|_| malformed())?;
        let settle = self.settle_secret(salt).map(|secret| secret.settle());
        let label = Label { class, lifetime_max_s, salt: *salt, tag, settle };
        Bundle::new(label, sealed.body).map_err(|_| malformed())
    }

    fn settle_secret(&self, salt: &[u8; 8]) -> Option<Secret> {
        self.me.as_ref().map(|me| Secret::from_bytes(settle_secret(&me.device, salt)))
    }

    /// The parcel of an entry, and its salt.
    fn sealed_parcel(
        &self,
        cx: &Context<'_>,
        stream: &Stream,
        ordinal: u64,
    ) -> Result<Option<(Parcel, [u8; 8])>, EngineError> {
        let Some(payload) = cx.tx.get(PAYLOADS, tables::at(stream.key(), ordinal))? else { return Ok(None) };
        let Ok(parcel) = Parcel::decode(payload) else { return Ok(None) };
        let Ok(salt) = parcel.salt.as_slice().try_into() else { return Ok(None) };
        Ok(Some((parcel, salt)))
    }

    /// An entry is about to be removed: whoever carries it need not any more.
    pub(crate) fn withdraw(
        &mut self,
        cx: &mut Context<'_>,
        stream: &Stream,
        ordinal: u64,
    ) -> Result<(), EngineError> {
        let parcel: Option<ParcelRecord> = tables::load(cx.tx, OUTGOING, tables::at(stream.key(), ordinal))?;
        let ids = parcel.map(|parcel| bundle_ids(&parcel.bundles)).unwrap_or_default();
        if ids.is_empty() {
            return Ok(());
        }
        let Some((_, salt)) = self.sealed_parcel(cx, stream, ordinal)? else { return Ok(()) };
        for (index, id) in (0..).zip(&ids) {
            cx.tx.delete(CARRIED, tables::key(id.as_bytes()))?;
            let salt = match &self.me {
                Some(me) if ids.len() > 1 => piece_salt(&me.device, &salt, index),
                _ => salt,
            };
            if let Some(secret) = self.settle_secret(&salt) {
                self.mesh_input(cx, qpq_mesh::Input::Settle { id: *id, secret })?;
            }
        }
        Ok(())
    }
}

fn bundle_ids(bytes: &[u8]) -> Vec<BundleId> {
    let (ids, _) = bytes.as_chunks();
    ids.iter().copied().map(BundleId::from_bytes).collect()
}

/// What an entry travels as, and how long, seconds (MESH, section 1).
pub(super) fn class_of(parcel: &ParcelRecord) -> (Class, u32) {
    if !parcel.message.is_empty() {
        return (Class::Message, 14 * DAY_S);
    }
    let content = Content::decode(parcel.content.as_slice()).ok().and_then(|content| content.kind);
    match content {
        Some(content::Kind::Receipt(_)) => (Class::Control, DAY_S),
        _ => (Class::Control, 30 * DAY_S),
    }
}

#[cfg(test)]
mod tests {
    use qpq_proto::v1::Receipt;

    use super::*;

    #[test]
    fn receipts_are_soon_forgotten_and_commits_last_longest() {
        let receipt =
            Content { kind: Some(content::Kind::Receipt(Receipt::default())), ..Content::default() };
        let text = ParcelRecord { message: vec![1; 16], ..ParcelRecord::default() };
        let receipt = ParcelRecord { content: receipt.encode_to_vec(), ..ParcelRecord::default() };
        let commit = ParcelRecord::default();
        let welcome = ParcelRecord { is_introduction: true, ..ParcelRecord::default() };
        assert_eq!(class_of(&text), (Class::Message, 14 * DAY_S));
        assert_eq!(class_of(&receipt), (Class::Control, DAY_S));
        assert_eq!(class_of(&commit), (Class::Control, 30 * DAY_S));
        assert_eq!(class_of(&welcome), (Class::Control, 30 * DAY_S));
        for parcel in [text, receipt, commit, welcome] {
            let (class, lifetime_s) = class_of(&parcel);
            assert!(lifetime_s <= class.lifetime_s_max());
        }
    }
}
