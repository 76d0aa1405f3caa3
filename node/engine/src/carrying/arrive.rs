//! Bundles that are for this person.

use prost::Message as _;
use qpq_crypto::digest;
use qpq_mesh::{Bundle, BundleId, Class, Secret};
use qpq_proto::{
    Failure, Status,
    v1::{Disposition, Parcel},
};

use crate::{
    context::Context,
    engine::Engine,
    inbox::{Carried, Origin},
    input::EngineError,
    routes::Recognised,
};

impl Engine {
    /// Opens a bundle as if its sender's node had brought its parcel, and tells the mesh what became of it.
    ///
    /// # Errors
    /// As a direct delivery is refused. The transaction must then be dropped.
    pub(crate) fn open_bundle(&mut self, cx: &mut Context<'_>, bundle: &Bundle) -> Result<(), Failure> {
        if bundle.header().kind().class == Class::Topic {
            self.take_topic_bundle(cx, bundle)?;
            return Ok(self.bundle_opened(cx, *bundle.id(), None)?);
        }
        let parcel = parcel_in(bundle);
        let Some(recognised) = self.recognise(cx, &parcel)? else {
            return Ok(self.bundle_opened(cx, *bundle.id(), None)?);
        };
        if let Some(piece) = &recognised.piece {
            return self.open_piece(cx, bundle, piece);
        }
        let delivery = digest::delivery_id(&parcel.encode_to_vec());
        self.open_parcel(cx, delivery, &recognised, &[carried(bundle, &recognised)])
    }

    /// Takes a parcel that bundles carried: one, or one for each of its pieces. They are settled together.
    pub(super) fn open_parcel(
        &mut self,
        cx: &mut Context<'_>,
        delivery: [u8; 16],
        recognised: &Recognised,
        carried: &[Carried],
    ) -> Result<(), Failure> {
        if let Some(seen) = self.seen(cx, &delivery)? {
            let is_taken = matches!(seen, Ok(Disposition::Delivered));
            return Ok(self.carried_opened(cx, carried, is_taken)?);
        }
        match self.place(cx, Origin { delivery, carried, ..Origin::default() }, recognised)? {
            Disposition::Delivered => {
                self.remember(cx, &delivery, Disposition::Delivered)?;
                Ok(self.carried_opened(cx, carried, true)?)
            }
            // What waits for its epoch is kept apart; what a blocked contact says is left where it is.
            _ if self.seen(cx, &delivery)?.is_some() => Ok(self.carried_opened(cx, carried, false)?),
            _ => Ok(()),
        }
    }

    /// Bundles were opened; those that are for this device alone are settled if what was in them was taken.
    pub(super) fn carried_opened(
        &mut self,
        cx: &mut Context<'_>,
        carried: &[Carried],
        is_taken: bool,
    ) -> Result<(), EngineError> {
        for Carried { id, secret } in carried {
            self.bundle_opened(cx, *id, secret.filter(|_| is_taken))?;
        }
        Ok(())
    }

    /// A bundle was opened, with its secret if it is for this device alone.
    pub(crate) fn bundle_opened(
        &mut self,
        cx: &mut Context<'_>,
        id: BundleId,
        secret: Option<Secret>,
    ) -> Result<(), EngineError> {
        self.carrying.pieces.forget(&id);
        match secret {
            Some(secret) => self.mesh_input(cx, qpq_mesh::Input::Settle { id, secret }),
            None => self.mesh_input(cx, qpq_mesh::Input::Opened { id }),
        }
    }
}

/// A bundle's parcel, as its sender's node would bring it.
pub(super) fn parcel_in(bundle: &Bundle) -> Parcel {
    let header = bundle.header();
    Parcel { salt: header.salt().to_vec(), tag: header.tag().to_vec(), body: bundle.body().clone() }
}

/// A bundle that was opened, with what settles it.
pub(super) fn carried(bundle: &Bundle, recognised: &Recognised) -> Carried {
    let secret = recognised.settle_secret.map(Secret::from_bytes);
    Carried { id: *bundle.id(), secret: secret.filter(|secret| bundle.header().is_settled_by(secret)) }
}

/// Whether a bundle that was refused so will be refused for ever.
pub(crate) fn is_final(failure: &Failure) -> bool {
    matches!(
        failure.status,
        Status::BadRequest | Status::Forbidden | Status::NotFound | Status::Conflict | Status::UnknownMethod
    )
}
