//! Taking key packages and contact tokens from devices.

use bytes::Bytes;
use qpq_crypto::digest::sha256;
use qpq_proto::Failure;
use qpq_proto::ids::Identity;
use qpq_proto::limits::{
    CONTACT_TOKENS_PER_CALL_MAX, KEY_PACKAGE_BYTES_MAX, KEY_PACKAGES_PER_UPLOAD_MAX, RelayLimits,
};
use qpq_proto::v1::{UploadKeyPackageRequest, UploadKeyPackageResponse};

use crate::context::Context;
use crate::input::RelayError;
use crate::keys::records::{HeldRecord, KeysRecord, PackageRecord, SupplyRecord};
use crate::keys::{LAST_RESORT, of_device, supply};
use crate::queues::hash_field;
use crate::relay::Relay;
use crate::sets;
use crate::storage::Transaction;
use crate::tables::{self, CONTACT_TOKENS, KEY_PACKAGES, KEY_SUPPLIES, KEYS, at, key};

impl Relay {
    pub(crate) fn upload_key_package(
        &self,
        cx: &mut Context<'_>,
        request: &UploadKeyPackageRequest,
    ) -> Result<UploadKeyPackageResponse, Failure> {
        let identity = cx.own_identity("identity_key", &request.identity_key)?;
        let device = cx.device()?;
        check(request, &self.limits)?;
        let contact_tokens = self.set_tokens(cx, identity, request)?;
        let fingerprints = request.packages.iter().map(|package| sha256(&[package]).to_vec()).collect();
        let mut supply = supply(cx.tx, identity, device.as_bytes())?;
        let prefix = of_device(identity, device.as_bytes());
        match request.packages.first() {
            Some(package) if request.last_resort => put(cx.tx, &prefix, LAST_RESORT, package)?,
            _ => self.stock(cx, &prefix, &mut supply, &request.packages)?,
        }
        Ok(UploadKeyPackageResponse { fingerprints, held: supply.held(), contact_tokens })
    }

    /// Adds single-use packages, and drops the oldest for which there is no room.
    fn stock(
        &self,
        cx: &mut Context<'_>,
        prefix: &[u8],
        supply: &mut SupplyRecord,
        packages: &[Vec<u8>],
    ) -> Result<(), RelayError> {
        for package in packages {
            let fingerprint = sha256(&[package]).to_vec();
            if supply.packages.iter().any(|held| held.fingerprint == fingerprint) {
                continue;
            }
            supply.last_ordinal += 1;
            let ordinal = supply.last_ordinal;
            put(cx.tx, prefix, ordinal, package)?;
            cx.totals.key_packages += 1;
            supply.packages.push(HeldRecord { ordinal, fingerprint, bytes: package.len() as u64 });
        }
        let is_too_much = |supply: &SupplyRecord| {
            supply.packages.len() > self.limits.key_packages_per_device_max
                || supply.bytes() > self.limits.key_package_bytes_per_device_max
        };
        while is_too_much(supply) {
            let oldest = supply.packages.remove(0);
            cx.tx.delete(KEY_PACKAGES, at(prefix, oldest.ordinal))?;
            cx.totals.hand_out(1);
        }
        tables::save(cx.tx, KEY_SUPPLIES, key(prefix), supply)
    }

    /// Adds and revokes contact tokens. Returns how many the account has.
    fn set_tokens(
        &self,
        cx: &mut Context<'_>,
        identity: Identity,
        request: &UploadKeyPackageRequest,
    ) -> Result<u32, Failure> {
        let mut keys: KeysRecord = tables::load(cx.tx, KEYS, key(identity.as_bytes()))?.unwrap_or_default();
        let (add, revoke) = (&request.add_token_hashes, &request.revoke_token_hashes);
        if !add.is_empty() || !revoke.is_empty() {
            if keys.incarnation.is_empty() {
                keys.incarnation = cx.rng.next_u64().to_be_bytes().to_vec();
            }
            let all = keys.all_tokens(identity);
            for hash in revoke {
                let hash = hash_field("revoke_token_hashes", hash)?;
                keys.tokens -= u64::from(sets::remove(cx.tx, CONTACT_TOKENS, &all, &hash)?);
            }
            for hash in add {
                let hash = hash_field("add_token_hashes", hash)?;
                keys.tokens += u64::from(sets::add(cx.tx, CONTACT_TOKENS, &all, &hash)?);
            }
            if keys.tokens > self.limits.contact_tokens_per_account_max as u64 {
                let most = self.limits.contact_tokens_per_account_max;
                return Err(Failure::quota(format!("an account has at most {most} contact tokens")));
            }
            tables::save(cx.tx, KEYS, key(identity.as_bytes()), &keys)?;
        }
        Ok(u32::try_from(keys.tokens).unwrap_or(u32::MAX))
    }
}

fn check(request: &UploadKeyPackageRequest, limits: &RelayLimits) -> Result<(), Failure> {
    let UploadKeyPackageRequest { packages, last_resort, add_token_hashes, revoke_token_hashes, .. } =
        request;
    let sets_tokens = !add_token_hashes.is_empty() || !revoke_token_hashes.is_empty();
    let refused = |field: &str, message: String| Err(Failure::bad_request(field, message));
    for (field, hashes) in
        [("add_token_hashes", add_token_hashes), ("revoke_token_hashes", revoke_token_hashes)]
    {
        if hashes.len() > CONTACT_TOKENS_PER_CALL_MAX {
            return refused(field, format!("at most {CONTACT_TOKENS_PER_CALL_MAX} tokens are set at once"));
        }
    }
    let most = KEY_PACKAGES_PER_UPLOAD_MAX.min(limits.key_packages_per_device_max);
    match packages.len() {
        0 if !sets_tokens || *last_resort => return refused("packages", "there is none".to_owned()),
        count if count > most => return refused("packages", format!("at most {most} are taken at once")),
        count if count > 1 && *last_resort => {
            return refused("packages", "one package is the last resort".to_owned());
        }
        _ => {}
    }
    let longest = KEY_PACKAGE_BYTES_MAX
        .min(usize::try_from(limits.key_package_bytes_per_device_max).unwrap_or(usize::MAX));
    if packages.iter().any(|package| !(1..=longest).contains(&package.len())) {
        return refused("packages", format!("a package has 1 to {longest} bytes here"));
    }
    Ok(())
}

fn put(tx: &mut dyn Transaction, prefix: &[u8], ordinal: u64, package: &[u8]) -> Result<(), RelayError> {
    let record = PackageRecord { package: Bytes::copy_from_slice(package) };
    tables::save(tx, KEY_PACKAGES, at(prefix, ordinal), &record)
}
