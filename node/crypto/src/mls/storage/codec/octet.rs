//! Finding sequences of bytes among sequences.

use serde::ser::{self, Serialize};

use super::CodecError;

/// Tells whether a value is a byte; everything else fails at its first call.
pub(super) struct OctetProbe;

macro_rules! no_octet {
    ($($method:ident($($argument:ty),*) -> $result:ty;)+) => { $(
        fn $method(self, $(_: $argument),*) -> Result<$result, CodecError> {
            Err(CodecError::UnknownForm)
        }
    )+ };
}

impl ser::Serializer for OctetProbe {
    type Ok = u8;
    type Error = CodecError;
    type SerializeSeq = ser::Impossible<u8, CodecError>;
    type SerializeTuple = ser::Impossible<u8, CodecError>;
    type SerializeTupleStruct = ser::Impossible<u8, CodecError>;
    type SerializeTupleVariant = ser::Impossible<u8, CodecError>;
    type SerializeMap = ser::Impossible<u8, CodecError>;
    type SerializeStruct = ser::Impossible<u8, CodecError>;
    type SerializeStructVariant = ser::Impossible<u8, CodecError>;

    fn serialize_u8(self, value: u8) -> Result<u8, CodecError> {
        Ok(value)
    }

    no_octet! {
        serialize_bool(bool) -> u8;
        serialize_i8(i8) -> u8;
        serialize_i16(i16) -> u8;
        serialize_i32(i32) -> u8;
        serialize_i64(i64) -> u8;
        serialize_u16(u16) -> u8;
        serialize_u32(u32) -> u8;
        serialize_u64(u64) -> u8;
        serialize_f32(f32) -> u8;
        serialize_f64(f64) -> u8;
        serialize_char(char) -> u8;
        serialize_str(&str) -> u8;
        serialize_bytes(&[u8]) -> u8;
        serialize_none() -> u8;
        serialize_unit() -> u8;
        serialize_unit_struct(&'static str) -> u8;
        serialize_unit_variant(&'static str, u32, &'static str) -> u8;
        serialize_seq(Option<usize>) -> Self::SerializeSeq;
        serialize_tuple(usize) -> Self::SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant;
        serialize_map(Option<usize>) -> Self::SerializeMap;
        serialize_struct(&'static str, usize) -> Self::SerializeStruct;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant;
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<u8, CodecError> {
        Err(CodecError::UnknownForm)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: &T,
    ) -> Result<u8, CodecError> {
        Err(CodecError::UnknownForm)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<u8, CodecError> {
        Err(CodecError::UnknownForm)
    }
}
