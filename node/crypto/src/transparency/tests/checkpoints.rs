use proptest::prelude::*;

use super::*;
use crate::ids::LogKey;
use crate::transparency::checkpoint::{CHECKPOINT_BYTES_MAX, Checkpoint, CheckpointError, verifier_key};

fn checkpoint() -> Checkpoint {
    Checkpoint { origin: RELAY.to_owned(), size: 5, root: [1; 32] }
}

fn note() -> String {
    checkpoint().sign(&log_secret()).unwrap()
}

fn read(note: &str) -> Result<Checkpoint, CheckpointError> {
    Checkpoint::read_and_verify(note, RELAY, &log_secret().public())
}

#[test]
fn it_is_written_as_a_signed_note() {
    let note = note();
    let (text, signature) = note.rsplit_once("\n\n").unwrap();
    assert_eq!(text, "relay.example\n5\nAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=");
    assert!(signature.starts_with("\u{2014} relay.example "), "{signature}");
    assert!(signature.ends_with('\n'));
    assert_eq!(read(&note), Ok(checkpoint()));
}

#[test]
fn a_note_of_the_go_implementation_is_read() {
    // The example of golang.org/x/mod/sumdb/note, whose text is no checkpoint: key and hash are in its form.
    let key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let bytes = data_encoding::BASE64.decode(&key.as_bytes()["PeterNeumann+c74f20a3+".len()..]).unwrap();
    let public = LogKey::try_from(&bytes[1..]).unwrap();
    assert_eq!(verifier_key("PeterNeumann", &public).unwrap(), key);
}

#[test]
fn others_may_extend_and_sign_it() {
    let text = "relay.example\n5\nAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\nsomething else\n";
    let hash = data_encoding::HEXLOWER
        .decode(verifier_key(RELAY, &log_secret().public()).unwrap().split('+').nth(1).unwrap().as_bytes());
    let signature = [hash.unwrap(), log_secret().sign_text(text).to_vec()].concat();
    let own = format!("\u{2014} {RELAY} {}\n", data_encoding::BASE64.encode(&signature));
    let witness = format!("\u{2014} witness.example {}\n", data_encoding::BASE64.encode(&[7; 76]));
    for signatures in [format!("{own}{witness}"), format!("{witness}{own}")] {
        assert_eq!(read(&format!("{text}\n{signatures}")), Ok(checkpoint()));
    }
    assert_eq!(read(&format!("{text}\n{witness}")), Err(CheckpointError::Unsigned));
}

#[test]
fn what_is_malformed_is_named() {
    use CheckpointError::{Form, Origin, OtherOrigin, Root, Signature, Size, TooLong, Unsigned};
    let replaced = |from: &str, to: &str| read(&note().replacen(from, to, 1));
    assert_eq!(replaced("\n5\n", "\n6\n"), Err(Signature));
    assert_eq!(replaced("AQEB", "AQEC"), Err(Signature));
    assert_eq!(replaced("\n5\n", "\n05\n"), Err(Size));
    assert_eq!(replaced("\n5\n", "\n+5\n"), Err(Size));
    assert_eq!(replaced("\n5\n", "\n\n"), Err(Size));
    assert_eq!(replaced("AQEB", "AQE"), Err(Root));
    assert_eq!(replaced("AQEBAQEB", "AQEB"), Err(Root));
    assert_eq!(replaced("relay.example\n", "relay+example\n"), Err(Origin));
    assert_eq!(replaced("relay.example\n", "other.example\n"), Err(OtherOrigin));
    assert_eq!(replaced("\u{2014} relay", "\u{2014} other"), Err(Unsigned));
    assert_eq!(replaced("\u{2014}", "-"), Err(Form));
    assert_eq!(replaced("\n5\n", "\n5\r\n"), Err(Form));
    assert_eq!(replaced("\n\n", "\n"), Err(Form));
    assert_eq!(read(note().trim_end()), Err(Form));
    assert_eq!(read(""), Err(Form));
    let long = "x".repeat(CHECKPOINT_BYTES_MAX + 1);
    assert_eq!(read(&long), Err(TooLong(long.len())));
    let other = LogSecret::from_seed(&[9; 32]).public();
    assert_eq!(Checkpoint::read_and_verify(&note(), RELAY, &other), Err(Unsigned));
}

#[test]
fn an_origin_that_is_none_is_not_written() {
    for origin in ["", "relay example", "relay\nexample", "a+b"] {
        let unwritten = Checkpoint { origin: origin.to_owned(), ..checkpoint() }.sign(&log_secret());
        assert_eq!(unwritten, Err(CheckpointError::Origin), "{origin:?}");
    }
}

proptest! {
    #[test]
    fn round_trip(size: u64, root: [u8; 32]) {
        let checkpoint = Checkpoint { origin: RELAY.to_owned(), size, root };
        let note = checkpoint.sign(&log_secret()).unwrap();
        prop_assert_eq!(read(&note), Ok(checkpoint));
    }

    #[test]
    fn any_changed_character_is_refused(at: prop::sample::Index, to in "[ -~\n]") {
        let mut characters = note().chars().map(String::from).collect::<Vec<_>>();
        let at = at.index(characters.len());
        prop_assume!(characters[at] != to);
        characters[at] = to;
        prop_assert!(read(&characters.concat()).is_err());
    }

    #[test]
    fn garbage_never_panics(note: String) {
        let _ = read(&note);
    }
}
