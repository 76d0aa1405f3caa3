//! Reading values.

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::{CodecError, tag};

/// Reads one value that fills the bytes.
pub(in crate::mls::storage) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let mut decoder = Decoder::new(bytes);
    let value = T::deserialize(&mut decoder)?;
    decoder.finish()?;
    Ok(value)
}

/// Reads values that share their names, one after the other.
pub(in crate::mls::storage) struct Decoder<'de> {
    input: &'de [u8],
    names: Vec<&'de str>,
}

impl<'de> Decoder<'de> {
    pub(in crate::mls::storage) fn new(input: &'de [u8]) -> Self {
        Self { input, names: Vec::new() }
    }

    /// Checks that nothing is left.
    pub(in crate::mls::storage) fn finish(self) -> Result<(), CodecError> {
        if self.input.is_empty() { Ok(()) } else { Err(CodecError::TrailingBytes) }
    }

    fn take(&mut self, length: usize) -> Result<&'de [u8], CodecError> {
        let (head, tail) = self.input.split_at_checked(length).ok_or(CodecError::Truncated)?;
        self.input = tail;
        Ok(head)
    }

    fn byte(&mut self) -> Result<u8, CodecError> {
        let (head, tail) = self.input.split_first().ok_or(CodecError::Truncated)?;
        self.input = tail;
        Ok(*head)
    }

    fn peek(&self) -> Result<u8, CodecError> {
        self.input.first().copied().ok_or(CodecError::Truncated)
    }

    /// Whether the collection ends here; its end is taken.
    fn at_end(&mut self) -> Result<bool, CodecError> {
        let at_end = self.peek()? == tag::END;
        if at_end {
            self.byte()?;
        }
        Ok(at_end)
    }

    fn varint(&mut self) -> Result<u64, CodecError> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(CodecError::UnknownForm)
    }

    fn counted(&mut self) -> Result<&'de [u8], CodecError> {
        let length = usize::try_from(self.varint()?).map_err(|_| CodecError::Truncated)?;
        self.take(length)
    }

    fn text(&mut self) -> Result<&'de str, CodecError> {
        std::str::from_utf8(self.counted()?).map_err(|_| CodecError::UnknownForm)
    }

    fn name(&mut self) -> Result<&'de str, CodecError> {
        let index = match self.byte()? {
            tag::TEXT => {
                let name = self.text()?;
                self.names.push(name);
                return Ok(name);
            }
            tag::UNSIGNED => self.varint()?,
            small if small >= tag::SMALL_INTEGER => u64::from(small & !tag::SMALL_INTEGER),
            _ => return Err(CodecError::UnknownForm),
        };
        let known = usize::try_from(index).ok().and_then(|index| self.names.get(index));
        known.copied().ok_or(CodecError::UnknownForm)
    }

    fn negative(&mut self) -> Result<i64, CodecError> {
        let magnitude = i64::try_from(self.varint()?).map_err(|_| CodecError::UnknownForm)?;
        Ok(-1 - magnitude)
    }
}

