use proptest::prelude::*;

use super::*;
use crate::transparency::prefix::{
    EMPTY_PREFIX, PREFIX_PATH_MAX, PrefixError, PrefixProofError, insert, prefix_root, prove,
};

type Nodes = BTreeMap<PrefixPlace, PrefixNode>;

fn reader(nodes: &Nodes) -> impl Fn(PrefixPlace) -> Result<Option<PrefixNode>, Infallible> {
    |place| Ok(nodes.get(&place).copied())
}

fn leaf(label: [u8; 32], version: u64) -> PrefixLeaf {
    PrefixLeaf { label, version, commitment: [9; 32] }
}

fn tree_of(leaves: &[PrefixLeaf]) -> (Nodes, LogHash) {
    let (mut nodes, mut root) = (Nodes::new(), EMPTY_PREFIX);
    for leaf in leaves {
        let update = insert(*leaf, reader(&nodes)).unwrap();
        nodes.extend(update.written);
        root = update.root;
    }
    (nodes, root)
}

/// A label whose first bytes are these.
fn label(start: &[u8]) -> [u8; 32] {
    let mut label = [0; 32];
    label[..start.len()].copy_from_slice(start);
    label
}

fn says(nodes: &Nodes, root: &LogHash, label: &[u8; 32]) -> Option<PrefixLeaf> {
    prove(label, reader(nodes)).unwrap().verify(label, root).unwrap()
}

#[test]
fn an_empty_tree_has_nothing() {
    let nodes = Nodes::new();
    assert_eq!(prefix_root(reader(&nodes)), Ok(EMPTY_PREFIX));
    assert_eq!(says(&nodes, &EMPTY_PREFIX, &label(&[1])), None);
}

#[test]
fn labels_that_differ_in_the_last_bit_part_at_the_bottom() {
    let mut other = [0; 32];
    other[31] = 1;
    let (nodes, root) = tree_of(&[leaf([0; 32], 1), leaf(other, 1)]);
    assert_eq!(prove(&other, reader(&nodes)).unwrap().path.len(), PREFIX_PATH_MAX);
    assert_eq!(says(&nodes, &root, &other), Some(leaf(other, 1)));
    assert_eq!(says(&nodes, &root, &[0; 32]), Some(leaf([0; 32], 1)));
    assert_eq!(says(&nodes, &root, &label(&[0, 1])), None);
}

#[test]
fn absence_ends_at_a_neighbour_or_at_nothing() {
    let (nodes, root) = tree_of(&[leaf(label(&[0b0000_0000]), 1), leaf(label(&[0b0010_0000]), 1)]);
    let end = |label: [u8; 32]| {
        let proof = prove(&label, reader(&nodes)).unwrap();
        assert_eq!(proof.verify(&label, &root), Ok(None));
        proof.end
    };
    assert_eq!(end(label(&[0b0011_0000])), PrefixEnd::Neighbour(leaf(label(&[0b0010_0000]), 1)));
    assert_eq!(end(label(&[0b0100_0000])), PrefixEnd::Empty);
    assert_eq!(end(label(&[0b1000_0000])), PrefixEnd::Empty);
}

#[test]
fn absence_of_what_is_there_cannot_be_proved() {
    let there = label(&[0b0010_0000]);
    let (nodes, root) = tree_of(&[leaf(label(&[0]), 1), leaf(there, 1), leaf(label(&[0b1000_0000]), 1)]);
    let honest = prove(&there, reader(&nodes)).unwrap();
    let ends =
        [PrefixEnd::Empty, PrefixEnd::Neighbour(leaf(there, 1)), PrefixEnd::Neighbour(leaf(label(&[0]), 1))];
    for end in ends {
        // With every part of the honest way, and with the ways of the others.
        for from in 0..=honest.path.len() {
            let proof = PrefixProof { end, path: honest.path[from..].to_vec() };
            assert!(proof.verify(&there, &root).is_err(), "{end:?} from {from}");
        }
        for other in [label(&[0]), label(&[0b1000_0000])] {
            let path = prove(&other, reader(&nodes)).unwrap().path;
            assert!(PrefixProof { end, path }.verify(&there, &root).is_err(), "{end:?}");
        }
    }
}

