//! Published vectors of ML-KEM-768, through the crate that X-Wing is built on.
#![allow(
    deprecated,
    reason = "NIST's vectors hold decapsulation keys in the expanded form, which nothing else here uses"
)]

use std::collections::BTreeMap;

use ml_kem::kem::{Decapsulate, KeyExport, TryKeyInit};
use ml_kem::{B32, DecapsulationKey768, EncapsulationKey768, ExpandedKeyEncoding, Seed};
use serde::Deserialize;
use sha3::{Digest, Sha3_256};

use crate::support::{Hex, Verdict, load, load_wycheproof, read};

fn from_seed(d: &[u8], z: &[u8]) -> DecapsulationKey768 {
    DecapsulationKey768::from_seed(Seed::try_from(&[d, z].concat()[..]).expect("a seed has 64 bytes"))
}

/// As FIPS 203 says: the length and hash of the key are checked (section 7.3).
fn from_expanded(dk: &[u8]) -> Option<DecapsulationKey768> {
    DecapsulationKey768::from_expanded_bytes(dk.try_into().ok()?).ok()
}

fn encapsulate(ek: &[u8], m: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let ek = EncapsulationKey768::new_from_slice(ek).expect("the key is valid");
    let (c, k) = ek.encapsulate_deterministic(&B32::try_from(m).expect("the message has 32 bytes"));
    (c.to_vec(), k.to_vec())
}

fn decapsulate(key: &DecapsulationKey768, c: &[u8]) -> Option<Vec<u8>> {
    key.decapsulate_slice(c).ok().map(|k| k.to_vec())
}

/// One file of NIST's ACVP: prompts and expected results have the same form.
#[derive(Deserialize)]
struct Acvp {
    #[serde(rename = "testGroups")]
    groups: Vec<AcvpGroup>,
}

#[derive(Deserialize)]
struct AcvpGroup {
    #[serde(rename = "parameterSet", default)]
    parameter_set: String,
    #[serde(default)]
    function: String,
    tests: Vec<AcvpTest>,
}

#[derive(Deserialize)]
struct AcvpTest {
    #[serde(rename = "tcId")]
    id: u32,
    #[serde(rename = "testPassed")]
    passed: Option<bool>,
    #[serde(flatten)]
    values: BTreeMap<String, serde_json::Value>,
}

impl AcvpTest {
    fn value(&self, name: &str) -> Hex {
        let value = self.values.get(name).expect("the test has this value");
        serde_json::from_value(value.clone()).expect("the value is hexadecimal")
    }
}

/// Prompts and expected results of one function for ML-KEM-768.
fn load_acvp(folder: &str, function: &str, count: usize) -> Vec<(AcvpTest, AcvpTest)> {
    let prompts = load::<Acvp>(&format!("mlkem-acvp/{folder}/prompt.json"));
    let results = load::<Acvp>(&format!("mlkem-acvp/{folder}/expectedResults.json"));
    let (Some(prompts), Some(results)) = (prompts, results) else { return Vec::new() };
    let groups = prompts.groups.into_iter().zip(results.groups);
    let groups = groups
        .filter(|(prompt, _)| prompt.parameter_set == "ML-KEM-768" && prompt.function == function)
        .flat_map(|(prompt, result)| prompt.tests.into_iter().zip(result.tests));
    let tests = groups.collect::<Vec<_>>();
    assert_eq!(tests.len(), count);
    assert!(tests.iter().all(|(prompt, result)| prompt.id == result.id));
    tests
}

#[test]
fn acvp_key_generation() {
    for (prompt, result) in load_acvp("keygen", "", 25) {
        let key = from_seed(&prompt.value("d"), &prompt.value("z"));
        assert_eq!(key.encapsulation_key().to_bytes()[..], result.value("ek")[..], "test {}", prompt.id);
        assert_eq!(key.to_expanded_bytes()[..], result.value("dk")[..], "test {}", prompt.id);
    }
}

#[test]
fn acvp_encapsulation() {
    for (prompt, result) in load_acvp("encap-decap", "encapsulation", 25) {
        let (c, k) = encapsulate(&prompt.value("ek"), &prompt.value("m"));
        assert_eq!(c, result.value("c")[..], "test {}", prompt.id);
        assert_eq!(k, result.value("k")[..], "test {}", prompt.id);
    }
}

#[test]
fn acvp_decapsulation() {
    for (prompt, result) in load_acvp("encap-decap", "decapsulation", 10) {
        let key = from_expanded(&prompt.value("dk")).expect("the key is valid");
        let k = decapsulate(&key, &prompt.value("c"));
        assert_eq!(k.as_deref(), Some(&result.value("k")[..]), "test {}", prompt.id);
    }
}

#[test]
fn acvp_key_checks() {
    for (prompt, result) in load_acvp("encap-decap", "encapsulationKeyCheck", 10) {
        let key = EncapsulationKey768::new_from_slice(&prompt.value("ek"));
        assert_eq!(Some(key.is_ok()), result.passed, "test {}", prompt.id);
    }
    for (prompt, result) in load_acvp("encap-decap", "decapsulationKeyCheck", 10) {
        let key = from_expanded(&prompt.value("dk"));
        assert_eq!(Some(key.is_some()), result.passed, "test {}", prompt.id);
    }
}

