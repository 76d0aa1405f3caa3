//! Long sequences, stored in chunks of which only the changed ones are written.
//!
//! Elements that are absent options are not stored: a chunk of nothing else has no record. A ratchet tree of
//! a thousand members, of which few have spoken, takes few records.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::codec::{Assembler, CodecError, Encoder};
use super::visit::{Visitor, visit};

/// What tells whether a record is as it was written last: the start of its BLAKE3 hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Fingerprint(pub(super) [u8; 16]);

impl Fingerprint {
    /// Of a chunk without record.
    const ABSENT: Self = Self([0; 16]);

    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut start = [0; 16];
        start.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]);
        Self(start)
    }
}

/// What is known of a sequence in storage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Chunks {
    elements: usize,
    fingerprints: Vec<Fingerprint>,
}

/// The shape of a sequence: what one must know to read it.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ChunksShape {
    /// Number of elements.
    elements: usize,
    /// A bit for every chunk, lowest first: whether it has a record.
    present: Vec<u8>,
}

/// A chunk that is not as it was written last.
pub(super) struct ChangedChunk {
    /// Its number.
    pub(super) number: usize,
    /// Its new content; `None` if its record goes.
    pub(super) content: Option<Zeroizing<Vec<u8>>>,
}

impl Chunks {
    /// Compares a sequence with what was written last, and gives the chunks that differ.
    pub(super) fn update<T: Serialize + ?Sized>(
        &mut self,
        sequence: &T,
        chunk_elements: usize,
    ) -> Result<Vec<ChangedChunk>, CodecError> {
        let mut update = Update {
            chunk_elements,
            known: std::mem::take(&mut self.fingerprints),
            chunks: Self::default(),
            encoder: Encoder::default(),
            is_blank: true,
            changed: Vec::new(),
        };
        visit(sequence, &mut update)?;
        let Update { chunks, changed, .. } = update.finish();
        *self = chunks;
        Ok(changed)
    }

    pub(super) fn shape(&self) -> ChunksShape {
        let mut present = vec![0; self.fingerprints.len().div_ceil(8)];
        for number in self.present() {
            present[number / 8] |= 1 << (number % 8);
        }
        ChunksShape { elements: self.elements, present }
    }

    /// Whether a chunk has a record.
    pub(super) fn has_record(&self, number: usize) -> bool {
        self.fingerprints.get(number).is_some_and(|fingerprint| *fingerprint != Fingerprint::ABSENT)
    }

    /// Takes note of the new content of a chunk that has a record. Gives whether it differs.
    pub(super) fn replace(&mut self, number: usize, content: &[u8]) -> bool {
        let new = Fingerprint::of(content);
        let known = self.fingerprints.get_mut(number);
        known.is_some_and(|known| std::mem::replace(known, new) != new)
    }

    /// The numbers of the chunks that have records.
    pub(super) fn present(&self) -> impl Iterator<Item = usize> {
        let numbered = self.fingerprints.iter().enumerate();
        numbered.filter(|(_, fingerprint)| **fingerprint != Fingerprint::ABSENT).map(|(number, _)| number)
    }
}

impl ChunksShape {
    /// Reads a sequence back: writes it to `output`, fetching chunks by their numbers.
    pub(super) fn read<E: From<CodecError>>(
        &self,
        chunk_elements: usize,
        output: &mut Assembler,
        mut fetch: impl FnMut(usize) -> Result<Zeroizing<Vec<u8>>, E>,
    ) -> Result<Chunks, E> {
        let chunk_count = self.elements.div_ceil(chunk_elements);
        if self.present.len() != chunk_count.div_ceil(8) {
            return Err(CodecError::UnknownForm.into());
        }
        let mut fingerprints = Vec::with_capacity(chunk_count);
        output.begin_sequence();
        for number in 0..chunk_count {
            if self.present[number / 8] & (1 << (number % 8)) == 0 {
                fingerprints.push(Fingerprint::ABSENT);
                output.nones(chunk_elements.min(self.elements - number * chunk_elements));
            } else {
                let chunk = fetch(number)?;
                fingerprints.push(Fingerprint::of(&chunk));
                output.embedded(&chunk);
            }
        }
        output.end();
        Ok(Chunks { elements: self.elements, fingerprints })
    }
}

