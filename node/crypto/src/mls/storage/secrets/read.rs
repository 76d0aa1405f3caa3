//! Putting the message secrets together again.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::{
    ARRAYS, Field, Head, Known, KnownEpoch, LEAVES, MESSAGE_SECRETS, Name, PAST_EPOCHS, SECRET_TREE, Top,
};
use crate::mls::storage::StorageFailed;
use crate::mls::storage::chunks::Fingerprint;
use crate::mls::storage::codec::{Assembler, CodecError, decode};

/// A record by its name; `None` if there is none.
pub(in crate::mls::storage) type Fetch<'f> =
    dyn Fn(&[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, StorageFailed> + 'f;

/// A value read back: its encoding in one piece, and what is known of its records from now on.
pub(in crate::mls::storage) type Whole<K> = (Zeroizing<Vec<u8>>, K);

/// Reads the message secrets, if there are any.
pub(in crate::mls::storage) fn read(fetch: &Fetch<'_>) -> Result<Option<Whole<Known>>, ReadError> {
    let Some(top) = fetch(&Name::top())? else {
        return Ok(None);
    };
    let top: Top = decode(&top)?;
    let mut reader = Reader { fetch, output: Assembler::default(), epochs: BTreeMap::new() };
    reader.store(&top)?;
    let Reader { output, epochs, .. } = reader;
    Ok(Some((output.finish(), Known { top: Some(top), epochs })))
}

/// Why the message secrets cannot be read.
#[derive(Debug, thiserror::Error)]
pub(in crate::mls::storage) enum ReadError {
    #[error(transparent)]
    Storage(#[from] StorageFailed),
    #[error(transparent)]
    Codec(#[from] CodecError),
}

struct Reader<'f> {
    fetch: &'f Fetch<'f>,
    output: Assembler,
    epochs: BTreeMap<Fingerprint, KnownEpoch>,
}

impl Reader<'_> {
    fn record(&self, name: &[u8]) -> Result<Zeroizing<Vec<u8>>, ReadError> {
        Ok((self.fetch)(name)?.ok_or(CodecError::RecordMissing)?)
    }

    fn store(&mut self, top: &Top) -> Result<(), ReadError> {
        self.output.begin_record();
        Field::write_all(&top.fields, &mut self.output);
        self.output.name(PAST_EPOCHS);
        self.output.begin_sequence();
        for past in &top.past {
            self.output.begin_record();
            Field::write_all(&past.fields, &mut self.output);
            self.output.name(MESSAGE_SECRETS);
            self.epoch(past.epoch)?;
            self.output.name(LEAVES);
            let leaves = self.record(&Name::leaves(past.leaves))?;
            self.output.embedded(&leaves);
            self.output.end();
        }
        self.output.end();
        self.output.name(MESSAGE_SECRETS);
        self.epoch(top.current)?;
        self.output.end();
        Ok(())
    }

    fn epoch(&mut self, name: Fingerprint) -> Result<(), ReadError> {
        let record = self.record(&Name::head(name))?;
        let head: Head = decode(&record)?;
        if head.arrays.len() != ARRAYS.len() {
            return Err(CodecError::UnknownForm.into());
        }
        let mut known = KnownEpoch { head: Some(Fingerprint::of(&record)), ..KnownEpoch::default() };
        self.output.begin_record();
        Field::write_all(&head.fields, &mut self.output);
        self.output.name(SECRET_TREE);
        self.output.begin_record();
        Field::write_all(&head.tree_fields, &mut self.output);
        for (array, ((field, chunk_elements), shape)) in ARRAYS.iter().zip(&head.arrays).enumerate() {
            self.output.name(field);
            let fetch = self.fetch;
            known.arrays[array] = shape.read(*chunk_elements, &mut self.output, |number| {
                fetch(&Name::chunk(name, array, number))?.ok_or(ReadError::Codec(CodecError::RecordMissing))
            })?;
        }
        self.output.end();
        self.output.end();
        self.epochs.insert(name, known);
        Ok(())
    }
}