#[derive(Deserialize)]
struct NistKat {
    key_generation_seed: Hex,
    sha3_256_hash_of_public_key: Hex,
    sha3_256_hash_of_secret_key: Hex,
    encapsulation_seed: Hex,
    sha3_256_hash_of_ciphertext: Hex,
    shared_secret: Hex,
}

#[test]
fn nist_known_answers() {
    let Some(tests) = load::<Vec<NistKat>>("mlkem-nistkat/mlkem768_nistkats.json") else { return };
    assert_eq!(tests.len(), 100);
    for (number, test) in tests.iter().enumerate() {
        let key = from_seed(&test.key_generation_seed, &[]);
        let ek = key.encapsulation_key().to_bytes();
        assert_eq!(Sha3_256::digest(ek)[..], test.sha3_256_hash_of_public_key[..], "test {number}");
        let dk = key.to_expanded_bytes();
        assert_eq!(Sha3_256::digest(dk)[..], test.sha3_256_hash_of_secret_key[..], "test {number}");
        let (c, k) = encapsulate(&ek, &test.encapsulation_seed);
        assert_eq!(Sha3_256::digest(&c)[..], test.sha3_256_hash_of_ciphertext[..], "test {number}");
        assert_eq!(k, test.shared_secret[..], "test {number}");
        assert_eq!(decapsulate(&key, &c), Some(k), "test {number}");
    }
}

/// The last value of each name in a file of lines `name = digits`.
fn load_cctv(name: &str) -> Option<BTreeMap<String, Vec<u8>>> {
    let text = read(&format!("cctv/ML-KEM-{name}-ML-KEM-768.txt"))?;
    let values = text.lines().filter_map(|line| {
        let (name, digits) = line.split_once(" = ")?;
        Some((name.to_owned(), data_encoding::HEXLOWER.decode(digits.as_bytes()).ok()?))
    });
    Some(values.collect())
}

/// Encapsulation with every value written down, and with a matrix whose sampling rejects unusually often.
///
/// Their seeds grow other keys than FIPS 203 says: they are older than the parameter set's rank in the hash of
/// the seed (algorithm 13, step 1). Keys are therefore read in the expanded form.
#[test]
fn cctv_intermediate_values_and_unlucky_samples() {
    for name in ["intermediate", "unluckysample"] {
        let Some(values) = load_cctv(name) else { return };
        let key = from_expanded(&values["dk"]).expect("the key is valid");
        assert_eq!(key.encapsulation_key().to_bytes()[..], values["ek"], "{name}");
        assert_eq!(key.to_expanded_bytes()[..], values["dk"], "{name}");
        let (c, k) = encapsulate(&values["ek"], &values["m"]);
        assert_eq!((&c, &k), (&values["c"], &values["K"]), "{name}");
        assert_eq!(decapsulate(&key, &c), Some(k), "{name}");
    }
}

/// Ciphertexts that are compared as if they were text of C end at a zero byte.
#[test]
fn cctv_strcmp() {
    let Some(values) = load_cctv("strcmp") else { return };
    let key = from_expanded(&values["dk"]).expect("the key is valid");
    assert_eq!(decapsulate(&key, &values["c"]).as_ref(), Some(&values["K"]));
}

#[derive(Clone, Deserialize)]
struct NoGroup {}

#[derive(Deserialize)]
struct KeyGenTest {
    #[serde(rename = "tcId")]
    id: u32,
    seed: Hex,
    ek: Hex,
    dk: Hex,
}

#[test]
fn wycheproof_key_generation() {
    for (_, test) in load_wycheproof::<NoGroup, KeyGenTest>("mlkem_768_keygen_seed", 100) {
        let key = from_seed(&test.seed, &[]);
        assert_eq!(key.encapsulation_key().to_bytes()[..], test.ek[..], "test {}", test.id);
        assert_eq!(key.to_expanded_bytes()[..], test.dk[..], "test {}", test.id);
    }
}

#[derive(Deserialize)]
struct DecapsulationTest {
    #[serde(rename = "tcId")]
    id: u32,
    #[serde(default)]
    seed: Hex,
    #[serde(default)]
    dk: Hex,
    #[serde(default)]
    ek: Hex,
    c: Hex,
    #[serde(rename = "K", default)]
    k: Hex,
    result: Verdict,
}

/// Wrong lengths are refused; changed ciphertexts give the secret of implicit rejection.
#[test]
fn wycheproof_decapsulation() {
    for (_, test) in load_wycheproof::<NoGroup, DecapsulationTest>("mlkem_768", 193) {
        let key = Seed::try_from(&test.seed[..]).ok().map(DecapsulationKey768::from_seed);
        if let Some(key) = &key {
            assert_eq!(key.encapsulation_key().to_bytes()[..], test.ek[..], "test {}", test.id);
        }
        let k = key.and_then(|key| decapsulate(&key, &test.c));
        let expected = (test.result == Verdict::Valid).then_some(&test.k[..]);
        assert_eq!(k.as_deref(), expected, "test {}", test.id);
    }
}

#[test]
fn wycheproof_expanded_keys() {
    for (_, test) in load_wycheproof::<NoGroup, DecapsulationTest>("mlkem_768_semi_expanded_decaps", 9) {
        let k = from_expanded(&test.dk).and_then(|key| decapsulate(&key, &test.c));
        let expected = (test.result == Verdict::Valid).then_some(&test.k[..]);
        assert_eq!(k.as_deref(), expected, "test {}", test.id);
    }
}
