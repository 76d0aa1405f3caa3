use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use curve25519_dalek::constants::EIGHT_TORSION;
use data_encoding::HEXLOWER;
use proptest::prelude::*;

use super::*;

struct Example {
    secret: &'static str,
    public: &'static str,
    input: &'static [u8],
    proof: &'static str,
    output: &'static str,
}

/// RFC 9381, appendix B.4, examples 19 to 21.
const EXAMPLES: [Example; 3] = [
    Example {
        secret: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        public: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        input: &[],
        proof: "7d9c633ffeee27349264cf5c667579fc583b4bda63ab71d001f89c10003ab46f14adf9a3cd8b8412d9038531e865c341\
                cafa73589b023d14311c331a9ad15ff2fb37831e00f0acaa6d73bc9997b06501",
        output: "9d574bf9b8302ec0fc1e21c3ec5368269527b87b462ce36dab2d14ccf80c53cccf6758f058c5b1c856b116388152bbe5\
                 09ee3b9ecfe63d93c3b4346c1fbc6c54",
    },
    Example {
        secret: "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        public: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        input: &[0x72],
        proof: "47b327393ff2dd81336f8a2ef10339112401253b3c714eeda879f12c509072ef055b48372bb82efbdce8e10c8cb9a2f9\
                d60e93908f93df1623ad78a86a028d6bc064dbfc75a6a57379ef855dc6733801",
        output: "38561d6b77b71d30eb97a062168ae12b667ce5c28caccdf76bc88e093e4635987cd96814ce55b4689b3dd2947f80e59a\
                 ac7b7675f8083865b46c89b2ce9cc735",
    },
    Example {
        secret: "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        public: "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        input: &[0xaf, 0x82],
        proof: "926e895d308f5e328e7aa159c06eddbe56d06846abf5d98c2512235eaa57fdce35b46edfc655bc828d44ad09d1150f31\
                374e7ef73027e14760d42e77341fe05467bb286cc2c9d7fde29120a0b2320d04",
        output: "121b7f9b9aaaa29099fc04a94ba52784d44eac976dd1a3cca458733be5cd090a7b5fbd148444f17f8daf1fb55cb04b1a\
                 e85a626e30a54b4b0f8abf4a43314a58",
    },
];

fn bytes(hexadecimal: &str) -> Vec<u8> {
    HEXLOWER.decode(hexadecimal.as_bytes()).unwrap()
}

fn secret() -> VrfSecret {
    VrfSecret::from_seed(&[1; 32])
}

#[test]
fn agrees_with_the_rfc() {
    for example in EXAMPLES {
        let secret = VrfSecret::from_seed(bytes(example.secret).as_slice().try_into().unwrap());
        assert_eq!(HEXLOWER.encode(secret.public().as_bytes()), example.public);
        let (output, proof) = secret.prove(example.input);
        assert_eq!(HEXLOWER.encode(&proof), example.proof);
        assert_eq!(HEXLOWER.encode(&output), example.output);
        let public = VrfPublic::from_bytes(&bytes(example.public)).unwrap();
        assert_eq!(public.verify(example.input, &bytes(example.proof)), Ok(output));
        assert_eq!(proof_to_output(&proof), Ok(output));
    }
}

#[test]
fn another_input_or_key_does_not_verify() {
    let (_, proof) = secret().prove(b"alice");
    assert_eq!(secret().public().verify(b"alicf", &proof), Err(VrfError::Invalid));
    let other = VrfSecret::from_seed(&[2; 32]);
    assert_eq!(other.public().verify(b"alice", &proof), Err(VrfError::Invalid));
    assert_ne!(other.prove(b"alice").0, secret().prove(b"alice").0);
}

#[test]
fn any_changed_bit_of_a_proof_is_refused() {
    let (_, proof) = secret().prove(b"alice");
    for bit in 0..8 * VRF_PROOF_BYTES {
        let mut changed = proof;
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(secret().public().verify(b"alice", &changed).is_err(), "bit {bit}");
    }
}

#[test]
fn what_is_malformed_is_named() {
    let (_, proof) = secret().prove(b"alice");
    let verify = |proof: &[u8]| secret().public().verify(b"alice", proof);
    for length in [0, 79] {
        assert_eq!(verify(&proof[..length]), Err(VrfError::Malformed));
    }
    assert_eq!(verify(&[proof.as_slice(), &[0]].concat()), Err(VrfError::Malformed));
    let mut large_scalar = proof;
    large_scalar[48..].fill(0xff);
    assert_eq!(verify(&large_scalar), Err(VrfError::Malformed));
    let mut no_point = proof;
    no_point[..32].fill(0xff);
    assert_eq!(verify(&no_point), Err(VrfError::Malformed));
    assert_eq!(proof_to_output(&no_point), Err(VrfError::Malformed));
}

#[test]
fn public_keys_of_small_order_and_other_encodings_are_refused() {
    for point in EIGHT_TORSION {
        assert_eq!(VrfPublic::from_bytes(point.compress().as_bytes()), Err(VrfError::PublicKey));
    }
    for refused in [&[0xff; 32][..], &[1; 31], &[]] {
        assert_eq!(VrfPublic::from_bytes(refused), Err(VrfError::PublicKey));
    }
    // What RFC 8032 does not decode, and a lenient reader takes modulo 2^255 - 19.
    let mut lenient = 0;
    for small in 2..19 {
        let mut not_canonical = [0xff; 32];
        (not_canonical[0], not_canonical[31]) = (0xed + small, 0x7f);
        lenient += u32::from(CompressedEdwardsY(not_canonical).decompress().is_some());
        assert_eq!(VrfPublic::from_bytes(&not_canonical), Err(VrfError::PublicKey));
    }
    assert!(lenient > 0, "the decoder has become strict itself");
}

#[test]
fn a_key_survives_storage_and_is_not_printed() {
    let made = VrfSecret::generate(&mut ChaCha20Rng::from_seed([3; 32]));
    let stored = VrfSecret::from_seed(&made.seed());
    assert_eq!(stored.public(), made.public());
    assert_eq!(format!("{stored:?}"), "VrfSecret(..)");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_proved_verifies(seed: [u8; 32], input: Vec<u8>) {
        let secret = VrfSecret::from_seed(&seed);
        let (output, proof) = secret.prove(&input);
        let public = VrfPublic::from_bytes(secret.public().as_bytes()).unwrap();
        prop_assert_eq!(public.verify(&input, &proof), Ok(output));
        prop_assert_eq!(secret.prove(&input), (output, proof));
    }

    #[test]
    fn garbage_never_panics(proof: Vec<u8>, mut long in proptest::collection::vec(any::<u8>(), 80), key: [u8; 32]) {
        let _ = secret().public().verify(b"alice", &proof);
        long[79] = 0;
        let _ = secret().public().verify(b"alice", &long);
        let _ = VrfPublic::from_bytes(&key);
    }
}
