//! Taking a value apart by the names of its fields, without knowing its type.
//!
//! OpenMLS's state has private types; that they are serializable is all we know of them. A [`Visitor`] is
//! called for each field of a struct or each element of a sequence, and decides what to write of it, or
//! whether to look at it at all: a field that is not looked at costs nothing.

use serde::ser::{self, Impossible, Serialize};

use super::codec::CodecError;

/// What is called for the fields of a struct, or for the elements of a sequence.
pub(super) trait Visitor {
    /// The struct has this field.
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), CodecError> {
        let _ = (name, value);
        Err(CodecError::UnknownForm)
    }

    /// The sequence has this element next.
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CodecError> {
        let _ = value;
        Err(CodecError::UnknownForm)
    }
}

/// Takes a struct or a sequence apart.
///
/// # Errors
/// [`CodecError::UnknownForm`] if the value is neither, or not the one that the visitor expects.
pub(super) fn visit<T: Serialize + ?Sized>(value: &T, visitor: &mut impl Visitor) -> Result<(), CodecError> {
    value.serialize(Apart(visitor))
}

struct Apart<'v, V>(&'v mut V);

macro_rules! unexpected {
    ($($method:ident($($argument:ty),*) -> $result:ty;)+) => { $(
        fn $method(self, $(_: $argument),*) -> Result<$result, CodecError> {
            Err(CodecError::UnknownForm)
        }
    )+ };
}

impl<V: Visitor> ser::Serializer for Apart<'_, V> {
    type Ok = ();
    type Error = CodecError;
    type SerializeSeq = Self;
    type SerializeTuple = Impossible<(), CodecError>;
    type SerializeTupleStruct = Impossible<(), CodecError>;
    type SerializeTupleVariant = Impossible<(), CodecError>;
    type SerializeMap = Impossible<(), CodecError>;
    type SerializeStruct = Self;
    type SerializeStructVariant = Impossible<(), CodecError>;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self, CodecError> {
        Ok(self)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, CodecError> {
        Ok(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), CodecError> {
        value.serialize(self)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<(), CodecError> {
        Err(CodecError::UnknownForm)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), CodecError> {
        Err(CodecError::UnknownForm)
    }

    unexpected! {
        serialize_bool(bool) -> ();
        serialize_i8(i8) -> ();
        serialize_i16(i16) -> ();
        serialize_i32(i32) -> ();
        serialize_i64(i64) -> ();
        serialize_u8(u8) -> ();
        serialize_u16(u16) -> ();
        serialize_u32(u32) -> ();
        serialize_u64(u64) -> ();
        serialize_f32(f32) -> ();
        serialize_f64(f64) -> ();
        serialize_char(char) -> ();
        serialize_str(&str) -> ();
        serialize_bytes(&[u8]) -> ();
        serialize_none() -> ();
        serialize_unit() -> ();
        serialize_unit_struct(&'static str) -> ();
        serialize_unit_variant(&'static str, u32, &'static str) -> ();
        serialize_tuple(usize) -> Self::SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant;
        serialize_map(Option<usize>) -> Self::SerializeMap;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant;
    }
}

impl<V: Visitor> ser::SerializeSeq for Apart<'_, V> {
    type Ok = ();
    type Error = CodecError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CodecError> {
        self.0.element(value)
    }

    fn end(self) -> Result<(), CodecError> {
        Ok(())
    }
}

impl<V: Visitor> ser::SerializeStruct for Apart<'_, V> {
    type Ok = ();
    type Error = CodecError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), CodecError> {
        self.0.field(name, value)
    }

    fn end(self) -> Result<(), CodecError> {
        Ok(())
    }
}
