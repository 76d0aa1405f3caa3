use std::cell::Cell;

use data_encoding::HEXLOWER;
use proptest::prelude::*;

use super::*;
use crate::transparency::log::{LogError, append, prove_consistency, prove_inclusion, root};
use crate::transparency::merkle::{
    ProofError, empty_root, leaf_hash, node_hash, verify_consistency, verify_inclusion,
};

type Nodes = BTreeMap<NodePlace, LogHash>;

fn reader(nodes: &Nodes) -> impl Fn(NodePlace) -> Result<Option<LogHash>, Infallible> {
    |place| Ok(nodes.get(&place).copied())
}

fn leaf(index: u64) -> LogHash {
    leaf_hash(&index.to_be_bytes())
}

fn log_of(size: u64) -> Nodes {
    let mut nodes = Nodes::new();
    for index in 0..size {
        let written = append(index, leaf(index), reader(&nodes)).unwrap();
        for (place, hash) in written {
            assert_eq!(nodes.insert(place, hash), None, "a node is written once");
        }
    }
    nodes
}

/// The definition of RFC 9162, section 2.1.1.
fn root_by_definition(leaves: &[LogHash]) -> LogHash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(1 << (leaves.len() - 1).ilog2());
            node_hash(&root_by_definition(left), &root_by_definition(right))
        }
    }
}

#[test]
fn hashes_are_those_of_the_rfc() {
    // RFC 6962's well-known empty root and the hash of an empty entry.
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(HEXLOWER.encode(&empty_root()), empty);
    let leaf = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
    assert_eq!(HEXLOWER.encode(&leaf_hash(b"")), leaf);
}

#[test]
fn roots_and_proofs_of_all_small_logs() {
    let nodes = log_of(40);
    let leaves = (0..40).map(leaf).collect::<Vec<_>>();
    let roots = (0..=40).map(|size| root(size, reader(&nodes)).unwrap()).collect::<Vec<_>>();
    for size in 0..=40_u64 {
        let at = usize::try_from(size).unwrap();
        assert_eq!(roots[at], root_by_definition(&leaves[..at]), "{size} entries");
        for index in 0..size {
            let path = prove_inclusion(index, size, reader(&nodes)).unwrap();
            assert_eq!(verify_inclusion(index, size, &leaf(index), &path, &roots[at]), Ok(()));
        }
        for from in 1..=size {
            let path = prove_consistency(from, size, reader(&nodes)).unwrap();
            let from_root = roots[usize::try_from(from).unwrap()];
            assert_eq!(
                verify_consistency(from, size, &from_root, &roots[at], &path),
                Ok(()),
                "{from} {size}"
            );
        }
    }
}

#[test]
fn what_is_not_in_the_log_cannot_be_proved() {
    let nodes = log_of(5);
    let range = Err(LogError::Range(ProofError::Range));
    assert_eq!(prove_inclusion(5, 5, reader(&nodes)), range);
    assert_eq!(prove_inclusion(0, 0, reader(&nodes)), range);
    assert_eq!(prove_consistency(0, 5, reader(&nodes)), range);
    assert_eq!(prove_consistency(6, 5, reader(&nodes)), range);
    let missing = NodePlace { level: 1, index: 2 };
    assert_eq!(root(6, reader(&nodes)), Err(LogError::Missing(missing)));
}

#[test]
fn a_storage_that_fails_is_an_error() {
    let fails = |_: NodePlace| Err("disk");
    assert_eq!(append(1, leaf(1), fails), Err(LogError::Storage("disk")));
    assert_eq!(root(1, fails), Err(LogError::Storage("disk")));
}

#[test]
fn a_million_entries_take_few_reads() {
    // A log whose every node is there, without being built.
    let (size, reads) = (1_000_003, Cell::new(0));
    let node = |place: NodePlace| {
        reads.set(reads.get() + 1);
        Ok::<_, Infallible>(Some(leaf(place.index << place.level)))
    };
    let most = |what: &str, run: &dyn Fn()| {
        reads.set(0);
        run();
        assert!(reads.get() <= 40, "{what}: {} reads", reads.get());
    };
    most("append", &|| assert!(append(size, leaf(0), node).is_ok()));
    most("root", &|| assert!(root(size, node).is_ok()));
    most("inclusion", &|| assert!(prove_inclusion(123_456, size, node).is_ok()));
    most("consistency", &|| assert!(prove_consistency(654_321, size, node).is_ok()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_other_place_leaf_path_or_root_is_refused(
        size in 1_u64..200,
        at: prop::sample::Index,
        which: prop::sample::Index,
        bit in 0..256_usize,
    ) {
        let nodes = log_of(size);
        let index = at.index(usize::try_from(size).unwrap()) as u64;
        let tree_root = root(size, reader(&nodes)).unwrap();
        let path = prove_inclusion(index, size, reader(&nodes)).unwrap();
        let verify = |index, leaf, path: &[LogHash], root| verify_inclusion(index, size, &leaf, path, &root);
        let flipped = |mut hash: LogHash| { hash[bit / 8] ^= 1 << (bit % 8); hash };
        prop_assert_eq!(verify(index, leaf(index), &path, tree_root), Ok(()));
        prop_assert_eq!(verify(index, flipped(leaf(index)), &path, tree_root), Err(ProofError::Root));
        prop_assert_eq!(verify(index, leaf(index), &path, flipped(tree_root)), Err(ProofError::Root));
        for other in (0..size).filter(|other| *other != index) {
            prop_assert!(verify(other, leaf(index), &path, tree_root).is_err());
        }
        if !path.is_empty() {
            let mut changed = path.clone();
            let changed_at = which.index(path.len());
            changed[changed_at] = flipped(changed[changed_at]);
            prop_assert_eq!(verify(index, leaf(index), &changed, tree_root), Err(ProofError::Root));
            prop_assert!(verify(index, leaf(index), &path[1..], tree_root).is_err());
        }
        let longer = [path.as_slice(), &[[0; 32]]].concat();
        prop_assert_eq!(verify(index, leaf(index), &longer, tree_root), Err(ProofError::Length));
    }

    #[test]
    fn a_log_that_was_changed_is_not_consistent(size in 2_u64..120, from in 1_u64..119, at in 0_u64..119) {
        prop_assume!(at < from && from < size);
        let nodes = log_of(size);
        let mut other = Nodes::new();
        for index in 0..size {
            let entry = if index == at { leaf(9999) } else { leaf(index) };
            other.extend(append(index, entry, reader(&other)).unwrap());
        }
        let from_root = root(from, reader(&nodes)).unwrap();
        let other_root = root(size, reader(&other)).unwrap();
        for honest in [&nodes, &other] {
            let path = prove_consistency(from, size, reader(honest)).unwrap();
            prop_assert!(verify_consistency(from, size, &from_root, &other_root, &path).is_err());
        }
    }
}