impl<'de> de::Deserializer<'de> for &mut Decoder<'de> {
    type Error = CodecError;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        let next = self.byte()?;
        match next {
            tag::NONE => visitor.visit_none(),
            tag::SOME => visitor.visit_some(self),
            tag::UNIT => visitor.visit_unit(),
            tag::FALSE => visitor.visit_bool(false),
            tag::TRUE => visitor.visit_bool(true),
            tag::UNSIGNED => visitor.visit_u64(self.varint()?),
            tag::NEGATIVE => visitor.visit_i64(self.negative()?),
            tag::BYTES => visitor.visit_borrowed_bytes(self.counted()?),
            tag::TEXT => visitor.visit_borrowed_str(self.text()?),
            tag::OCTETS => {
                let octets = self.counted()?.iter();
                visitor.visit_seq(&mut Elements { decoder: self, source: Source::Octets(octets) })
            }
            tag::SEQUENCE => {
                let source = Source::Values { embedded: None, is_open: true };
                let mut elements = Elements { decoder: self, source };
                let value = visitor.visit_seq(&mut elements)?;
                elements.close()?;
                Ok(value)
            }
            tag::MAP => visitor.visit_map(Entries { decoder: self, keys: Keys::Values }),
            tag::RECORD => visitor.visit_map(Entries { decoder: self, keys: Keys::Names }),
            tag::UNIT_VARIANT => visitor.visit_borrowed_str(self.name()?),
            tag::EMBEDDED => {
                let mut embedded = Decoder::new(self.counted()?);
                let value = embedded.deserialize_any(visitor)?;
                embedded.finish()?;
                Ok(value)
            }
            tag::VARIANT => {
                let keys = Keys::One(Some(self.name()?));
                visitor.visit_map(Entries { decoder: self, keys })
            }
            small if small >= tag::SMALL_INTEGER => visitor.visit_u8(small & !tag::SMALL_INTEGER),
            _ => Err(CodecError::UnknownForm),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        match self.byte()? {
            tag::NONE => visitor.visit_none(),
            tag::SOME => visitor.visit_some(self),
            tag::EMBEDDED => {
                let mut embedded = Decoder::new(self.counted()?);
                let value = embedded.deserialize_option(visitor)?;
                embedded.finish()?;
                Ok(value)
            }
            _ => Err(CodecError::UnknownForm),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        let has_content = match self.byte()? {
            tag::UNIT_VARIANT => false,
            tag::VARIANT => true,
            tag::EMBEDDED => {
                let mut embedded = Decoder::new(self.counted()?);
                let value = embedded.deserialize_enum(name, variants, visitor)?;
                embedded.finish()?;
                return Ok(value);
            }
            _ => return Err(CodecError::UnknownForm),
        };
        visitor.visit_enum(Variant { name: self.name()?, has_content, decoder: self })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// The elements of a sequence. There is one kind for all sequences, and one of [entries](Entries) for all maps: what a type
/// does with one is compiled for each kind there is.
struct Elements<'d, 'de> {
    decoder: &'d mut Decoder<'de>,
    source: Source<'de>,
}

/// Where elements come from.
enum Source<'de> {
    /// Values, until their end.
    Values {
        /// Elements that were written with names of their own, while some are left.
        embedded: Option<Decoder<'de>>,
        is_open: bool,
    },
    /// Bytes.
    Octets(std::slice::Iter<'de, u8>),
}

impl Elements<'_, '_> {
    /// Takes the end where the visitor, knowing the number of elements, did not ask for it.
    fn close(&mut self) -> Result<(), CodecError> {
        let Source::Values { embedded, is_open } = &self.source else { return Ok(()) };
        let has_embedded = embedded.as_ref().is_some_and(|embedded| !embedded.input.is_empty());
        if has_embedded || (*is_open && !self.decoder.at_end()?) {
            return Err(CodecError::TrailingBytes);
        }
        Ok(())
    }
}

impl<'de> de::SeqAccess<'de> for &mut Elements<'_, 'de> {
    type Error = CodecError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, CodecError> {
        let decoder = &mut *self.decoder;
        let (next_embedded, is_open) = match &mut self.source {
            Source::Octets(octets) => {
                return octets.next().map(|octet| seed.deserialize((*octet).into_deserializer())).transpose();
            }
            Source::Values { embedded, is_open } => (embedded, is_open),
        };
        loop {
            if let Some(embedded) = next_embedded.as_mut().filter(|embedded| !embedded.input.is_empty()) {
                return seed.deserialize(embedded).map(Some);
            }
            if !*is_open || decoder.at_end()? {
                *is_open = false;
                return Ok(None);
            }
            if decoder.peek()? != tag::EMBEDDED {
                return seed.deserialize(decoder).map(Some);
            }
            decoder.byte()?;
            *next_embedded = Some(Decoder::new(decoder.counted()?));
        }
    }

    fn size_hint(&self) -> Option<usize> {
        match &self.source {
            Source::Values { .. } => None,
            Source::Octets(octets) => Some(octets.len()),
        }
    }
}

/// The entries of a map.
struct Entries<'d, 'de> {
    decoder: &'d mut Decoder<'de>,
    keys: Keys<'de>,
}

/// What the keys of a map are.
enum Keys<'de> {
    /// Values.
    Values,
    /// Names, as the fields of a record have them.
    Names,
    /// The name of a variant seen as a map of one entry: what a type that was buffered for lack of a tag expects.
    One(Option<&'de str>),
}

impl<'de> de::MapAccess<'de> for Entries<'_, 'de> {
    type Error = CodecError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, CodecError> {
        let name = match &mut self.keys {
            Keys::One(name) => name.take(),
            _ if self.decoder.at_end()? => None,
            Keys::Names => Some(self.decoder.name()?),
            Keys::Values => return seed.deserialize(&mut *self.decoder).map(Some),
        };
        name.map(|name| seed.deserialize(BorrowedStrDeserializer::new(name))).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, CodecError> {
        seed.deserialize(&mut *self.decoder)
    }
}

/// A variant of an enum.
struct Variant<'d, 'de> {
    name: &'de str,
    has_content: bool,
    decoder: &'d mut Decoder<'de>,
}

impl Variant<'_, '_> {
    fn expect_content(&self) -> Result<(), CodecError> {
        if self.has_content { Ok(()) } else { Err(CodecError::UnknownForm) }
    }
}

impl<'de> de::EnumAccess<'de> for Variant<'_, 'de> {
    type Error = CodecError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), CodecError> {
        let name = BorrowedStrDeserializer::<CodecError>::new(self.name);
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_, 'de> {
    type Error = CodecError;

    fn unit_variant(self) -> Result<(), CodecError> {
        if self.has_content { Err(CodecError::UnknownForm) } else { Ok(()) }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, CodecError> {
        self.expect_content()?;
        seed.deserialize(self.decoder)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, CodecError> {
        self.expect_content()?;
        de::Deserializer::deserialize_any(self.decoder, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        self.expect_content()?;
        de::Deserializer::deserialize_any(self.decoder, visitor)
    }
}
