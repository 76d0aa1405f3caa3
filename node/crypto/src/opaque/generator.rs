//! Our generator, as the older traits that OPAQUE's implementation asks for.

use opaque_ke::rand::{CryptoRng as OlderCryptoRng, Error, RngCore};
use rand_core::CryptoRng;

/// The same bytes, through rand_core 0.6.
pub(super) struct Generator<'a>(pub(super) &'a mut dyn CryptoRng);

impl RngCore for Generator<'_> {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    fn fill_bytes(&mut self, output: &mut [u8]) {
        self.0.fill_bytes(output);
    }

    fn try_fill_bytes(&mut self, output: &mut [u8]) -> Result<(), Error> {
        self.0.fill_bytes(output);
        Ok(())
    }
}

impl OlderCryptoRng for Generator<'_> {}
