//! Parcels that are longer than a body can be: cut when they are deposited, put together when all pieces are here.
//!
//! Each piece is a bundle of its own, with a salt, a tag and custody of its own. A recipient leaves the bundles that hold
//! pieces in its custody, where they keep their lifetimes, and notes which there are; when the last one comes the parcel
//! is opened like one that came whole, and all its bundles are settled with it. After a restart the mesh brings them
//! again. Those that wait too long, or are too many, block nobody: they are no longer waited with, and carried on for
//! others.

use bytes::Bytes;
use prost::Message as _;
use qpq_crypto::{
    digest, padding,
    route::{BODY_OVERHEAD_BYTES, RoutingSecret, piece_salt, settle_secret},
};
use qpq_mesh::{
    BY_FILE, Bundle, BundleId, Label, Mesh, Secret, SizeClass,
    fragment::{self, AssemblyLimits, Noted, Piece},
};
use qpq_proto::{
    Failure,
    ids::Identity,
    v1::{Disposition, Parcel, ParcelContent},
};
use zeroize::Zeroizing;

use crate::{
    context::Context,
    engine::Engine,
    inbox::Carried,
    input::EngineError,
    records::{ConversationRecord, ParcelRecord},
    routes::open_content,
};

use super::{
    arrive::{carried, parcel_in},
    deposit::class_of,
};

/// Longest piece with its header: the largest body less its seal, the end of its padding, and in front of the piece a
/// secret, an identity, and its own length.
const PIECE_BYTES_MAX: usize = SizeClass::Kib64.bytes() - BODY_OVERHEAD_BYTES - 1 - 2 * (2 + 32) - 4;
/// Most bytes of pieces that wait for others, however large the custody is.
const WAITING_BYTES_MAX: u64 = 16 << 20;

impl Engine {
    /// The bundles in which a parcel travels that is longer than a body can be; none if nobody could put it together.
    pub(super) fn cut(
        &self,
        cx: &Context<'_>,
        record: &ParcelRecord,
        sealed: &Parcel,
    ) -> Result<Vec<Bundle>, EngineError> {
        let (Some(me), Ok(salt)) = (&self.me, sealed.salt.as_slice().try_into()) else {
            return Ok(Vec::new());
        };
        let Some((secret, whole)) = self.open_own(cx, record, sealed)? else { return Ok(Vec::new()) };
        let payload = Bytes::from(sealed.encode_to_vec());
        let Ok(pieces) = fragment::cut(digest::delivery_id(&payload), &payload, PIECE_BYTES_MAX) else {
            return Ok(Vec::new());
        };
        let (class, lifetime_max_s) = class_of(record);
        let seal = |piece: Piece| {
            let salt = piece_salt(&me.device, salt, piece.index());
            let settle = Secret::from_bytes(settle_secret(&me.device, &salt));
            let revealed = if whole.settle_secret.is_empty() { &[][..] } else { settle.as_bytes() };
            let content = ParcelContent {
                piece: piece.encode(),
                settle_secret: revealed.to_vec(),
                reader: whole.reader.clone(),
                ..ParcelContent::default()
            };
            let padded = Zeroizing::new(padding::pad(&content.encode_to_vec(), BODY_OVERHEAD_BYTES));
            let (tag, settle) = (secret.tag(&salt), Some(settle.settle()));
            let label = Label { class, lifetime_max_s, salt, tag, settle };
            Bundle::new(label, secret.seal_body(&salt, &padded).into())
        };
        let bundles: Result<_, _> = pieces.into_iter().map(seal).collect();
        bundles.map_err(|error| EngineError::Internal(error.to_string()))
    }

    /// Opens the outer seal of an own parcel, and finds the secret under which it was sealed.
    fn open_own(
        &self,
        cx: &Context<'_>,
        record: &ParcelRecord,
        sealed: &Parcel,
    ) -> Result<Option<(RoutingSecret, ParcelContent)>, EngineError> {
        let secrets = if record.is_introduction {
            let reader = Identity::try_from(record.recipient.as_slice());
            reader.iter().map(RoutingSecret::derive_stranger).collect()
        } else {
            let conversation = self.conversation(cx, &record.conversation)?;
            conversation.iter().flat_map(ConversationRecord::routing_secrets).collect::<Vec<_>>()
        };
        let opened = secrets.into_iter().find_map(|secret| Some((open_content(&secret, sealed)?, secret)));
        Ok(opened.map(|(content, secret)| (secret, content)))
    }

