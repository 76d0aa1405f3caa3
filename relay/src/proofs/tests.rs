use proptest::prelude::*;
use qpq_crypto::digest::sha256;
use qpq_crypto::signature::Verify;
use qpq_crypto::transparency::merkle::verify_inclusion;

use super::*;

fn verifies(leaf: LogHash, proof: &DeliveryProof) -> bool {
    let path: Vec<LogHash> = proof.path.iter().map(|hash| hash.as_slice().try_into().unwrap()).collect();
    let root = proof.root.as_slice().try_into().unwrap();
    verify_inclusion(proof.leaf_index, proof.leaf_count, &leaf, &path, root).is_ok()
}

fn delivery(number: u64) -> ToProve {
    let response = EnqueueResponse { seq: number, ..EnqueueResponse::default() };
    ToProve::new(response, &[7; 32], &sha256(&[&number.to_be_bytes()]), 1_000 + number)
}

fn responses(effects: &[Effect]) -> Vec<EnqueueResponse> {
    let mut responses = Vec::new();
    for effect in effects {
        let Effect::Answer { call, result: Ok(payload) } = effect else { panic!("{effect:?}") };
        match call.0 % 2 {
            0 => responses.push(EnqueueResponse::decode(payload.clone()).unwrap()),
            _ => responses.extend(BatchEnqueueResponse::decode(payload.clone()).unwrap().results),
        }
    }
    responses
}

proptest! {
    /// Calls with an odd number are batches of so many deliveries.
    #[test]
    fn every_delivery_of_a_batch_is_proved_by_one_signature(sizes in proptest::collection::vec(1..6_usize, 1..40)) {
        let node = DeviceSecret::from_seed(&[9; 32]);
        let (mut proofs, mut next) = (Proofs::default(), 0);
        for (call, size) in sizes.into_iter().enumerate() {
            let is_batch = call % 2 == 1;
            let size = if is_batch { size } else { 1 };
            let deliveries = (next..next + size as u64).map(delivery).collect();
            next += size as u64;
            proofs.add(CallId(call as u64), Proved { deliveries, is_batch });
        }
        let responses = responses(&proofs.finish(&node));
        prop_assert_eq!(responses.len() as u64, next);
        for (number, response) in (0..).zip(&responses) {
            let proof = response.delivery_proof.as_ref().unwrap();
            prop_assert_eq!((response.seq, proof.leaf_index, proof.leaf_count, proof.at_ms), (number, number, next, 1_000 + number));
            prop_assert!(verifies(delivery(number).leaf, proof));
            prop_assert!(!verifies(delivery(number + 1).leaf, proof));
            prop_assert!(node.public().verify(Domain::DeliveryBatch, &[&proof.root], &proof.signature).is_ok());
        }
        prop_assert!(proofs.finish(&node).is_empty(), "a batch is proved once");
    }
}
