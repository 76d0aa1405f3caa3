//! Putting values together.

use zeroize::Zeroizing;

use super::buffer::SecretBuffer;
use super::tag;

/// Puts a value together from values that were written apart.
///
/// Names are written in full here: numbers would refer to names that stand in another part.
#[derive(Default)]
pub(in crate::mls::storage) struct Assembler(SecretBuffer);

impl Assembler {
    pub(in crate::mls::storage) fn begin_record(&mut self) {
        self.0.push(tag::RECORD);
    }

    pub(in crate::mls::storage) fn begin_sequence(&mut self) {
        self.0.push(tag::SEQUENCE);
    }

    /// Ends a record or a sequence.
    pub(in crate::mls::storage) fn end(&mut self) {
        self.0.push(tag::END);
    }

    /// The name of a field, whose value comes next.
    pub(in crate::mls::storage) fn name(&mut self, name: &str) {
        self.0.counted(tag::TEXT, name.as_bytes());
    }

    /// Values that an encoder wrote.
    pub(in crate::mls::storage) fn embedded(&mut self, values: &[u8]) {
        self.0.counted(tag::EMBEDDED, values);
    }

    /// Absent options.
    pub(in crate::mls::storage) fn nones(&mut self, count: usize) {
        for _ in 0..count {
            self.0.push(tag::NONE);
        }
    }

    pub(in crate::mls::storage) fn finish(self) -> Zeroizing<Vec<u8>> {
        self.0.finish()
    }
}
