//! Bundles that are carried by other means than links: in files, or by programs of the owner's.

use std::ops::ControlFlow;

use qpq_mesh::{Bundle, SortKey, sneakernet};
use qpq_proto::{
    Failure,
    limits::TAKEN_BUNDLES_MAX,
    v1::{CopyBundlesRequest, CopyBundlesResponse, MeshBundle, TakeBundlesRequest, TakeBundlesResponse},
};

use super::parse_position;
use crate::{context::Context, engine::Engine, input::EngineError};

/// Bytes of copies in one answer, where nothing else is asked for.
const COPIED_BYTES: usize = 262_144;
/// Bytes of copies in one answer, at most: what a frame holds besides one more bundle.
const COPIED_BYTES_MAX: usize = 2_097_152;

impl Engine {
    pub(crate) fn copy_bundles(
        &mut self,
        cx: &mut Context<'_>,
        request: &CopyBundlesRequest,
    ) -> Result<CopyBundlesResponse, Failure> {
        let bytes_max = match request.bytes_max as usize {
            0 => COPIED_BYTES,
            bytes => bytes.min(COPIED_BYTES_MAX),
        };
        let after = parse_position(&request.after)?;
        Ok(self.with_mesh(cx, |mesh, inner| {
            let (mut bundles, mut bytes, mut last, mut is_cut): (Vec<MeshBundle>, _, _, _) =
                (Vec::new(), 0, None, false);
            mesh.export(inner.now_ms, inner.store, after, &mut |bundle| {
                if bytes > 0 && bytes + bundle.body().len() > bytes_max {
                    is_cut = true;
                    return ControlFlow::Break(());
                }
                bytes += bundle.body().len();
                last = Some(SortKey::of(bundle.header()).to_bytes().to_vec());
                bundles.push(sneakernet::to_message(&bundle));
                ControlFlow::Continue(())
            })?;
            Ok(CopyBundlesResponse { bundles, next: last.filter(|_| is_cut).unwrap_or_default() })
        })?)
    }

    pub(crate) fn take_bundles(
        &mut self,
        cx: &mut Context<'_>,
        request: TakeBundlesRequest,
    ) -> Result<TakeBundlesResponse, Failure> {
        if request.bundles.len() > TAKEN_BUNDLES_MAX {
            let message = format!("{TAKEN_BUNDLES_MAX} bundles at most are taken at once");
            return Err(Failure::bad_request("bundles", message));
        }
        let mut response = TakeBundlesResponse::default();
        for message in request.bundles {
            let Ok(mut bundle) = sneakernet::from_message(message) else {
                response.refused += 1;
                continue;
            };
            sneakernet::charge(&mut bundle, request.copied_at_ms, cx.now.wall_ms);
            match self.take_bundle(cx, bundle)? {
                Taken::Kept => response.taken += 1,
                Taken::Known => response.known += 1,
                Taken::Refused => response.refused += 1,
            }
        }
        Ok(response)
    }

    fn take_bundle(&mut self, cx: &mut Context<'_>, bundle: Bundle) -> Result<Taken, EngineError> {
        let key = SortKey::of(bundle.header());
        self.with_mesh(cx, |mesh, inner| {
            if mesh.knows(key) {
                return Ok(Taken::Known);
            }
            mesh.handle(inner, qpq_mesh::Input::Import { bundle })?;
            Ok(if mesh.knows(key) { Taken::Kept } else { Taken::Refused })
        })
    }
}

/// What became of a bundle that came by other means.
enum Taken {
    Kept,
    Known,
    Refused,
}
