mod recorded;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use opaque_ke::{CredentialRequest, ServerLogin, ServerLoginParameters};
use proptest::prelude::*;
use rand_core::{CryptoRng, Rng};

use self::recorded::Recorded;
use super::client::identifiers;
use super::suite::Suite;
use super::*;
use crate::ids::Identity;

const CHEAP: PassphraseCost = PassphraseCost { memory_kib: 8, passes: 1, lanes: 1 };
const NAME: &str = "alice";
const PASSWORD: &[u8] = b"correct horse";

fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

fn setup() -> OpaqueSetup {
    OpaqueSetup::generate(&mut rng(1))
}

fn identity() -> Identity {
    Identity::from_bytes([7; 32])
}

fn register(rng: &mut dyn CryptoRng, password: &[u8]) -> Registered {
    let (client, request) = ClientRegistration::start(rng, password).unwrap();
    let response = setup().answer_registration(NAME, &request).unwrap();
    client.finish(rng, &identity(), &response, CHEAP).unwrap()
}

/// What can be other than it was when the account was registered.
struct Attempt<'a> {
    password: &'a [u8],
    name: &'a str,
    of: Identity,
    by: Identity,
    cost: PassphraseCost,
}

const HONEST: Attempt<'_> = Attempt {
    password: PASSWORD,
    name: NAME,
    of: Identity::from_bytes([7; 32]),
    by: Identity::from_bytes([7; 32]),
    cost: CHEAP,
};

/// A whole login: what the client gets, and the key that the relay gets.
fn attempt(attempt: &Attempt<'_>, record: Option<&[u8]>) -> Result<(LoggedIn, SessionKey), OpaqueError> {
    let mut rng = rng(3);
    let (client, request) = ClientLogin::start(&mut rng, attempt.password)?;
    let account = record.map(|record| Account { identity: &attempt.of, record });
    let (pending, response) = setup().answer_login(&mut rng, attempt.name, account, &request)?;
    let client = client.finish(&mut rng, &attempt.by, &response, attempt.cost)?;
    let session_key = pending.finish(&client.finalization)?;
    Ok((client, session_key))
}

#[test]
fn both_sides_get_the_same_key_and_the_client_its_own_again() {
    let registered = register(&mut rng(2), PASSWORD);
    let (client, relay) = attempt(&HONEST, Some(&registered.record)).unwrap();
    assert_eq!(client.session_key.as_bytes(), relay.as_bytes());
    assert_eq!(client.export_key.as_bytes(), registered.export_key.as_bytes());
    assert_ne!(client.export_key.as_bytes(), client.session_key.as_bytes());
}

#[test]
fn whatever_differs_from_the_registration_is_refused() {
    let record = register(&mut rng(2), PASSWORD).record;
    let stranger = Identity::from_bytes([8; 32]);
    let attempts = [
        Attempt { password: b"correct hors", ..HONEST },
        Attempt { name: "alicf", ..HONEST },
        Attempt { of: stranger, ..HONEST },
        Attempt { by: stranger, ..HONEST },
        Attempt { of: stranger, by: stranger, ..HONEST },
        Attempt { cost: PassphraseCost { passes: 2, ..CHEAP }, ..HONEST },
    ];
    for (index, dishonest) in attempts.iter().enumerate() {
        let refused = attempt(dishonest, Some(&record)).map(|_| ());
        assert_eq!(refused, Err(OpaqueError::Refused), "attempt {index}");
    }
    assert_eq!(attempt(&HONEST, None).map(|_| ()), Err(OpaqueError::Refused));
}

#[test]
fn another_relay_is_refused() {
    let mut rng = rng(2);
    let record = register(&mut rng, PASSWORD).record;
    let (client, request) = ClientLogin::start(&mut rng, PASSWORD).unwrap();
    let account = Some(Account { identity: &identity(), record: &record });
    let other = OpaqueSetup::generate(&mut rng);
    let (_, response) = other.answer_login(&mut rng, NAME, account, &request).unwrap();
    let refused = client.finish(&mut rng, &identity(), &response, CHEAP).map(|_| ());
    assert_eq!(refused, Err(OpaqueError::Refused));
}

#[test]
fn an_account_that_is_not_there_looks_like_one_that_is() {
    let (_, request) = ClientLogin::start(&mut rng(4), PASSWORD).unwrap();
    let (pending, ours) = setup().answer_login(&mut rng(5), NAME, None, &request).unwrap();
    // What the implementation itself fakes, of the same randomness. Given our record it draws another masking
    // key, to drop it.
    let mut drawn = [0; 64 + 64 + 96];
    rng(5).fill_bytes(&mut drawn);
    let theirs = ServerLogin::start(
        &mut Recorded([&drawn[..64], &drawn[128..]].concat()),
        &opaque_ke::ServerSetup::<Suite>::deserialize(setup().as_bytes()).unwrap(),
        None,
        CredentialRequest::deserialize(&request).unwrap(),
        NAME.as_bytes(),
        ServerLoginParameters { context: Some(CONTEXT), identifiers: identifiers(&[0; 32]) },
    );
    assert_eq!(ours, theirs.unwrap().message.serialize().to_vec());
    assert_eq!(pending.finish(&[0; KE3_BYTES]).map(|_| ()), Err(OpaqueError::Refused));
}

