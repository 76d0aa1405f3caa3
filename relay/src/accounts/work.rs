//! Work that whoever registers without an invitation has to do.
//!
//! A challenge is made out of a secret of this run, the name and the present ten minutes: nothing is kept of it, nobody can find
//! out one in advance or at another relay, and what was found for one name and one identity is worth nothing for others. It
//! is good for ten to twenty minutes.

use qpq_crypto::digest::sha256;
use qpq_crypto::work::{Challenge, WORK_BITS_MAX, WORK_CHALLENGE_BYTES};
use qpq_proto::Failure;
use qpq_proto::ids::Identity;
use qpq_proto::v1::WorkChallenge;
use rand_core::CryptoRng;

use crate::time::Moment;

/// How long challenges for a name stay the same, ms.
const EPOCH_MS: u64 = 600_000;

/// What challenges are made of. Another at each start: work that is under way then is done again.
pub(crate) struct WorkSecret([u8; 32]);

impl WorkSecret {
    pub(crate) fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut secret = [0; 32];
        rng.fill_bytes(&mut secret);
        Self(secret)
    }

    /// The work that a name needs at present.
    pub(super) fn challenge(&self, username: &str, bits: u8, now: Moment) -> WorkChallenge {
        let challenge = self.bytes(username, now.steady_ms / EPOCH_MS).to_vec();
        WorkChallenge { challenge, bits: u32::from(bits).min(WORK_BITS_MAX) }
    }

    /// Checks what was found for a name by an identity. Takes one hash of BLAKE3 and two of SHA-256, whatever was sent.
    ///
    /// # Errors
    /// `Forbidden`, with the work that is asked for.
    pub(super) fn check(
        &self,
        username: &str,
        identity: &Identity,
        bits: u8,
        (challenge, nonce): (&[u8], u64),
        now: Moment,
    ) -> Result<(), Failure> {
        let asked = self.challenge(username, bits, now);
        let epoch = now.steady_ms / EPOCH_MS;
        let good = [epoch, epoch.saturating_sub(1)].map(|epoch| self.bytes(username, epoch));
        let found = good.into_iter().find(|bytes| bytes == challenge);
        let is_done = found.is_some_and(|bytes| {
            Challenge { bytes, key: *identity.as_bytes(), bits: asked.bits }.is_solved_by(nonce)
        });
        if is_done { Ok(()) } else { Err(Failure::work_needed(asked)) }
    }

    fn bytes(&self, username: &str, epoch: u64) -> [u8; WORK_CHALLENGE_BYTES] {
        let hash = sha256(&[b"qpq/v1/registration work", &self.0, &epoch.to_be_bytes(), username.as_bytes()]);
        let (start, _) = hash.split_at(WORK_CHALLENGE_BYTES);
        let mut bytes = [0; WORK_CHALLENGE_BYTES];
        bytes.copy_from_slice(start);
        bytes
    }
}
