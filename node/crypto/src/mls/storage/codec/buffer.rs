//! A buffer for secrets.

use zeroize::{Zeroize, Zeroizing};

/// A buffer whose content is overwritten when it moves to a larger allocation and when it is dropped.
#[derive(Default)]
pub(super) struct SecretBuffer(Vec<u8>);

impl SecretBuffer {
    pub(super) fn push(&mut self, byte: u8) {
        self.reserve(1);
        self.0.push(byte);
    }

    pub(super) fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.push(value.to_le_bytes()[0]);
    }

    pub(super) fn counted(&mut self, tag: u8, bytes: &[u8]) {
        self.push(tag);
        self.varint(bytes.len() as u64);
        self.extend(bytes);
    }

    /// What was written so far.
    pub(super) fn written(&self) -> &[u8] {
        &self.0
    }

    /// The last bytes; no more than were written.
    pub(super) fn last(&self, count: usize) -> &[u8] {
        &self.0[self.0.len() - count..]
    }

    /// Takes back all but the first bytes.
    pub(super) fn truncate(&mut self, length: usize) {
        self.0[length..].zeroize();
        self.0.truncate(length);
    }

    /// Takes back everything, and keeps the allocation, of which no more is overwritten than was used.
    pub(super) fn clear(&mut self) {
        self.truncate(0);
    }

    pub(super) fn finish(mut self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(std::mem::take(&mut self.0))
    }

    fn extend(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    #[inline]
    fn reserve(&mut self, additional: usize) {
        if self.0.capacity() - self.0.len() < additional {
            self.grow(additional);
        }
    }

    #[cold]
    fn grow(&mut self, additional: usize) {
        let capacity = (self.0.len() + additional).max(2 * self.0.capacity()).max(INITIAL_BYTES);
        let mut larger = Vec::with_capacity(capacity);
        larger.extend_from_slice(&self.0);
        self.clear();
        self.0 = larger;
    }
}

impl Drop for SecretBuffer {
    fn drop(&mut self) {
        self.clear();
    }
}

const INITIAL_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_back_is_overwritten() {
        let mut buffer = SecretBuffer::default();
        for number in 0..1_000_u16 {
            buffer.counted(1, &number.to_be_bytes());
        }
        assert_eq!(buffer.written().len(), 4 * 1_000);
        assert_eq!(buffer.last(2), 999_u16.to_be_bytes());
        buffer.truncate(8);
        assert_eq!(buffer.written(), [1, 2, 0, 0, 1, 2, 0, 1]);
        buffer.clear();
        assert_eq!(buffer.finish().len(), 0);
    }
}