#[test]
fn setup_and_pending_login_survive_storage() {
    let mut rng = rng(2);
    let record = register(&mut rng, PASSWORD).record;
    let restored = OpaqueSetup::from_bytes(setup().as_bytes()).unwrap();
    assert_eq!(restored.as_bytes(), setup().as_bytes());
    let (client, request) = ClientLogin::start(&mut rng, PASSWORD).unwrap();
    let account = Some(Account { identity: &identity(), record: &record });
    let (pending, response) = restored.answer_login(&mut rng, NAME, account, &request).unwrap();
    let pending = PendingLogin::from_bytes(pending.to_bytes().as_slice()).unwrap();
    let client = client.finish(&mut rng, &identity(), &response, CHEAP).unwrap();
    let session_key = pending.finish(&client.finalization).unwrap();
    assert_eq!(session_key.as_bytes(), client.session_key.as_bytes());
}

#[test]
fn every_login_has_a_key_of_its_own() {
    let mut rng = rng(2);
    let record = register(&mut rng, PASSWORD).record;
    let mut keys = Vec::new();
    for _ in 0..2 {
        let (client, request) = ClientLogin::start(&mut rng, PASSWORD).unwrap();
        let account = Some(Account { identity: &identity(), record: &record });
        let (pending, response) = setup().answer_login(&mut rng, NAME, account, &request).unwrap();
        let client = client.finish(&mut rng, &identity(), &response, CHEAP).unwrap();
        keys.push(*pending.finish(&client.finalization).unwrap().as_bytes());
    }
    assert_ne!(keys[0], keys[1]);
}

#[test]
fn any_changed_byte_of_a_login_is_refused() {
    let mut rng = rng(2);
    let record = register(&mut rng, PASSWORD).record;
    let account = Some(Account { identity: &identity(), record: &record });
    for position in 0..KE2_BYTES {
        let (client, request) = ClientLogin::start(&mut rng, PASSWORD).unwrap();
        let (_, mut response) = setup().answer_login(&mut rng, NAME, account, &request).unwrap();
        response[position] ^= 1;
        let error = client.finish(&mut rng, &identity(), &response, CHEAP).map(|_| ()).unwrap_err();
        let expected = [OpaqueError::Refused, OpaqueError::Malformed(OpaqueMessage::Ke2)];
        assert!(expected.contains(&error), "byte {position}: {error}");
    }
    for position in 0..KE3_BYTES {
        let (client, request) = ClientLogin::start(&mut rng, PASSWORD).unwrap();
        let (pending, response) = setup().answer_login(&mut rng, NAME, account, &request).unwrap();
        let mut client = client.finish(&mut rng, &identity(), &response, CHEAP).unwrap();
        client.finalization[position] ^= 1;
        assert_eq!(pending.finish(&client.finalization).map(|_| ()), Err(OpaqueError::Refused));
    }
}

/// Every function that reads bytes, by the message that it reads.
fn read(message: OpaqueMessage, bytes: &[u8]) -> Result<(), OpaqueError> {
    let rng = &mut rng(6);
    let identity = identity();
    match message {
        OpaqueMessage::RegistrationRequest => setup().answer_registration(NAME, bytes).map(|_| ()),
        OpaqueMessage::RegistrationResponse => {
            let (client, _) = ClientRegistration::start(rng, PASSWORD)?;
            client.finish(rng, &identity, bytes, CHEAP).map(|_| ())
        }
        OpaqueMessage::RegistrationRecord => check_record(bytes),
        OpaqueMessage::Ke1 => setup().answer_login(rng, NAME, None, bytes).map(|_| ()),
        OpaqueMessage::Ke2 => {
            let (client, _) = ClientLogin::start(rng, PASSWORD)?;
            client.finish(rng, &identity, bytes, CHEAP).map(|_| ())
        }
        OpaqueMessage::Ke3 => {
            let (_, request) = ClientLogin::start(rng, PASSWORD)?;
            setup().answer_login(rng, NAME, None, &request)?.0.finish(bytes).map(|_| ())
        }
        OpaqueMessage::Setup => OpaqueSetup::from_bytes(bytes).map(|_| ()),
        OpaqueMessage::PendingLogin => PendingLogin::from_bytes(bytes).map(|_| ()),
    }
}

