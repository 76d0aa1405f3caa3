use std::collections::BTreeMap;

use openmls::group::{MlsGroupJoinConfig, PastEpochDeletionPolicy};
use openmls::prelude::{KeyPackageBundle, OpenMlsProvider};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::*;
use crate::mls::group::join_config;
use crate::mls::key_package::capabilities;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Shape {
    Nothing,
    Number(i64),
    Pair(u8, String),
    Record { bytes: Vec<u8>, inner: Option<Box<Shape>> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Shape(Shape),
    Bytes(Vec<u8>),
    Text(String),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Everything {
    flags: (bool, bool),
    small: u8,
    large: u64,
    negative: i64,
    text: String,
    letter: char,
    bytes: Vec<u8>,
    array: [u8; 4],
    wide: Vec<u16>,
    mixed: Vec<(u8, String)>,
    nothing: (),
    nested: Option<Option<u32>>,
    shapes: Vec<Shape>,
    untagged: Vec<Untagged>,
    map: BTreeMap<String, Vec<u8>>,
}

fn shape() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        Just(Shape::Nothing),
        any::<i64>().prop_map(Shape::Number),
        (any::<u8>(), ".{0,8}").prop_map(|(number, text)| Shape::Pair(number, text)),
    ];
    leaf.prop_recursive(3, 8, 1, |inner| {
        (any::<Vec<u8>>(), proptest::option::of(inner.prop_map(Box::new)))
            .prop_map(|(bytes, inner)| Shape::Record { bytes, inner })
    })
}

fn untagged() -> impl Strategy<Value = Untagged> {
    // A record of no bytes reads like an empty sequence; both come back as what they are.
    prop_oneof![
        shape().prop_filter("not text", |shape| *shape != Shape::Nothing).prop_map(Untagged::Shape),
        any::<Vec<u8>>().prop_map(Untagged::Bytes),
        "[ -~]{0,8}".prop_filter("a variant", |text| text != "Nothing").prop_map(Untagged::Text),
    ]
}

prop_compose! {
    fn everything()(
        flags: (bool, bool),
        small: u8,
        large: u64,
        negative: i64,
        (text, letter) in (".{0,20}", any::<char>()),
        (bytes, array, wide) in any::<(Vec<u8>, [u8; 4], Vec<u16>)>(),
        mixed in proptest::collection::vec((any::<u8>(), ".{0,4}"), 0..4),
        nested: Option<Option<u32>>,
        shapes in proptest::collection::vec(shape(), 0..6),
        untagged in proptest::collection::vec(untagged(), 0..6),
        map in proptest::collection::btree_map(".{0,4}", any::<Vec<u8>>(), 0..4),
    ) -> Everything {
        Everything {
            flags, small, large, negative, text, letter, bytes, array, wide, mixed, nothing: (), nested, shapes,
            untagged, map,
        }
    }
}

fn round_trip<T: Serialize + DeserializeOwned + PartialEq + fmt::Debug>(value: &T) -> Vec<u8> {
    let bytes = encode(value).unwrap().to_vec();
    assert_eq!(&decode::<T>(&bytes).unwrap(), value);
    bytes
}

proptest! {
    #[test]
    fn what_is_written_is_read(value in everything()) {
        round_trip(&value);
    }

    #[test]
    fn a_shortened_record_is_refused(value in everything(), cut in any::<prop::sample::Index>()) {
        let bytes = encode(&value).unwrap();
        prop_assert!(decode::<Everything>(&bytes[..cut.index(bytes.len())]).is_err());
    }

    #[test]
    fn garbage_never_panics(bytes: Vec<u8>) {
        let _ = decode::<Everything>(&bytes);
        let _ = decode::<Vec<Untagged>>(&bytes);
    }
}

#[test]
fn bytes_take_one_byte_each() {
    assert_eq!(encode(&vec![0xff_u8; 1_216]).unwrap().len(), 1_216 + 3);
    assert_eq!(*encode(&7_u8).unwrap(), [0x87]);
    assert_eq!(encode(&[None::<u8>; 100].as_slice()).unwrap().len(), 100 + 2);
}

#[test]
fn names_are_written_once() {
    let shapes: Vec<_> = (0..40).map(|_| Shape::Record { bytes: vec![1], inner: None }).collect();
    let bytes = encode(&shapes).unwrap();
    assert_eq!(bytes.windows(5).filter(|window| window == b"inner").count(), 1);
    assert!(bytes.len() < 40 * 11 + 40, "{} bytes", bytes.len());
}

