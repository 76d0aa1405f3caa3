//! Writing values.

use serde::ser::{self, Serialize};
use zeroize::Zeroizing;

use super::buffer::SecretBuffer;
use super::octet::OctetProbe;
use super::{CodecError, tag};

/// Writes one value.
pub(in crate::mls::storage) fn encode<T: Serialize + ?Sized>(
    value: &T,
) -> Result<Zeroizing<Vec<u8>>, CodecError> {
    let mut encoder = Encoder::default();
    value.serialize(&mut encoder)?;
    Ok(encoder.finish())
}

/// Writes values, one after the other, that share their names.
#[derive(Default)]
pub(in crate::mls::storage) struct Encoder {
    output: SecretBuffer,
    names: Vec<&'static str>,
}

impl Encoder {
    /// What was written.
    pub(in crate::mls::storage) fn finish(self) -> Zeroizing<Vec<u8>> {
        self.output.finish()
    }

    /// What was written so far.
    pub(in crate::mls::storage) fn written(&self) -> &[u8] {
        self.output.written()
    }

    /// Forgets everything, and keeps the allocation.
    pub(in crate::mls::storage) fn clear(&mut self) {
        self.output.clear();
        self.names.clear();
    }

    /// Writes a value.
    pub(in crate::mls::storage) fn value<T: Serialize + ?Sized>(
        &mut self,
        value: &T,
    ) -> Result<(), CodecError> {
        value.serialize(self)
    }

    /// Begins a record, whose fields come next.
    pub(in crate::mls::storage) fn begin_record(&mut self) {
        self.output.push(tag::RECORD);
    }

    /// Writes a field of a record.
    pub(in crate::mls::storage) fn field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), CodecError> {
        self.name(name);
        value.serialize(self)
    }

    /// Begins a sequence, whose elements come next.
    pub(in crate::mls::storage) fn begin_sequence(&mut self) {
        self.output.push(tag::SEQUENCE);
    }

    /// Ends a record or a sequence.
    pub(in crate::mls::storage) fn end(&mut self) {
        self.output.push(tag::END);
    }

    /// Whether what was written after the first `length` bytes is one absent option.
    pub(in crate::mls::storage) fn is_none_after(&self, length: usize) -> bool {
        self.output.written().get(length..) == Some(&[tag::NONE])
    }

    fn unsigned(&mut self, value: u64) {
        match u8::try_from(value) {
            Ok(small) if small < tag::SMALL_INTEGER => self.output.push(tag::SMALL_INTEGER | small),
            _ => {
                self.output.push(tag::UNSIGNED);
                self.output.varint(value);
            }
        }
    }

    fn name(&mut self, name: &'static str) {
        match self.names.iter().position(|known| *known == name) {
            Some(index) => self.unsigned(index as u64),
            None => {
                self.output.counted(tag::TEXT, name.as_bytes());
                self.names.push(name);
            }
        }
    }

    fn sequence(&mut self, length: Option<usize>) -> SequenceEncoder<'_> {
        let start = self.output.written().len();
        SequenceEncoder { encoder: self, start, octets_expected: length, written: 0 }
    }
}

impl<'e> ser::Serializer for &'e mut Encoder {
    type Ok = ();
    type Error = CodecError;
    type SerializeSeq = SequenceEncoder<'e>;
    type SerializeTuple = SequenceEncoder<'e>;
    type SerializeTupleStruct = SequenceEncoder<'e>;
    type SerializeTupleVariant = SequenceEncoder<'e>;
    type SerializeMap = CompoundEncoder<'e>;
    type SerializeStruct = CompoundEncoder<'e>;
    type SerializeStructVariant = CompoundEncoder<'e>;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_bool(self, value: bool) -> Result<(), CodecError> {
        self.output.push(if value { tag::TRUE } else { tag::FALSE });
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), CodecError> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), CodecError> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), CodecError> {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<(), CodecError> {
        match u64::try_from(value) {
            Ok(value) => self.unsigned(value),
            Err(_) => {
                self.output.push(tag::NEGATIVE);
                self.output.varint(value.unsigned_abs() - 1);
            }
        }
        Ok(())
    }

    fn serialize_u8(self, value: u8) -> Result<(), CodecError> {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), CodecError> {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), CodecError> {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<(), CodecError> {
        self.unsigned(value);
        Ok(())
    }

    fn serialize_f32(self, _: f32) -> Result<(), CodecError> {
        Err(CodecError::Unsupported("floating-point numbers"))
    }

    fn serialize_f64(self, _: f64) -> Result<(), CodecError> {
        Err(CodecError::Unsupported("floating-point numbers"))
    }

    fn serialize_char(self, value: char) -> Result<(), CodecError> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), CodecError> {
        self.output.counted(tag::TEXT, value.as_bytes());
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), CodecError> {
        self.output.counted(tag::BYTES, value);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), CodecError> {
        self.output.push(tag::NONE);
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), CodecError> {
        self.output.push(tag::SOME);
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), CodecError> {
        self.output.push(tag::UNIT);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), CodecError> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), CodecError> {
        self.output.push(tag::UNIT_VARIANT);
        self.name(variant);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), CodecError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), CodecError> {
        self.output.push(tag::VARIANT);
        self.name(variant);
        value.serialize(self)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<SequenceEncoder<'e>, CodecError> {
        Ok(self.sequence(length))
    }

    fn serialize_tuple(self, length: usize) -> Result<SequenceEncoder<'e>, CodecError> {
        Ok(self.sequence(Some(length)))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        length: usize,
    ) -> Result<SequenceEncoder<'e>, CodecError> {
        Ok(self.sequence(Some(length)))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<SequenceEncoder<'e>, CodecError> {
        self.output.push(tag::VARIANT);
        self.name(variant);
        Ok(self.sequence(Some(length)))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<CompoundEncoder<'e>, CodecError> {
        self.output.push(tag::MAP);
        Ok(CompoundEncoder(self))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<CompoundEncoder<'e>, CodecError> {
        self.output.push(tag::RECORD);
        Ok(CompoundEncoder(self))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<CompoundEncoder<'e>, CodecError> {
        self.output.push(tag::VARIANT);
        self.name(variant);
        self.output.push(tag::RECORD);
        Ok(CompoundEncoder(self))
    }
}

