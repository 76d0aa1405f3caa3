use proptest::prelude::*;
use qpq_proto::limits::DEVICE_LIST_BYTES_MAX;

use super::*;
use crate::certificate::CERTIFICATE_BYTES_MAX;
use crate::ids::NodeKey;

fn identity() -> IdentityKey {
    IdentityKey::from_seed(&[1; 32])
}

fn certificate_by(identity: &IdentityKey, device: u8) -> DeviceCertificate {
    let node = NodeKey::from_bytes([device; 32]);
    DeviceCertificate::issue(identity, DeviceKey::from_bytes([device; 32]), node, &[1], 0).unwrap()
}

fn certificates(devices: &[u8]) -> Vec<DeviceCertificate> {
    devices.iter().map(|device| certificate_by(&identity(), *device)).collect()
}

fn devices(devices: &[u8]) -> Vec<DeviceKey> {
    devices.iter().map(|device| DeviceKey::from_bytes([*device; 32])).collect()
}

fn first(listed: &[u8]) -> DeviceList {
    DeviceList::sign(&identity(), 1, [0; 32], certificates(listed), vec![]).unwrap()
}

fn next(list: &DeviceList, listed: &[u8], revoked: &[u8]) -> DeviceList {
    list.next(&identity(), certificates(listed), devices(revoked)).unwrap()
}

/// Signs a list that `sign` would not make.
fn forge(change: impl FnOnce(&mut DeviceList)) -> Vec<u8> {
    let mut list = next(&first(&[1, 2]), &[2, 3], &[1]);
    change(&mut list);
    list.signature = identity().sign(Domain::DeviceList, &[&list.signed_part()]);
    list.encode()
}

#[test]
fn a_chain_of_lists() {
    let one = first(&[2, 1]);
    let two = next(&one, &[2, 3], &[1]);
    let three = next(&two, &[3], &[2, 1]);
    for list in [&one, &two, &three] {
        assert_eq!(DeviceList::decode_and_verify(&list.encode()).as_ref(), Ok(list));
    }
    let table = [
        (&one, &one, Succession::Same),
        (&two, &one, Succession::Newer),
        (&three, &one, Succession::Newer),
        (&one, &two, Succession::Older),
        (&one, &three, Succession::Older),
    ];
    for (list, known, expected) in table {
        assert_eq!(list.succeeds(known), Ok(expected), "{} after {}", list.sequence, known.sequence);
    }
}

#[test]
fn forks_raise_an_alarm() {
    let one = first(&[1]);
    let rival_one = first(&[2]);
    let two = next(&one, &[1, 2], &[]);
    let rival_two = next(&rival_one, &[1, 2], &[]);
    for (list, known) in [(&one, &rival_one), (&two, &rival_two), (&two, &rival_one), (&one, &rival_two)] {
        assert_eq!(list.succeeds(known), Ok(Succession::Fork));
        assert_eq!(known.succeeds(list), Ok(Succession::Fork));
    }
}

#[test]
fn lists_of_different_people_do_not_compare() {
    let other = IdentityKey::from_seed(&[9; 32]);
    let list = DeviceList::sign(&other, 1, [0; 32], vec![certificate_by(&other, 1)], vec![]).unwrap();
    assert_eq!(first(&[1]).succeeds(&list), Err(DeviceListError::OtherIdentity));
    assert_eq!(first(&[1]).next(&other, vec![], vec![]), Err(DeviceListError::OtherIdentity));
}

#[test]
fn devices_are_found() {
    let list = next(&first(&[1, 2]), &[2, 3], &[1]);
    let [one, two, four] = [1, 2, 4].map(|device| DeviceKey::from_bytes([device; 32]));
    assert_eq!(list.contains(&two), Some(&certificate_by(&identity(), 2)));
    assert_eq!((list.contains(&one), list.revokes(&one)), (None, true));
    assert_eq!((list.contains(&four), list.revokes(&four)), (None, false));
    assert!(!list.revokes(&two));
}

