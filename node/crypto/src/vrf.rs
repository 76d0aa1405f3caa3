//! A verifiable random function: ECVRF-EDWARDS25519-SHA512-ELL2 (RFC 9381, section 5.5, suite 0x04).
//!
//! With a secret key an input gets an output that looks random, and a proof by which anybody who has the public
//! key verifies that it is the output: one input has one output, even where the key's owner would like
//! another. Without a proof nothing connects input and output. A relay stands names in its log by their
//! outputs ([`crate::transparency`]).
//!
//! The input is mapped to the curve by Elligator 2 (RFC 9380), in constant time, as is everything in which the
//! secret key takes part; the nonce is that of RFC 8032 (section 5.4.2.2). Points are decoded strictly: an
//! encoding that is not canonical is refused, and so is a public key of small order (section 5.4.5).

use std::fmt;

use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::scalar::clamp_integer;
use curve25519_dalek::{EdwardsPoint, Scalar};
use rand_core::CryptoRng;
use sha2::{Digest, Sha512};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Bytes of a proof: a point, a challenge of 16 bytes, a scalar.
pub const VRF_PROOF_BYTES: usize = 80;
/// Bytes of an output.
pub const VRF_OUTPUT_BYTES: usize = 64;

/// What the function gives for an input.
pub type VrfOutput = [u8; VRF_OUTPUT_BYTES];

/// The key with which outputs are made. Overwritten when dropped; never printed.
#[derive(ZeroizeOnDrop)]
pub struct VrfSecret {
    seed: [u8; 32],
    scalar: Scalar,
    /// The second half of the hashed seed, from which nonces come.
    prefix: [u8; 32],
    #[zeroize(skip)]
    public: VrfPublic,
}

/// The key with which outputs are verified; 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VrfPublic {
    point: EdwardsPoint,
    bytes: [u8; 32],
}

/// Why a key or a proof is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VrfError {
    /// Not 32 bytes, no point, or one of small order.
    #[error("public key of the random function is malformed")]
    PublicKey,
    /// Not [`VRF_PROOF_BYTES`] long, or no point and scalar in it.
    #[error("proof of the random function is malformed")]
    Malformed,
    /// Made for another input or with another key.
    #[error("proof of the random function does not verify")]
    Invalid,
}

impl VrfSecret {
    /// Makes a new key.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut_slice());
        Self::from_seed(&seed)
    }

    /// The key that grows from a seed, as an Ed25519 key does (RFC 8032, section 5.1.5).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let mut hash: [u8; 64] = Sha512::digest(seed).into();
        let (low, high) = hash.split_at(32);
        let mut scalar_bytes = Zeroizing::new([0; 32]);
        let mut prefix = [0; 32];
        scalar_bytes.copy_from_slice(low);
        prefix.copy_from_slice(high);
        hash.zeroize();
        let clamped = Zeroizing::new(clamp_integer(*scalar_bytes));
        let scalar = Scalar::from_bytes_mod_order(*clamped);
        let point = EdwardsPoint::mul_base(&scalar);
        let public = VrfPublic { point, bytes: point.compress().to_bytes() };
        Self { seed: *seed, scalar, prefix, public }
    }

    /// The seed, to be sealed and stored.
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.seed)
    }

    /// The public key.
    pub fn public(&self) -> VrfPublic {
        self.public
    }

    /// The output for an input, with its proof (section 5.1).
    pub fn prove(&self, input: &[u8]) -> (VrfOutput, [u8; VRF_PROOF_BYTES]) {
        let hashed = self.public.hash_to_curve(input);
        let hashed_bytes = hashed.compress().to_bytes();
        let gamma = hashed * self.scalar;
        let mut nonce_hash: [u8; 64] =
            Sha512::new().chain_update(self.prefix).chain_update(hashed_bytes).finalize().into();
        let nonce = Zeroizing::new(Scalar::from_bytes_mod_order_wide(&nonce_hash));
        nonce_hash.zeroize();
        let challenge =
            self.public.challenge(&hashed_bytes, &gamma, &EdwardsPoint::mul_base(&nonce), &(hashed * *nonce));
        let response = *nonce + scalar_of(&challenge) * self.scalar;
        let mut proof = [0; VRF_PROOF_BYTES];
        proof[..32].copy_from_slice(gamma.compress().as_bytes());
        proof[32..48].copy_from_slice(&challenge);
        proof[48..].copy_from_slice(response.as_bytes());
        (output(&gamma), proof)
    }
}

