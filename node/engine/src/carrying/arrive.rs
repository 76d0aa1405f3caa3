//! Bundles that are for this person.

use prost::Message as _;
use qpq_crypto::digest;
use qpq_mesh::{Bundle, BundleId, Secret};
use qpq_proto::{
    Failure, Status,
    v1::{Disposition, Parcel},
};

use crate::{
    context::Context,
    engine::Engine,
    inbox::{Carried, Origin},
    input::EngineError,
};

impl Engine {
    /// Opens a bundle as if its sender's node had brought its parcel, and tells the mesh what became of it.
    ///
    /// # Errors
    /// As a direct delivery is refused. The transaction must then be dropped.
    pub(crate) fn open_bundle(&mut self, cx: &mut Context<'_>, bundle: &Bundle) -> Result<(), Failure> {
        let (header, id) = (bundle.header(), *bundle.id());
        let parcel =
            Parcel { salt: header.salt().to_vec(), tag: header.tag().to_vec(), body: bundle.body().clone() };
        let delivery = digest::delivery_id(&parcel.encode_to_vec());
        let Some(recognised) = self.recognise(cx, &parcel)? else {
            return Ok(self.bundle_opened(cx, id, None)?);
        };
        let secret = recognised.settle_secret.map(Secret::from_bytes);
        let secret = secret.filter(|secret| header.is_settled_by(secret));
        if let Some(seen) = self.seen(cx, &delivery)? {
            let is_taken = matches!(seen, Ok(Disposition::Delivered));
            return Ok(self.bundle_opened(cx, id, secret.filter(|_| is_taken))?);
        }
        let origin = Origin { node: None, delivery, carried: Some(Carried { id, secret }) };
        match self.place(cx, origin, &recognised)? {
            Disposition::Delivered => {
                self.remember(cx, &delivery, Disposition::Delivered)?;
                Ok(self.bundle_opened(cx, id, secret)?)
            }
            // What waits for its epoch is kept apart; what a blocked contact says is left where it is.
            _ if self.seen(cx, &delivery)?.is_some() => Ok(self.bundle_opened(cx, id, None)?),
            _ => Ok(()),
        }
    }

    /// A bundle was opened, with its secret if it is for this device alone.
    pub(crate) fn bundle_opened(
        &mut self,
        cx: &mut Context<'_>,
        id: BundleId,
        secret: Option<Secret>,
    ) -> Result<(), EngineError> {
        match secret {
            Some(secret) => self.mesh_input(cx, qpq_mesh::Input::Settle { id, secret }),
            None => self.mesh_input(cx, qpq_mesh::Input::Opened { id }),
        }
    }
}

/// Whether a bundle that was refused so will be refused for ever.
pub(crate) fn is_final(failure: &Failure) -> bool {
    matches!(
        failure.status,
        Status::BadRequest | Status::Forbidden | Status::NotFound | Status::Conflict | Status::UnknownMethod
    )
}