#[test]
fn proofs_about_others_and_long_ones_are_named() {
    let proof = |end, length| PrefixProof { end, path: vec![[1; 32]; length] };
    let own = label(&[1]);
    let other = leaf(label(&[0x80]), 1);
    let verdict = |proof: PrefixProof| proof.verify(&own, &EMPTY_PREFIX);
    assert_eq!(verdict(proof(PrefixEnd::Leaf(other), 0)), Err(PrefixProofError::Label));
    assert_eq!(verdict(proof(PrefixEnd::Neighbour(leaf(own, 1)), 0)), Err(PrefixProofError::Label));
    assert_eq!(verdict(proof(PrefixEnd::Neighbour(other), 1)), Err(PrefixProofError::Label));
    assert_eq!(verdict(proof(PrefixEnd::Neighbour(other), 0)), Err(PrefixProofError::Root));
    assert_eq!(verdict(proof(PrefixEnd::Empty, 257)), Err(PrefixProofError::TooLong(257)));
}

#[test]
fn nodes_and_places_survive_storage() {
    let (nodes, _) = tree_of(&[leaf(label(&[0]), 1), leaf(label(&[0b0010_0000]), 7)]);
    assert!(nodes.len() > 3);
    let mut places = std::collections::BTreeSet::new();
    for (place, node) in &nodes {
        let bytes = node.encode();
        assert_eq!(PrefixNode::decode(&bytes), Some(*node));
        assert_eq!(PrefixNode::decode(&bytes[1..]), None);
        assert_eq!(PrefixNode::decode(&[bytes.as_slice(), &[0]].concat()), None);
        assert!(places.insert(place.encode()), "places have encodings of their own");
    }
    assert_eq!(PrefixNode::decode(&[]), None);
}

#[test]
fn a_damaged_storage_is_an_error() {
    let (mut nodes, _) = tree_of(&[leaf(label(&[0]), 1), leaf(label(&[0x80]), 1)]);
    let place = *nodes.last_key_value().unwrap().0;
    nodes.remove(&place);
    assert_eq!(prove(&label(&[0x80]), reader(&nodes)), Err(PrefixError::Missing(place)));
    // An inner node everywhere has no bottom.
    let endless = |_| Ok::<_, Infallible>(Some(PrefixNode::Inner { left: [1; 32], right: [1; 32] }));
    assert_eq!(prove(&label(&[0x80]), endless), Err(PrefixError::Malformed));
}

/// Labels that share bits, as labels of a random function hardly do.
fn labels() -> impl Strategy<Value = Vec<[u8; 32]>> {
    let near = (0..4_u8, 0..4_u8, any::<bool>()).prop_map(|(first, second, last)| {
        let mut label = label(&[first << 6, second]);
        label[31] = u8::from(last);
        label
    });
    proptest::collection::vec(prop_oneof![near, any::<[u8; 32]>()], 1..24)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_tree_says_what_was_set_last(labels in labels(), asked: [u8; 32]) {
        let leaves = labels.iter().zip(1..).map(|(label, version)| leaf(*label, version)).collect::<Vec<_>>();
        let (nodes, root) = tree_of(&leaves);
        let model = leaves.iter().map(|leaf| (leaf.label, *leaf)).collect::<BTreeMap<_, _>>();
        prop_assert_eq!(prefix_root(reader(&nodes)), Ok(root));
        for (label, leaf) in &model {
            prop_assert_eq!(says(&nodes, &root, label), Some(*leaf));
        }
        prop_assert_eq!(says(&nodes, &root, &asked), model.get(&asked).copied());
        // The root depends on what is in the tree, not on the order in which it came.
        let (_, sorted) = tree_of(&model.values().copied().collect::<Vec<_>>());
        prop_assert_eq!(sorted, root);
    }

    #[test]
    fn any_changed_byte_is_refused(
        labels in labels(),
        at: prop::sample::Index,
        hash: prop::sample::Index,
        byte in 0..32_usize,
    ) {
        let leaves = labels.iter().map(|label| leaf(*label, 1)).collect::<Vec<_>>();
        let (nodes, root) = tree_of(&leaves);
        let asked = labels[at.index(labels.len())];
        let honest = prove(&asked, reader(&nodes)).unwrap();
        let mut other_root = root;
        other_root[byte] ^= 1;
        prop_assert_eq!(honest.verify(&asked, &other_root), Err(PrefixProofError::Root));
        let mut other_value = leaf(asked, 1);
        other_value.commitment[byte] ^= 1;
        for value in [other_value, leaf(asked, 2)] {
            let proof = PrefixProof { end: PrefixEnd::Leaf(value), ..honest.clone() };
            prop_assert_eq!(proof.verify(&asked, &root), Err(PrefixProofError::Root));
        }
        if !honest.path.is_empty() {
            let mut proof = honest.clone();
            let changed = hash.index(honest.path.len());
            proof.path[changed][byte] ^= 1;
            prop_assert_eq!(proof.verify(&asked, &root), Err(PrefixProofError::Root));
        }
    }
}
