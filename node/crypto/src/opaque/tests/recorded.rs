use opaque_ke::rand::{CryptoRng, Error, RngCore};

/// A generator of bytes that were drawn before.
pub(super) struct Recorded(pub(super) Vec<u8>);

impl RngCore for Recorded {
    fn next_u32(&mut self) -> u32 {
        unreachable!("only bytes are asked for")
    }

    fn next_u64(&mut self) -> u64 {
        unreachable!("only bytes are asked for")
    }

    fn fill_bytes(&mut self, output: &mut [u8]) {
        let rest = self.0.split_off(output.len());
        output.copy_from_slice(&std::mem::replace(&mut self.0, rest));
    }

    fn try_fill_bytes(&mut self, output: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(output);
        Ok(())
    }
}

impl CryptoRng for Recorded {}