const MESSAGES: [(OpaqueMessage, usize); 8] = [
    (OpaqueMessage::RegistrationRequest, REGISTRATION_REQUEST_BYTES),
    (OpaqueMessage::RegistrationResponse, REGISTRATION_RESPONSE_BYTES),
    (OpaqueMessage::RegistrationRecord, REGISTRATION_RECORD_BYTES),
    (OpaqueMessage::Ke1, KE1_BYTES),
    (OpaqueMessage::Ke2, KE2_BYTES),
    (OpaqueMessage::Ke3, KE3_BYTES),
    (OpaqueMessage::Setup, OPAQUE_SETUP_BYTES),
    (OpaqueMessage::PendingLogin, PENDING_LOGIN_BYTES),
];

#[test]
fn lengths_are_exact() {
    for (message, expected) in MESSAGES {
        for actual in [0, 1, expected - 1, expected + 1, 4096] {
            let wrong = Err(OpaqueError::Length { message, expected, actual });
            assert_eq!(read(message, &vec![1; actual]), wrong);
        }
    }
}

#[test]
fn the_identity_element_and_what_is_no_element_are_malformed() {
    use OpaqueMessage::{Ke1, Ke2, RegistrationRecord, RegistrationRequest, RegistrationResponse};
    for (message, bytes) in MESSAGES {
        let has_element_first =
            matches!(message, Ke1 | Ke2 | RegistrationRecord | RegistrationRequest | RegistrationResponse);
        for byte in [0, 0xff].into_iter().filter(|_| has_element_first) {
            assert_eq!(read(message, &vec![byte; bytes]), Err(OpaqueError::Malformed(message)));
        }
    }
    assert_eq!(read(OpaqueMessage::Setup, &[0; 128]), Err(OpaqueError::Malformed(OpaqueMessage::Setup)));
}

#[test]
fn a_reflected_request_is_malformed() {
    let mut rng = rng(2);
    let (client, request) = ClientRegistration::start(&mut rng, PASSWORD).unwrap();
    let mut response = setup().answer_registration(NAME, &request).unwrap();
    response[..32].copy_from_slice(&request);
    let reflected = client.finish(&mut rng, &identity(), &response, CHEAP).map(|_| ());
    assert_eq!(reflected, Err(OpaqueError::Malformed(OpaqueMessage::RegistrationResponse)));
    let (client, request) = ClientLogin::start(&mut rng, PASSWORD).unwrap();
    let (_, mut response) = setup().answer_login(&mut rng, NAME, None, &request).unwrap();
    response[..32].copy_from_slice(&request[..32]);
    let reflected = client.finish(&mut rng, &identity(), &response, CHEAP).map(|_| ());
    assert_eq!(reflected, Err(OpaqueError::Malformed(OpaqueMessage::Ke2)));
}

#[test]
fn names_passwords_and_costs_have_bounds() {
    let start = |password: &[u8]| ClientLogin::start(&mut rng(1), password).map(|_| ());
    assert_eq!(start(b""), Err(OpaqueError::PasswordLength(0)));
    assert_eq!(start(&[1; PASSWORD_BYTES_MAX]), Ok(()));
    assert_eq!(start(&[1; PASSWORD_BYTES_MAX + 1]), Err(OpaqueError::PasswordLength(1025)));
    let (_, request) = ClientRegistration::start(&mut rng(1), PASSWORD).unwrap();
    for length in [0, USERNAME_BYTES_MAX + 1] {
        let refused = setup().answer_registration(&"x".repeat(length), &request);
        assert_eq!(refused, Err(OpaqueError::UsernameLength(length)));
    }
    let greedy = PassphraseCost { memory_kib: u32::MAX, ..CHEAP };
    let refused = attempt(&Attempt { cost: greedy, ..HONEST }, None).map(|_| ());
    assert_eq!(refused, Err(OpaqueError::Cost(PassphraseError::Cost(greedy))));
}

#[test]
fn nothing_secret_is_printed() {
    let registered = register(&mut rng(2), PASSWORD);
    let (client, _) = ClientLogin::start(&mut rng(2), PASSWORD).unwrap();
    let account = Account { identity: &identity(), record: &registered.record };
    let printed = format!("{:?} {:?} {client:?} {account:?}", setup(), registered.export_key);
    assert_eq!(printed, "OpaqueSetup(..) ExportKey(..) ClientLogin(..) Account(of Identity(07070707..))");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn garbage_is_an_error_and_never_panics(index in 0..MESSAGES.len(), filler: Vec<u8>, seed: u8) {
        let (message, length) = MESSAGES[index];
        let mut bytes = filler;
        bytes.resize(length, seed);
        let _ = read(message, &bytes);
        let _ = read(message, &bytes[..length / 2]);
    }
}