impl fmt::Debug for VrfSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("VrfSecret(..)")
    }
}

impl VrfPublic {
    /// Reads a public key.
    ///
    /// # Errors
    /// [`VrfError::PublicKey`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, VrfError> {
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| VrfError::PublicKey)?;
        let point = decode(&bytes).ok_or(VrfError::PublicKey)?;
        if point.is_small_order() {
            return Err(VrfError::PublicKey);
        }
        Ok(Self { point, bytes })
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// The output for an input, if the proof is one for it (section 5.3).
    ///
    /// # Errors
    /// [`VrfError::Malformed`], [`VrfError::Invalid`].
    pub fn verify(&self, input: &[u8], proof: &[u8]) -> Result<VrfOutput, VrfError> {
        let (gamma, challenge, response) = decode_proof(proof)?;
        let hashed = self.hash_to_curve(input);
        let negated = -scalar_of(&challenge);
        let u = EdwardsPoint::vartime_double_scalar_mul_basepoint(&negated, &self.point, &response);
        let v = hashed * response + gamma * negated;
        if self.challenge(&hashed.compress().to_bytes(), &gamma, &u, &v) != challenge {
            return Err(VrfError::Invalid);
        }
        Ok(output(&gamma))
    }

    /// Section 5.4.1.2, with the public key as salt.
    fn hash_to_curve(&self, input: &[u8]) -> EdwardsPoint {
        EdwardsPoint::encode_to_curve::<Sha512>(&[&self.bytes, input], &[MAP_DOMAIN, &[SUITE]])
    }

    /// Section 5.4.3.
    fn challenge(
        &self,
        hashed: &[u8; 32],
        gamma: &EdwardsPoint,
        u: &EdwardsPoint,
        v: &EdwardsPoint,
    ) -> [u8; 16] {
        let hash = Sha512::new()
            .chain_update([SUITE, 0x02])
            .chain_update(self.bytes)
            .chain_update(hashed)
            .chain_update(gamma.compress().as_bytes())
            .chain_update(u.compress().as_bytes())
            .chain_update(v.compress().as_bytes())
            .chain_update([0x00])
            .finalize();
        let mut challenge = [0; 16];
        challenge.copy_from_slice(&hash[..16]);
        challenge
    }
}

impl fmt::Debug for VrfPublic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "VrfPublic({}..)", data_encoding::HEXLOWER.encode(&self.bytes[..4]))
    }
}

/// The output that a proof claims, without verifying it (section 5.2).
///
/// # Errors
/// [`VrfError::Malformed`].
pub fn proof_to_output(proof: &[u8]) -> Result<VrfOutput, VrfError> {
    decode_proof(proof).map(|(gamma, _, _)| output(&gamma))
}

/// Section 5.4.4.
fn decode_proof(proof: &[u8]) -> Result<(EdwardsPoint, [u8; 16], Scalar), VrfError> {
    let proof: &[u8; VRF_PROOF_BYTES] = proof.try_into().map_err(|_| VrfError::Malformed)?;
    let (mut gamma, mut challenge, mut response) = ([0; 32], [0; 16], [0; 32]);
    gamma.copy_from_slice(&proof[..32]);
    challenge.copy_from_slice(&proof[32..48]);
    response.copy_from_slice(&proof[48..]);
    let gamma = decode(&gamma).ok_or(VrfError::Malformed)?;
    let response = Option::from(Scalar::from_canonical_bytes(response)).ok_or(VrfError::Malformed)?;
    Ok((gamma, challenge, response))
}

/// A point, if this is the one encoding of it (RFC 8032, section 5.1.3).
fn decode(bytes: &[u8; 32]) -> Option<EdwardsPoint> {
    let point = CompressedEdwardsY(*bytes).decompress()?;
    (point.compress().as_bytes() == bytes).then_some(point)
}

fn scalar_of(challenge: &[u8; 16]) -> Scalar {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(challenge);
    Scalar::from_bytes_mod_order(bytes)
}

/// Section 5.2, from step 4.
fn output(gamma: &EdwardsPoint) -> VrfOutput {
    Sha512::new()
        .chain_update([SUITE, 0x03])
        .chain_update(gamma.mul_by_cofactor().compress().as_bytes())
        .chain_update([0x00])
        .finalize()
        .into()
}

const SUITE: u8 = 0x04;
/// Followed by the suite (section 5.5).
const MAP_DOMAIN: &[u8] = b"ECVRF_edwards25519_XMD:SHA-512_ELL2_NU_";

#[cfg(test)]
mod tests;