#[test]
fn signing_refuses_what_reading_would() {
    let sign = |sequence, previous, listed: &[u8], revoked: &[u8]| {
        DeviceList::sign(&identity(), sequence, previous, certificates(listed), devices(revoked))
    };
    assert_eq!(sign(0, [0; 32], &[1], &[]), Err(DeviceListError::Sequence));
    assert_eq!(sign(1, [1; 32], &[1], &[]), Err(DeviceListError::Sequence));
    assert_eq!(sign(2, [0; 32], &[1], &[]), Err(DeviceListError::Sequence));
    assert_eq!(sign(1, [0; 32], &[], &[]), Err(DeviceListError::DeviceCount(0)));
    assert_eq!(sign(1, [0; 32], &[1, 2, 3, 4, 5, 6], &[]), Err(DeviceListError::DeviceCount(6)));
    assert_eq!(sign(1, [0; 32], &[1, 1], &[]), Err(DeviceListError::Order));
    assert_eq!(sign(1, [0; 32], &[1, 2], &[2]), Err(DeviceListError::RevokedDevice));
    let many = (100..165).collect::<Vec<_>>();
    assert_eq!(sign(1, [0; 32], &[1], &many), Err(DeviceListError::RevokedCount(65)));
    let foreign = vec![certificate_by(&IdentityKey::from_seed(&[9; 32]), 1)];
    assert_eq!(
        DeviceList::sign(&identity(), 1, [0; 32], foreign, vec![]),
        Err(DeviceListError::ForeignCertificate)
    );
}

#[test]
fn each_violation_has_its_error() {
    let valid = forge(|_| {});
    let foreign = certificate_by(&IdentityKey::from_seed(&[9; 32]), 2);
    let cases = [
        (vec![], DeviceListError::Truncated),
        (valid[..valid.len() - 1].to_vec(), DeviceListError::Truncated),
        ([valid.as_slice(), &[0]].concat(), DeviceListError::TrailingBytes),
        ([&[7], &valid[1..]].concat(), DeviceListError::UnknownVersion(7)),
        (forge(|list| list.sequence = 0), DeviceListError::Sequence),
        (forge(|list| list.sequence = 1), DeviceListError::Sequence),
        (forge(|list| list.previous = [0; 32]), DeviceListError::Sequence),
        (forge(|list| list.certificates.clear()), DeviceListError::DeviceCount(0)),
        (
            forge(|list| list.certificates = certificates(&[2, 3, 4, 5, 6, 7])),
            DeviceListError::DeviceCount(6),
        ),
        (forge(|list| list.certificates.reverse()), DeviceListError::Order),
        (forge(|list| list.revoked = devices(&[1, 1])), DeviceListError::Order),
        (forge(|list| list.revoked = devices(&[3])), DeviceListError::RevokedDevice),
        (forge(|list| list.revoked = devices(&[9; 65])), DeviceListError::RevokedCount(65)),
        (forge(|list| list.certificates[0] = foreign), DeviceListError::ForeignCertificate),
        (
            forge(|list| list.certificates[0].issued_at_ms += 1),
            DeviceListError::Certificate(CertificateError::Signature),
        ),
    ];
    for (position, (bytes, expected)) in cases.into_iter().enumerate() {
        assert_eq!(DeviceList::decode_and_verify(&bytes), Err(expected), "case {position}");
    }
}

#[test]
fn any_flipped_byte_is_refused() {
    let valid = forge(|_| {});
    for position in 0..valid.len() {
        let mut flipped = valid.clone();
        flipped[position] ^= 1 << (position % 8);
        assert!(DeviceList::decode_and_verify(&flipped).is_err(), "byte {position}");
    }
}

#[test]
fn the_longest_fits_its_bound() {
    let suites = [1, 2, 3, 4, 5, 6, 7, 8];
    let certificates = (1..=5)
        .map(|device| {
            let key = DeviceKey::from_bytes([device; 32]);
            DeviceCertificate::issue(&identity(), key, NodeKey::from_bytes([0; 32]), &suites, 0).unwrap()
        })
        .collect();
    let revoked = devices(&(100..164).collect::<Vec<_>>());
    let list = DeviceList::sign(&identity(), 1, [0; 32], certificates, revoked).unwrap();
    let certificates = DEVICES_PER_IDENTITY_MAX * CERTIFICATE_BYTES_MAX;
    let revoked = REVOKED_DEVICES_MAX * 32;
    assert_eq!(list.encode().len(), 1 + 32 + 8 + 32 + 1 + certificates + 1 + revoked + SIGNATURE_BYTES);
    assert!(list.encode().len() <= DEVICE_LIST_BYTES_MAX);
}

proptest! {
    #[test]
    fn garbage_is_refused(mut bytes in proptest::collection::vec(any::<u8>(), 1..600)) {
        bytes[0] = VERSION;
        prop_assert!(DeviceList::decode_and_verify(&bytes).is_err());
    }
}