#[test]
fn more_names_than_one_byte_counts() {
    let names: Vec<&'static str> = (0..300).map(|number| &*format!("name {number}").leak()).collect();
    let mut encoder = Encoder::default();
    encoder.begin_sequence();
    for name in names.iter().chain(&names) {
        encoder.begin_record();
        encoder.field(name, &1_u8).unwrap();
        encoder.end();
    }
    encoder.end();
    let records: Vec<BTreeMap<String, u8>> = decode(encoder.written()).unwrap();
    let read: Vec<_> = records.iter().flat_map(BTreeMap::keys).collect();
    assert!(read.iter().zip(names.iter().chain(&names)).all(|(read, name)| read == name));
}

#[test]
fn embedded_values_have_names_of_their_own() {
    let shape = Shape::Record { bytes: vec![1, 2], inner: None };
    let mut two = Encoder::default();
    two.value(&shape).unwrap();
    two.value(&shape).unwrap();
    let mut assembler = Assembler::default();
    assembler.begin_sequence();
    assembler.embedded(two.written());
    assembler.embedded(&[]);
    assembler.embedded(&encode(&shape).unwrap());
    assembler.end();
    assert_eq!(decode::<Vec<Shape>>(&assembler.finish()).unwrap(), [shape.clone(), shape.clone(), shape]);
}

#[test]
fn bytes_after_a_value_are_refused() {
    assert_eq!(decode::<u8>(&[0x81, 0x82]), Err(CodecError::TrailingBytes));
    assert_eq!(decode::<(u8,)>(&encode(&(1_u8, 2_u16)).unwrap()), Err(CodecError::TrailingBytes));
}

#[test]
fn fields_that_are_new_or_gone_do_no_harm() {
    #[derive(Serialize)]
    struct Newer {
        added: Vec<Shape>,
        bytes: Vec<u8>,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct Older {
        bytes: Vec<u8>,
        #[serde(default)]
        gone: u8,
    }
    let newer = Newer { added: vec![Shape::Nothing, Shape::Pair(1, "x".into())], bytes: vec![1, 2] };
    let older: Older = decode(&encode(&newer).unwrap()).unwrap();
    assert_eq!(older, Older { bytes: vec![1, 2], gone: 0 });
}

#[test]
fn floating_point_numbers_are_refused() {
    assert_eq!(encode(&1.0_f64).map(|_| ()), Err(CodecError::Unsupported("floating-point numbers")));
}

#[test]
fn capabilities_round_trip() {
    round_trip(&(capabilities(), capabilities()));
}

/// Its deletion policy is an untagged enum: what a format that does not describe itself cannot read.
#[test]
fn configurations_round_trip() {
    round_trip::<MlsGroupJoinConfig>(&join_config());
    for policy in [PastEpochDeletionPolicy::KeepAll, PastEpochDeletionPolicy::MaxEpochs(7)] {
        round_trip(&MlsGroupJoinConfig::builder().set_past_epoch_deletion_policy(policy).build());
    }
}

#[test]
fn key_packages_round_trip() {
    use crate::mls::provider::{DeviceSigner, Provider, StorageCache};
    use crate::mls::testing::{Device, MapStorage};

    let device = Device::new(1);
    let (mut storage, mut rng, mut cache) = (MapStorage::default(), device.rng(), StorageCache::default());
    let provider = Provider::new(&mut storage, &mut rng, &mut cache);
    let bundle: KeyPackageBundle = openmls::prelude::KeyPackage::builder()
        .leaf_node_capabilities(capabilities())
        .mark_as_last_resort()
        .build(
            crate::mls::Suite::Hybrid.ciphersuite(),
            &provider,
            &DeviceSigner(&device.secret),
            crate::mls::credential::own(&device.secret, &device.certificate, crate::mls::Suite::Hybrid)
                .unwrap(),
        )
        .unwrap();
    let _ = provider.storage();
    let bytes = encode(&bundle).unwrap();
    let again: KeyPackageBundle = decode(&bytes).unwrap();
    assert_eq!(*encode(&again).unwrap(), *bytes);
    assert_eq!(again.key_package(), bundle.key_package());
}
