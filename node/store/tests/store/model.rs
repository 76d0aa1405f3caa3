//! What a store should hold, kept in the simplest way there is.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;
use qpq_engine::storage::{Direction, Key, Table, Transaction};

pub(crate) const TABLES: [Table; 2] = [Table("messages"), Table("contacts")];
const PREFIXES: [&[u8]; 3] = [b"", b"alice@example", b"bob@example"];
const NAMESPACES: [&[u8]; 3] = [b"", b"group-one", b"group-two"];
const NAMES: [&[u8]; 3] = [b"epoch-secret", b"tree", b"leaf"];

/// One change, or a question whose answer must be the model's.
#[derive(Debug, Clone)]
pub(crate) enum Operation {
    Put { table: usize, prefix: usize, ordinal: u64, value: Vec<u8> },
    Delete { table: usize, prefix: usize, ordinal: u64 },
    Scan { table: usize, prefix: usize, from: u64, to: u64, is_backward: bool, limit: usize },
    All { table: usize },
    PutSecret { namespace: usize, name: usize, value: Vec<u8> },
    DeleteSecret { namespace: usize, name: usize },
    Copy { from: usize, to: usize },
    Clear { namespace: usize },
}

pub(crate) fn operation() -> impl Strategy<Value = Operation> {
    let value = || proptest::collection::vec(any::<u8>(), 0..600);
    let place = || (0..TABLES.len(), 0..PREFIXES.len(), prop_oneof![0..6_u64, Just(u64::MAX)]);
    let secret = || (0..NAMESPACES.len(), 0..NAMES.len());
    prop_oneof![
        4 => (place(), value())
            .prop_map(|((table, prefix, ordinal), value)| Operation::Put { table, prefix, ordinal, value }),
        2 => place().prop_map(|(table, prefix, ordinal)| Operation::Delete { table, prefix, ordinal }),
        2 => (place(), 0..8_u64, any::<bool>(), 0..5_usize).prop_map(
            |((table, prefix, from), to, is_backward, limit)| Operation::Scan { table, prefix, from, to, is_backward, limit }
        ),
        1 => (0..TABLES.len()).prop_map(|table| Operation::All { table }),
        4 => (secret(), value())
            .prop_map(|((namespace, name), value)| Operation::PutSecret { namespace, name, value }),
        2 => secret().prop_map(|(namespace, name)| Operation::DeleteSecret { namespace, name }),
        1 => (0..NAMESPACES.len(), 0..NAMESPACES.len()).prop_map(|(from, to)| Operation::Copy { from, to }),
        1 => (0..NAMESPACES.len()).prop_map(|namespace| Operation::Clear { namespace }),
    ]
}

/// Records and secrets, by what they are called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Model {
    records: BTreeMap<(usize, usize, u64), Vec<u8>>,
    secrets: BTreeMap<(usize, usize), Vec<u8>>,
}

impl Model {
    /// Does the same to the model and to a transaction.
    pub(crate) fn apply(&mut self, operation: &Operation, transaction: &mut dyn Transaction) {
        match operation {
            Operation::Put { table, prefix, ordinal, value } => {
                self.records.insert((*table, *prefix, *ordinal), value.clone());
                let key = Key { prefix: PREFIXES[*prefix], ordinal: *ordinal };
                transaction.put(TABLES[*table], key, Bytes::copy_from_slice(value)).unwrap();
            }
            Operation::Delete { table, prefix, ordinal } => {
                self.records.remove(&(*table, *prefix, *ordinal));
                let key = Key { prefix: PREFIXES[*prefix], ordinal: *ordinal };
                transaction.delete(TABLES[*table], key).unwrap();
            }
            Operation::Scan { table, prefix, from, to, is_backward, limit } => {
                self.check_scan(transaction, (*table, *prefix), (*from, *to), *is_backward, *limit);
            }
            Operation::All { table } => self.check_all(transaction, *table),
            Operation::PutSecret { namespace, name, value } => {
                self.secrets.insert((*namespace, *name), value.clone());
                transaction.secrets().put(NAMESPACES[*namespace], NAMES[*name], value).unwrap();
            }
            Operation::DeleteSecret { namespace, name } => {
                self.secrets.remove(&(*namespace, *name));
                transaction.secrets().delete(NAMESPACES[*namespace], NAMES[*name]).unwrap();
            }
            Operation::Copy { from, to } => {
                self.copy(*from, *to);
                transaction.secrets().copy_namespace(NAMESPACES[*from], NAMESPACES[*to]).unwrap();
            }
            Operation::Clear { namespace } => {
                self.secrets.retain(|(of, _), _| of != namespace);
                transaction.secrets().clear_namespace(NAMESPACES[*namespace]).unwrap();
            }
        }
    }

    fn copy(&mut self, from: usize, to: usize) {
        let copied: Vec<_> = self
            .secrets
            .iter()
            .filter(|((of, _), _)| *of == from)
            .map(|((_, name), v)| (*name, v.clone()))
            .collect();
        self.secrets.retain(|(of, _), _| *of != to || from == to);
        self.secrets.extend(copied.into_iter().map(|(name, value)| ((to, name), value)));
    }

    fn check_scan(
        &self,
        transaction: &dyn Transaction,
        (table, prefix): (usize, usize),
        (from, to): (u64, u64),
        is_backward: bool,
        limit: usize,
    ) {
        let direction = if is_backward { Direction::Backward } else { Direction::Forward };
        let found = transaction.scan(TABLES[table], PREFIXES[prefix], from..to, direction, limit).unwrap();
        let mut expected: Vec<_> = self
            .records
            .iter()
            .filter(|((of, by, ordinal), _)| (*of, *by) == (table, prefix) && (from..to).contains(ordinal))
            .map(|((.., ordinal), value)| (*ordinal, Bytes::copy_from_slice(value)))
            .collect();
        if is_backward {
            expected.reverse();
        }
        expected.truncate(limit);
        assert_eq!(found, expected);
    }

    fn check_all(&self, transaction: &dyn Transaction, table: usize) {
        let mut found = transaction.all(TABLES[table]).unwrap();
        let of_table = self.records.iter().filter(|((of, ..), _)| *of == table);
        let mut expected: Vec<_> = of_table.map(|(_, value)| Bytes::copy_from_slice(value)).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
    }

    /// How many records there are.
    pub(crate) fn records(&self) -> usize {
        self.records.len()
    }

    /// What a transaction shows.
    pub(crate) fn read(transaction: &mut dyn Transaction) -> Self {
        let mut model = Self::default();
        for (table, (prefix, name)) in
            [0, 1].into_iter().flat_map(|table| PREFIXES.iter().enumerate().map(move |p| (table, p)))
        {
            // A scan cannot reach the largest ordinal: its range is half open.
            let found =
                transaction.scan(TABLES[table], name, 0..u64::MAX, Direction::Forward, usize::MAX).unwrap();
            let last = transaction.get(TABLES[table], Key { prefix: name, ordinal: u64::MAX }).unwrap();
            for (ordinal, value) in found.into_iter().chain(last.map(|value| (u64::MAX, value))) {
                model.records.insert((table, prefix, ordinal), value.to_vec());
            }
        }
        for (namespace, space) in NAMESPACES.iter().enumerate() {
            for (name, called) in NAMES.iter().enumerate() {
                if let Some(value) = transaction.secrets().get(space, called).unwrap() {
                    model.secrets.insert((namespace, name), value);
                }
            }
        }
        model
    }
}
