//! Only administrators open a report, and nobody changes what it says or whose it is.

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use proptest::prelude::*;
use qpq_proto::limits::METADATA_BYTES_MAX;

use super::*;

const ABOUT: About<'static> = About { channel: &[1; 16], message: &[2; 16] };

fn person(number: u8) -> IdentityKey {
    IdentityKey::from_seed(&[number; 32])
}

fn secret(number: u8) -> HybridSecret {
    HybridSecret::from_seed(&[number; 32])
}

/// A report by person 1, sealed to the administrators of these numbers.
fn seal(report: &[u8], administrators: &[u8]) -> Result<Vec<u8>, SealReportError> {
    let mut rng = ChaCha20Rng::from_seed([3; 32]);
    let administrators: Vec<_> =
        administrators.iter().map(|number| (person(*number).public(), secret(*number).public())).collect();
    seal_report(&mut rng, &person(1), ABOUT, report, &administrators)
}

fn open_as(number: u8, about: About<'_>, sealed: &[u8]) -> Result<Vec<u8>, OpenReportError> {
    let opened = open_report(&person(number).public(), &secret(number), about, sealed)?;
    assert_eq!(opened.reporter, person(1).public());
    Ok(opened.report.to_vec())
}

#[test]
fn each_administrator_opens_it_and_nobody_else() {
    let sealed = seal(b"spam", &[7, 8]).unwrap();
    for administrator in [7, 8] {
        assert_eq!(open_as(administrator, ABOUT, &sealed), Ok(b"spam".to_vec()));
    }
    assert_eq!(open_as(9, ABOUT, &sealed), Err(OpenReportError::NotForThisKey));
    let other_key = open_report(&person(7).public(), &secret(9), ABOUT, &sealed);
    assert_eq!(other_key.unwrap_err(), OpenReportError::NotForThisKey);
}

#[test]
fn it_is_about_one_message_alone() {
    let sealed = seal(b"spam", &[7]).unwrap();
    for about in [About { channel: &[9; 16], ..ABOUT }, About { message: &[9; 16], ..ABOUT }] {
        assert_eq!(open_as(7, about, &sealed), Err(OpenReportError::NotForThisKey), "{about:?}");
    }
}

#[test]
fn the_longest_report_to_as_many_as_can_be_fits_what_a_relay_takes() {
    let everybody: Vec<u8> = (0..u8::try_from(REPORT_KEYS_MAX).unwrap()).collect();
    let sealed = seal(&[b'x'; REPORT_BYTES_MAX], &everybody).unwrap();
    assert!(sealed.len() <= METADATA_BYTES_MAX, "{} bytes", sealed.len());
    assert_eq!(
        seal(&[b'x'; REPORT_BYTES_MAX + 1], &[7]),
        Err(SealReportError::TooLong(REPORT_BYTES_MAX + 1))
    );
    assert_eq!(seal(b"x", &[]), Err(SealReportError::Administrators(0)));
    assert_eq!(seal(b"x", &[7; REPORT_KEYS_MAX + 1]), Err(SealReportError::Administrators(33)));
}

#[test]
fn its_length_says_next_to_nothing() {
    assert_eq!(seal(b"x", &[7]).unwrap().len(), seal(&[b'x'; 800], &[7]).unwrap().len());
}

/// Seals what somebody claims that another reported.
fn forged(signed: &[u8]) -> Vec<u8> {
    let (key, data) = ([5; KEY_BYTES], ABOUT.associated_data());
    let mut rng = ChaCha20Rng::from_seed([4; 32]);
    let sealed_key = seal_to(&mut rng, &secret(7).public(), INFO, &data, &key);
    let mut sealed = [&[1], person(7).public().as_bytes().as_slice(), &sealed_key].concat();
    encrypt(&key, &data, signed, &mut sealed);
    sealed
}

#[test]
fn nobody_reports_in_another_s_name() {
    let sign = |by: u8, message: &[u8]| person(by).sign(Domain::Report, &[&[1; 16], message, b"spam"]);
    let claim = |signature: [u8; 64]| {
        let signed = [person(1).public().as_bytes().as_slice(), &signature, b"spam"].concat();
        open_as(7, ABOUT, &forged(&signed))
    };
    assert_eq!(claim(sign(1, &[2; 16])), Ok(b"spam".to_vec()));
    for signature in [sign(7, &[2; 16]), sign(1, &[9; 16]), [0; 64]] {
        assert_eq!(claim(signature), Err(OpenReportError::Signature));
    }
    assert_eq!(open_as(7, ABOUT, &forged(&[1; 95])), Err(OpenReportError::Malformed));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_changed_report_is_refused_or_says_the_same(place: prop::sample::Index, bit in 0..8u8) {
        let sealed = seal(b"spam", &[7, 8]).unwrap();
        let mut changed = sealed.clone();
        let place = place.index(changed.len());
        changed[place] ^= 1 << bit;
        if let Ok(report) = open_as(7, ABOUT, &changed) {
            // Another administrator's key was changed.
            prop_assert_eq!(report, b"spam");
        }
    }

    #[test]
    fn anything_else_is_refused(bytes: Vec<u8>) {
        prop_assert!(open_as(7, ABOUT, &bytes).is_err());
    }
}
