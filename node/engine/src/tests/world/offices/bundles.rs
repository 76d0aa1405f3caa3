//! Recovery bundles that a relay keeps.

use bytes::Bytes;
use qpq_crypto::recovery::recovery_token_hash;
use qpq_proto::{Failure, ids::Identity, v1};

use super::{Office, answers::write};

/// Bundles of an account.
const BUNDLES_MAX: usize = 8;

impl Office {
    pub(super) fn store_bundle(
        &mut self,
        owner: Identity,
        request: &v1::StoreRecoveryBundleRequest,
    ) -> Result<Bytes, Failure> {
        let of_owner = self.bundles.values().filter(|(of, ..)| *of == owner).count();
        match self.bundles.get(&request.token_hash) {
            None if of_owner >= BUNDLES_MAX => {
                return Err(Failure::quota("an account has at most 8 bundles: delete one first"));
            }
            Some((_, held, _)) if *held >= request.version => {
                return Err(Failure::conflict(format!("version {held} is held: choose a higher one")));
            }
            _ => {}
        }
        let bundle = (owner, request.version, request.bundle.clone());
        self.bundles.insert(request.token_hash.clone(), bundle);
        Ok(Bytes::new())
    }

    pub(super) fn delete_bundle(
        &mut self,
        owner: Identity,
        request: &v1::DeleteRecoveryBundleRequest,
    ) -> Result<Bytes, Failure> {
        match self.bundles.get(&request.token_hash) {
            Some((of, ..)) if *of == owner => drop(self.bundles.remove(&request.token_hash)),
            _ => return Err(Failure::not_found("the caller has no bundle for this token here")),
        }
        Ok(Bytes::new())
    }

    pub(super) fn fetch_bundle(&self, request: &v1::FetchRecoveryBundleRequest) -> Result<Bytes, Failure> {
        let hash = recovery_token_hash(request.token.as_slice().try_into().unwrap());
        let held = self.bundles.get(hash.as_slice());
        let (_, version, bundle) =
            held.ok_or_else(|| Failure::not_found("there is no bundle for this token here"))?;
        Ok(write(&v1::FetchRecoveryBundleResponse { bundle: bundle.to_vec(), version: *version }))
    }
}
