//! The key-exchange group X25519MLKEM768 (draft-ietf-tls-ecdhe-mlkem) for `rustls` on ring.
//!
//! Ring has no ML-KEM, so the group is put together from ring's X25519 and the `ml-kem` crate:
//!
//! ```text
//! client share   ML-KEM encapsulation key (1184)   X25519 public key (32)
//! server share   ML-KEM ciphertext (1088)          X25519 public key (32)
//! secret         ML-KEM shared key (32)            X25519 shared secret (32)
//! ```
//!
//! The secret is at least as strong as the stronger half. The client's X25519 key is offered a second time
//! as a share of its own, so that a server without ML-KEM answers without another round trip.

use ml_kem::{
    Decapsulate, DecapsulationKey768, Encapsulate, EncapsulationKey768, Generate, KeyExport, TryKeyInit,
};
use rustls::crypto::ring::kx_group::X25519;
use rustls::crypto::{
    ActiveKeyExchange, CompletedKeyExchange, GetRandomFailed, SharedSecret, SupportedKxGroup,
};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::{Error, NamedGroup, PeerMisbehaved, ProtocolVersion};
use zeroize::Zeroizing;

const ENCAPSULATION_KEY_BYTES: usize = 1184;
const CIPHERTEXT_BYTES: usize = 1088;
const CLASSICAL_SHARE_BYTES: usize = 32;
const SECRET_BYTES: usize = 64;

/// X25519MLKEM768, code point 0x11EC.
#[derive(Debug)]
pub struct X25519MLKEM768;

impl SupportedKxGroup for X25519MLKEM768 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let classical = X25519.start()?;
        let decapsulation_key = DecapsulationKey768::try_generate().map_err(|_| GetRandomFailed)?;
        let encapsulation_key = decapsulation_key.encapsulation_key().to_bytes();
        let share = [encapsulation_key.as_slice(), classical.pub_key()].concat();
        Ok(Box::new(Active { classical, decapsulation_key, share }))
    }

    fn start_and_complete(&self, client_share: &[u8]) -> Result<CompletedKeyExchange, Error> {
        let (key, classical_share) = split(client_share, ENCAPSULATION_KEY_BYTES)?;
        let classical = X25519.start_and_complete(classical_share)?;
        let key = EncapsulationKey768::new_from_slice(key).map_err(|_| invalid_share())?;
        let (ciphertext, shared) = key.encapsulate();
        let shared = Zeroizing::new(shared);
        Ok(CompletedKeyExchange {
            group: self.name(),
            pub_key: [ciphertext.as_slice(), &classical.pub_key].concat(),
            secret: join(shared.as_slice(), classical.secret.secret_bytes()),
        })
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }

    fn usable_for_version(&self, version: ProtocolVersion) -> bool {
        version == ProtocolVersion::TLSv1_3
    }
}

/// The client's half, between `ClientHello` and `ServerHello`. The decapsulation key erases itself on drop.
struct Active {
    classical: Box<dyn ActiveKeyExchange>,
    decapsulation_key: DecapsulationKey768,
    share: Vec<u8>,
}

impl ActiveKeyExchange for Active {
    fn complete(self: Box<Self>, server_share: &[u8]) -> Result<SharedSecret, Error> {
        let (ciphertext, classical_share) = split(server_share, CIPHERTEXT_BYTES)?;
        let classical = self.classical.complete(classical_share)?;
        // A forged ciphertext gives a pseudorandom key and no error (implicit rejection, FIPS 203 section 6.3).
        let shared = self.decapsulation_key.decapsulate_slice(ciphertext).map_err(|_| invalid_share())?;
        Ok(join(Zeroizing::new(shared).as_slice(), classical.secret_bytes()))
    }

    fn hybrid_component(&self) -> Option<(NamedGroup, &[u8])> {
        Some((self.classical.group(), self.classical.pub_key()))
    }

    fn complete_hybrid_component(self: Box<Self>, server_share: &[u8]) -> Result<SharedSecret, Error> {
        self.classical.complete(server_share)
    }

    fn pub_key(&self) -> &[u8] {
        &self.share
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }
}

/// Cuts a peer's share into its ML-KEM half of `post_quantum_bytes` and its X25519 half.
fn split(share: &[u8], post_quantum_bytes: usize) -> Result<(&[u8], &[u8]), Error> {
    if share.len() != post_quantum_bytes + CLASSICAL_SHARE_BYTES {
        return Err(invalid_share());
    }
    Ok(share.split_at(post_quantum_bytes))
}

/// The TLS secret of the exchange: both secrets, ML-KEM's first. Every copy is erased.
fn join(post_quantum: &[u8], classical: &[u8]) -> SharedSecret {
    let mut secret = Zeroizing::new([0; SECRET_BYTES]);
    secret[..32].copy_from_slice(post_quantum);
    secret[32..].copy_from_slice(classical);
    SharedSecret::from(secret.as_slice())
}

fn invalid_share() -> Error {
    PeerMisbehaved::InvalidKeyShare.into()
}