    /// Notes a piece, and opens the parcel if it was the last one missing.
    pub(super) fn open_piece(
        &mut self,
        cx: &mut Context<'_>,
        bundle: &Bundle,
        piece: &Bytes,
    ) -> Result<(), Failure> {
        let (id, limits) = (*bundle.id(), self.assembly_limits());
        let piece =
            Piece::decode(piece).map_err(|error| Failure::bad_request("payload", error.to_string()))?;
        let bringer = self.carrying.mesh.as_ref().and_then(|mesh| mesh.bringer_of(&id)).unwrap_or(BY_FILE);
        let noted = self.carrying.pieces.note(&limits, bringer, bundle, &piece);
        let seen = self.seen(cx, &piece.name())?;
        let pieces = match noted {
            Noted::Known => return Ok(self.bundle_opened(cx, id, None)?),
            Noted::Whole(pieces) => pieces,
            Noted::Waits { given_up } => {
                for surplus in given_up {
                    self.bundle_opened(cx, surplus, None)?;
                }
                match seen {
                    Some(_) => self.carrying.pieces.object_of(&id),
                    None => return Ok(()),
                }
            }
        };
        let (carried, parts) = self.held_pieces(cx, &pieces)?;
        if let Some(seen) = seen {
            // It came another way.
            let is_taken = matches!(seen, Ok(Disposition::Delivered));
            return Ok(self.carried_opened(cx, &carried, is_taken)?);
        }
        self.open_whole(cx, &piece, &carried, parts.concat().into())
    }

    /// Opens a parcel that was put together.
    fn open_whole(
        &mut self,
        cx: &mut Context<'_>,
        piece: &Piece,
        carried: &[Carried],
        payload: Bytes,
    ) -> Result<(), Failure> {
        let delivery = digest::delivery_id(&payload);
        let parcel = Parcel::decode(payload).ok().filter(|_| delivery == piece.name());
        let parcel = parcel.ok_or_else(|| Failure::bad_request("payload", "the pieces are of no parcel"))?;
        match self.recognise(cx, &parcel)? {
            Some(whole) if whole.piece.is_none() => self.open_parcel(cx, delivery, &whole, carried),
            _ => Ok(self.carried_opened(cx, carried, false)?),
        }
    }

    /// What is in bundles that hold pieces.
    fn held_pieces(
        &mut self,
        cx: &mut Context<'_>,
        ids: &[BundleId],
    ) -> Result<(Vec<Carried>, Vec<Bytes>), EngineError> {
        let (mut all, mut parts) = (Vec::with_capacity(ids.len()), Vec::with_capacity(ids.len()));
        for id in ids {
            let Some(bundle) = self.bundle_held(cx, id)? else { continue };
            let Some(recognised) = self.recognise(cx, &parcel_in(&bundle))? else { continue };
            let piece = recognised.piece.as_ref().and_then(|piece| Piece::decode(piece).ok());
            if let Some(piece) = piece {
                all.push(carried(&bundle, &recognised));
                parts.push(piece.bytes().clone());
            }
        }
        Ok((all, parts))
    }

    /// A bundle was refused for good, and with it the others that hold pieces of the same parcel.
    pub(crate) fn bundle_refused(&mut self, cx: &mut Context<'_>, id: BundleId) -> Result<(), EngineError> {
        for piece in self.carrying.pieces.object_of(&id) {
            self.bundle_opened(cx, piece, None)?;
        }
        self.bundle_opened(cx, id, None)
    }

    fn bundle_held(&mut self, cx: &mut Context<'_>, id: &BundleId) -> Result<Option<Bundle>, EngineError> {
        let node_ms = cx.node_ms;
        let (mesh, mut store) = self.carrying.parts(cx.tx);
        let held = mesh.map(|mesh: &Mesh| mesh.bundle(node_ms, &mut store, id)).transpose()?;
        Ok(held.flatten())
    }

    fn assembly_limits(&self) -> AssemblyLimits {
        let custody = match self.config.custody_is_volatile {
            true => self.limits.custody_volatile_bytes_max,
            false => self.limits.custody_bytes_max,
        };
        AssemblyLimits {
            bytes_max: WAITING_BYTES_MAX.min(custody / 4),
            neighbour_bytes_max: self.limits.custody_neighbour_bytes_max,
        }
    }
}