/// Writes a sequence: packed as long as every element is a byte.
pub(in crate::mls::storage) struct SequenceEncoder<'e> {
    encoder: &'e mut Encoder,
    /// Where the sequence begins in the output.
    start: usize,
    /// Length of the sequence while all its elements were bytes; the length is written before them.
    octets_expected: Option<usize>,
    written: usize,
}

impl SequenceEncoder<'_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CodecError> {
        if let Some(length) = self.octets_expected {
            if let Ok(octet) = value.serialize(OctetProbe) {
                if self.written == 0 {
                    self.encoder.output.push(tag::OCTETS);
                    self.encoder.output.varint(length as u64);
                }
                self.encoder.output.push(octet);
                self.written += 1;
                return Ok(());
            }
            self.octets_expected = None;
            self.unpack();
        } else if self.written == 0 {
            self.encoder.output.push(tag::SEQUENCE);
        }
        self.written += 1;
        value.serialize(&mut *self.encoder)
    }

    /// Writes the elements so far again, one by one: a sequence that began with bytes went on otherwise.
    fn unpack(&mut self) {
        let output = &mut self.encoder.output;
        let octets = Zeroizing::new(output.last(self.written).to_vec());
        output.truncate(self.start);
        output.push(tag::SEQUENCE);
        for octet in octets.iter() {
            self.encoder.unsigned((*octet).into());
        }
    }

    fn close(self) -> Result<(), CodecError> {
        match self.octets_expected {
            Some(length) if self.written > 0 => {
                if length != self.written {
                    return Err(CodecError::Unsupported("sequence of another length than announced"));
                }
            }
            _ => {
                if self.written == 0 {
                    self.encoder.output.push(tag::SEQUENCE);
                }
                self.encoder.output.push(tag::END);
            }
        }
        Ok(())
    }
}

macro_rules! sequence_encoder {
    ($($interface:ident :: $method:ident),+) => { $(
        impl ser::$interface for SequenceEncoder<'_> {
            type Ok = ();
            type Error = CodecError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CodecError> {
                self.element(value)
            }

            fn end(self) -> Result<(), CodecError> {
                self.close()
            }
        }
    )+ };
}

sequence_encoder!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

/// Writes a map or a record.
pub(in crate::mls::storage) struct CompoundEncoder<'e>(&'e mut Encoder);

impl ser::SerializeMap for CompoundEncoder<'_> {
    type Ok = ();
    type Error = CodecError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), CodecError> {
        key.serialize(&mut *self.0)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CodecError> {
        value.serialize(&mut *self.0)
    }

    fn end(self) -> Result<(), CodecError> {
        self.0.output.push(tag::END);
        Ok(())
    }
}

macro_rules! record_encoder {
    ($($interface:ident),+) => { $(
        impl ser::$interface for CompoundEncoder<'_> {
            type Ok = ();
            type Error = CodecError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), CodecError> {
                self.0.name(name);
                value.serialize(&mut *self.0)
            }

            fn end(self) -> Result<(), CodecError> {
                self.0.output.push(tag::END);
                Ok(())
            }
        }
    )+ };
}

record_encoder!(SerializeStruct, SerializeStructVariant);
