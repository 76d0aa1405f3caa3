//! The cipher suite, and the one function of it that is ours to choose: how passwords are stretched.

use argon2::{Algorithm, Argon2, Params, Version};
use opaque_ke::errors::InternalError;
use opaque_ke::generic_array::{ArrayLength, GenericArray};
use opaque_ke::ksf::Ksf;
use opaque_ke::{CipherSuite, Ristretto255, TripleDh};
use sha2_010::Sha512;

use super::{OPAQUE_COST, OpaqueError};
use crate::passphrase::{PassphraseCost, PassphraseError};

/// OPAQUE-3DH, ristretto255-SHA512, Argon2id.
pub(super) struct Suite;

impl CipherSuite for Suite {
    type OprfCs = Ristretto255;
    type KeyExchange = TripleDh<Ristretto255, Sha512>;
    type Ksf = Stretching;
}

/// Argon2id with an all-zero salt and as many bytes as went in (RFC 9807, section 7).
pub(super) struct Stretching(Params);

impl Stretching {
    pub(super) fn new(cost: PassphraseCost) -> Result<Self, OpaqueError> {
        cost.check()?;
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, None);
        Ok(Self(params.map_err(|_| PassphraseError::Cost(cost))?))
    }
}

impl Default for Stretching {
    fn default() -> Self {
        Self::new(OPAQUE_COST).expect("the constant is within bounds")
    }
}

impl Ksf for Stretching {
    fn hash<L: ArrayLength<u8>>(
        &self,
        input: GenericArray<u8, L>,
    ) -> Result<GenericArray<u8, L>, InternalError> {
        let mut output = GenericArray::default();
        Argon2::new(Algorithm::Argon2id, Version::V0x13, self.0.clone())
            .hash_password_into(&input, &[0; 16], &mut output)
            .map_err(|_| InternalError::KsfError)?;
        Ok(output)
    }
}
