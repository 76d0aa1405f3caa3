use std::collections::BTreeSet;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use proptest::prelude::*;

use super::*;

fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

fn code(byte: u8) -> RecoveryCode {
    RecoveryCode([byte; CODE_BYTES])
}

fn seal(contents: &[u8]) -> Vec<u8> {
    code(1).seal(&mut rng(1), 7, contents).unwrap()
}

fn open(bundle: &[u8]) -> Result<Vec<u8>, RecoveryBundleError> {
    code(1).open(7, bundle).map(|contents| contents.to_vec())
}

/// What becomes of a code's text after a change.
fn read(change: impl FnOnce(&str) -> String) -> Result<(), RecoveryCodeError> {
    let text = RecoveryCode(*b"0123456789abcdef").to_text();
    RecoveryCode::from_text(&change(&text)).map(|code| assert_eq!(&code.0, b"0123456789abcdef"))
}

#[test]
fn eight_codes_have_nothing_in_common() {
    let codes = generate_codes(&mut rng(1));
    let mut secrets = BTreeSet::new();
    for code in &codes {
        assert!(secrets.insert(code.token().as_bytes().to_vec()));
        assert!(secrets.insert(code.token().hash().to_vec()));
        assert!(secrets.insert(code.0.to_vec()));
    }
    assert_eq!((codes.len(), secrets.len()), (8, 24));
    assert_ne!(codes[0].0, generate_codes(&mut rng(2))[0].0);
}

#[test]
fn a_code_is_two_groups_that_people_can_copy() {
    assert_eq!(*code(0x5a).to_text(), "LJNFUWS2LJNFU5-WS2LJNFUWS2LIV");
    assert_eq!(read(str::to_owned), Ok(()));
    assert_eq!(read(str::to_lowercase), Ok(()));
    assert_eq!(read(|text| text.replace('-', "")), Ok(()));
    assert_eq!(read(|text| format!(" {}\n", text.replace('-', " \u{2013} "))), Ok(()));
}

#[test]
fn mistakes_are_named() {
    use RecoveryCodeError::{Character, Group, Incomplete, TooLong};
    assert_eq!(read(|text| text.replacen(|_| true, "9", 1)), Err(Character { index: 1, character: '9' }));
    assert_eq!(read(|text| text.replace('-', "!")), Err(Character { index: 2, character: '!' }));
    assert_eq!(read(|text| text[..text.len() - 1].to_owned()), Err(Group { index: 2 }));
    assert_eq!(read(|text| text[..14].to_owned()), Err(Incomplete));
    assert_eq!(read(|_| String::new()), Err(Incomplete));
    assert_eq!(read(|text| format!("{}-{}", &text[15..], &text[..14])), Err(Incomplete));
    assert_eq!(read(|text| format!("{text}-{text}")), Err(TooLong));
    assert_eq!(read(|_| "A".repeat(29)), Err(TooLong));
}

#[test]
fn a_bundle_opens_under_its_code_and_version() {
    let bundle = seal(b"secrets");
    assert_eq!(open(&bundle), Ok(b"secrets".to_vec()));
    assert_eq!(code(2).open(7, &bundle).unwrap_err(), RecoveryBundleError::WrongCode);
    assert_eq!(code(1).open(8, &bundle).unwrap_err(), RecoveryBundleError::Damaged);
    assert_ne!(code(1).seal(&mut rng(2), 7, b"secrets").unwrap(), bundle);
}

#[test]
fn what_is_kept_of_a_code_renews_its_bundle() {
    let keys = code(1).keys();
    assert_eq!(keys.token_hash(), &code(1).token().hash());
    let kept = RecoveryKeys::from_bytes(keys.to_bytes().as_slice()).unwrap();
    assert!(kept == keys && kept != code(2).keys());
    assert_eq!(open(&kept.seal(&mut rng(3), 7, b"renewed").unwrap()), Ok(b"renewed".to_vec()));
    for length in [0, 32, 95, 97, 128] {
        assert!(RecoveryKeys::from_bytes(&vec![1; length]).is_none(), "{length} bytes");
    }
    for secret in [code(1).0.as_slice(), code(1).token().as_bytes()] {
        let kept = keys.to_bytes();
        assert!(!kept.windows(secret.len()).any(|part| part == secret), "neither the code nor the token");
    }
}

#[test]
fn lengths_say_little_and_are_bounded() {
    for (contents, bundle) in [(0, 1024), (900, 1024), (1000, 4096), (100_000, 131_072)] {
        assert_eq!(seal(&vec![1; contents]).len(), bundle);
    }
    let most = vec![1; RECOVERY_CONTENTS_BYTES_MAX];
    let bundle = seal(&most);
    assert_eq!(bundle.len(), RECOVERY_BUNDLE_BYTES_MAX);
    assert_eq!(open(&bundle), Ok(most));
    let too_long = RECOVERY_CONTENTS_BYTES_MAX + 1;
    let refused = code(1).seal(&mut rng(1), 7, &vec![1; too_long]);
    assert_eq!(refused, Err(RecoveryBundleError::TooLong(too_long)));
    let longer = vec![1; RECOVERY_BUNDLE_BYTES_MAX + 1];
    assert_eq!(open(&longer), Err(RecoveryBundleError::TooLong(longer.len())));
}

#[test]
fn damage_is_named() {
    use RecoveryBundleError::{Damaged, Truncated, UnknownForm, WrongCode};
    let bundle = seal(b"secrets");
    for length in 0..RECOVERY_OVERHEAD_BYTES {
        assert_eq!(open(&bundle[..length]), Err(Truncated), "{length} bytes");
    }
    assert_eq!(open(&bundle[..bundle.len() - 1]), Err(Damaged));
    for position in 0..bundle.len() {
        let mut changed = bundle.clone();
        changed[position] ^= 4;
        let expected = match position {
            0 => UnknownForm(5),
            1..41 => WrongCode,
            _ => Damaged,
        };
        assert_eq!(open(&changed), Err(expected), "byte {position}");
    }
}

#[test]
fn nothing_secret_is_printed() {
    assert_eq!(format!("{:?} {:?}", code(1), code(1).token()), "RecoveryCode(..) RecoveryToken(..)");
    assert_eq!(format!("{:?}", code(1).keys()), "RecoveryKeys(..)");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn round_trip(secret: [u8; CODE_BYTES], version: u64, contents: Vec<u8>) {
        let code = RecoveryCode::from_text(&RecoveryCode(secret).to_text()).unwrap();
        let bundle = code.seal(&mut rng(1), version, &contents).unwrap();
        let opened = RecoveryCode(secret).open(version, &bundle).unwrap();
        prop_assert_eq!(opened.as_slice(), contents);
    }

    #[test]
    fn any_mistyped_character_is_noticed(secret: [u8; CODE_BYTES], at in 0..28_usize, to in "[A-Z2-7]") {
        let text = RecoveryCode(secret).to_text().replace('-', "");
        prop_assume!(text[at..=at] != to);
        let mistyped = format!("{}{to}{}", &text[..at], &text[at + 1..]);
        let error = RecoveryCode::from_text(&mistyped).unwrap_err();
        prop_assert_eq!(error, RecoveryCodeError::Group { index: at / 14 + 1 });
    }

    #[test]
    fn garbage_never_panics(text: String, bundle: Vec<u8>) {
        let _ = RecoveryCode::from_text(&text);
        let _ = code(1).open(1, &bundle);
    }
}