struct Update {
    chunk_elements: usize,
    known: Vec<Fingerprint>,
    chunks: Chunks,
    encoder: Encoder,
    /// Whether the chunk has had absent options only.
    is_blank: bool,
    changed: Vec<ChangedChunk>,
}

impl Visitor for Update {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CodecError> {
        let before = self.encoder.written().len();
        self.encoder.value(value)?;
        self.is_blank &= self.encoder.is_none_after(before);
        self.chunks.elements += 1;
        if self.chunks.elements.is_multiple_of(self.chunk_elements) {
            self.close_chunk();
        }
        Ok(())
    }
}

impl Update {
    fn close_chunk(&mut self) {
        let number = self.chunks.fingerprints.len();
        let known = self.known.get(number).copied().unwrap_or(Fingerprint::ABSENT);
        let content = self.encoder.written();
        let new = if self.is_blank { Fingerprint::ABSENT } else { Fingerprint::of(content) };
        if new != known {
            let content = (!self.is_blank).then(|| Zeroizing::new(content.to_vec()));
            self.changed.push(ChangedChunk { number, content });
        }
        self.chunks.fingerprints.push(new);
        self.encoder.clear();
        self.is_blank = true;
    }

    fn finish(mut self) -> Self {
        if !self.chunks.elements.is_multiple_of(self.chunk_elements) {
            self.close_chunk();
        }
        for number in self.chunks.fingerprints.len()..self.known.len() {
            if self.known[number] != Fingerprint::ABSENT {
                self.changed.push(ChangedChunk { number, content: None });
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::mls::storage::codec::decode;

    type Records = BTreeMap<usize, Zeroizing<Vec<u8>>>;

    fn apply(records: &mut Records, changed: Vec<ChangedChunk>) {
        for chunk in changed {
            match chunk.content {
                Some(content) => drop(records.insert(chunk.number, content)),
                None => assert!(records.remove(&chunk.number).is_some(), "a record that is not there goes"),
            }
        }
    }

    fn read(records: &Records, shape: &ChunksShape, chunk_elements: usize) -> (Vec<Option<String>>, Chunks) {
        let mut output = Assembler::default();
        let chunks = shape
            .read(chunk_elements, &mut output, |number| Ok::<_, CodecError>(records[&number].clone()))
            .unwrap();
        (decode(&output.finish()).unwrap(), chunks)
    }

    fn sequence() -> impl Strategy<Value = Vec<Option<String>>> {
        proptest::collection::vec(proptest::option::weighted(0.3, "[a-z]{0,20}"), 0..40)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(versions in proptest::collection::vec(sequence(), 1..6), chunk_elements in 1..9usize) {
            let mut chunks = Chunks::default();
            let mut records = Records::new();
            for version in &versions {
                apply(&mut records, chunks.update(version, chunk_elements).unwrap());
                let shape = chunks.shape();
                let (found, loaded) = read(&records, &shape, chunk_elements);
                prop_assert_eq!(&found, version);
                prop_assert_eq!(&loaded, &chunks);
                prop_assert_eq!(chunks.present().collect::<Vec<_>>(), records.keys().copied().collect::<Vec<_>>());
                prop_assert_eq!(chunks.update(version, chunk_elements).unwrap().len(), 0);
            }
        }
    }

    #[test]
    fn one_change_writes_one_chunk() {
        let mut sequence: Vec<_> = (0..100).map(|number| Some(number.to_string())).collect();
        let mut chunks = Chunks::default();
        assert_eq!(chunks.update(&sequence, 8).unwrap().len(), 13);
        sequence[17] = Some("changed".into());
        let changed = chunks.update(&sequence, 8).unwrap();
        assert_eq!(changed.iter().map(|chunk| chunk.number).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn a_shape_that_does_not_fit_is_refused() {
        let shape = ChunksShape { elements: 9, present: vec![0] };
        let read = shape.read(1, &mut Assembler::default(), |_| Ok(Zeroizing::default()));
        assert_eq!(read, Err(CodecError::UnknownForm));
    }
}
