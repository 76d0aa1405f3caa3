//! Any value that storage holds.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Any value, its records in the order of their fields' names.
#[derive(Clone, PartialEq)]
pub(super) enum Value {
    Nothing,
    Number(u64),
    Text(String),
    Sequence(Vec<Value>),
    Record(BTreeMap<String, Value>),
}

impl Value {
    /// The value at the end of a path of field names.
    pub(super) fn at(self, path: &[&str]) -> Self {
        path.iter().fold(self, |value, name| match value {
            Self::Record(mut fields) => fields.remove(*name).unwrap(),
            other => panic!("no field {name} in {other:?}"),
        })
    }

    /// The longest byte string in it.
    pub(super) fn longest_bytes(&self) -> Vec<u8> {
        let within = |values: &mut dyn Iterator<Item = &Self>| {
            values.map(Self::longest_bytes).max_by_key(Vec::len).unwrap_or_default()
        };
        match self {
            Self::Sequence(elements) => {
                let bytes = elements.iter().map(|element| match element {
                    Self::Number(number) => u8::try_from(*number).ok(),
                    _ => None,
                });
                bytes.collect::<Option<Vec<_>>>().unwrap_or_else(|| within(&mut elements.iter()))
            }
            Self::Record(fields) => within(&mut fields.values()),
            _ => Vec::new(),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => formatter.write_str("-"),
            Self::Number(number) => number.fmt(formatter),
            Self::Text(text) => text.fmt(formatter),
            Self::Sequence(elements) => elements.fmt(formatter),
            Self::Record(fields) => fields.fmt(formatter),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.into()))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Value, E> {
        Ok(Value::Sequence(bytes.iter().map(|byte| Value::Number((*byte).into())).collect()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = sequence.next_element()? {
            elements.push(element);
        }
        Ok(Value::Sequence(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = BTreeMap::new();
        while let Some((name, value)) = map.next_entry()? {
            fields.insert(name, value);
        }
        Ok(Value::Record(fields))
    }
}
