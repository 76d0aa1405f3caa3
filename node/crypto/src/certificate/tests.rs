use proptest::prelude::*;

use super::*;
use crate::identity::DeviceSecret;

fn identity() -> IdentityKey {
    IdentityKey::from_seed(&[1; 32])
}

fn issue(suites: &[u16]) -> Result<DeviceCertificate, CertificateError> {
    let device = DeviceSecret::from_seed(&[2; 32]).public();
    DeviceCertificate::issue(&identity(), device, NodeKey::from_bytes([3; 32]), suites, 1_700_000_000_000)
}

/// Signs bytes that `issue` would not make.
fn forge(change: impl FnOnce(&mut DeviceCertificate)) -> Vec<u8> {
    let mut certificate = issue(&[1, 0x4f]).unwrap();
    change(&mut certificate);
    certificate.signature = identity().sign(Domain::DeviceCertificate, &[&certificate.signed_part()]);
    certificate.encode()
}

#[test]
fn what_was_issued_is_read_back() {
    let certificate = issue(&[0x4f, 1, 0x4f]).unwrap();
    assert_eq!(certificate.suites, [1, 0x4f]);
    assert!(certificate.supports(0x4f) && !certificate.supports(2));
    assert_eq!(DeviceCertificate::decode_and_verify(&certificate.encode()), Ok(certificate));
}

#[test]
fn the_longest_fits_its_bound() {
    let certificate = issue(&[1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
    assert_eq!(certificate.encode().len(), CERTIFICATE_BYTES_MAX);
    assert_eq!(issue(&[1, 2, 3, 4, 5, 6, 7, 8, 9]), Err(CertificateError::SuiteCount(9)));
    assert_eq!(issue(&[]), Err(CertificateError::SuiteCount(0)));
}

#[test]
fn each_violation_has_its_error() {
    let valid = issue(&[1, 0x4f]).unwrap().encode();
    let other_version = [&[2], &valid[1..]].concat();
    let longer = [valid.as_slice(), &[0]].concat();
    let cases = [
        (vec![], CertificateError::Truncated),
        (valid[..valid.len() - 1].to_vec(), CertificateError::Truncated),
        (longer, CertificateError::TrailingBytes),
        (other_version, CertificateError::UnknownVersion(2)),
        (forge(|certificate| certificate.suites = vec![]), CertificateError::SuiteCount(0)),
        (forge(|certificate| certificate.suites = (1..=9).collect()), CertificateError::SuiteCount(9)),
        (forge(|certificate| certificate.suites = vec![2, 1]), CertificateError::SuiteOrder),
        (forge(|certificate| certificate.suites = vec![1, 1]), CertificateError::SuiteOrder),
        (
            forge(|certificate| certificate.identity = Identity::from_bytes([9; 32])),
            CertificateError::Signature,
        ),
    ];
    for (bytes, expected) in cases {
        assert_eq!(DeviceCertificate::decode_and_verify(&bytes), Err(expected));
    }
}

#[test]
fn another_identity_cannot_vouch() {
    let mut certificate = issue(&[1]).unwrap();
    let other = IdentityKey::from_seed(&[5; 32]);
    certificate.signature = other.sign(Domain::DeviceCertificate, &[&certificate.signed_part()]);
    assert_eq!(DeviceCertificate::decode_and_verify(&certificate.encode()), Err(CertificateError::Signature));
}

#[test]
fn any_flipped_bit_is_refused() {
    let valid = issue(&[1, 0x4f]).unwrap().encode();
    for bit in 0..valid.len() * 8 {
        let mut flipped = valid.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(DeviceCertificate::decode_and_verify(&flipped).is_err(), "bit {bit}");
    }
}

proptest! {
    #[test]
    fn round_trip(
        seed: [u8; 32],
        device: [u8; 32],
        node: [u8; 32],
        suites in proptest::collection::vec(any::<u16>(), 1..=8),
        issued_at_ms: u64,
    ) {
        let identity = IdentityKey::from_seed(&seed);
        let device = DeviceKey::from_bytes(device);
        let node = NodeKey::from_bytes(node);
        let certificate = DeviceCertificate::issue(&identity, device, node, &suites, issued_at_ms).unwrap();
        let bytes = certificate.encode();
        prop_assert_eq!(DeviceCertificate::decode_and_verify(&bytes), Ok(certificate));
    }

    #[test]
    fn garbage_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(DeviceCertificate::decode_and_verify(&bytes).is_err());
    }
}
