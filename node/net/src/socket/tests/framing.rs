//! Requests on the socket that come joined, cut or broken, beside a program that keeps to the protocol.

use std::collections::BTreeMap;

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;
use qpq_proto::frame::ResponseDecoder;

use super::*;

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

async fn write_in_pieces(stream: &mut UnixStream, bytes: &[u8], cuts: &[prop::sample::Index]) {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    for pair in places.windows(2) {
        // The node may have ended the connection.
        let _ = soon(stream.write_all(&bytes[pair[0]..pair[1]])).await;
        tokio::task::yield_now().await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// However requests are joined and cut, and however their numbers are chosen: each is answered with its own payload.
    #[test]
    fn requests_are_answered_by_their_numbers(
        requests in prop::collection::btree_map(1_u32.., vec(any::<u8>(), 0..600), 1..12),
        cuts in vec(any::<prop::sample::Index>(), 0..16),
    ) {
        run(async {
            let node = node(Limits::ROUTER).await;
            let mut stream = node.raw().await;
            let bytes: Vec<u8> = requests
                .iter()
                .flat_map(|(id, payload)| frame(Method::SendMessage, *id, payload))
                .collect();
            write_in_pieces(&mut stream, &bytes, &cuts).await;
            stream.shutdown().await.unwrap();
            let mut answers = BTreeMap::new();
            for _ in &requests {
                let answer = read_response(&mut stream).await;
                assert_eq!(answer.header.status, Ok(Status::Ok));
                answers.insert(answer.header.request_id, answer.payload.to_vec());
            }
            assert_eq!(answers, requests);
            assert!(is_ended(&mut stream).await);
        });
    }

    /// Garbage costs whoever sends it its connection at most, and nobody else anything.
    #[test]
    fn garbage_harms_nobody_else(
        before in 0_usize..3,
        garbage in vec(prop_oneof![Just(0_u8), Just(0xff), any::<u8>()], 1..60),
        cuts in vec(any::<prop::sample::Index>(), 0..6),
    ) {
        run(async {
            let node = node(impatient()).await;
            let friend = node.client().await;
            let mut stream = node.raw().await;
            let whole = frame(Method::SendMessage, 5, b"before").repeat(before);
            write_in_pieces(&mut stream, &[whole, garbage].concat(), &cuts).await;
            let payload = Bytes::from_static(b"undisturbed");
            assert_eq!(soon(friend.call(Method::SendMessage, payload.clone())).await.unwrap(), payload);
            // Calls under way may be answered or given up; what follows is a whole answer or the end.
            let _ = stream.shutdown().await;
            let mut answers = BytesMut::new();
            while soon(stream.read_buf(&mut answers)).await.is_ok_and(|length| length > 0) {}
            let mut decoder = ResponseDecoder::new();
            while let Some(answer) = decoder.decode(&mut answers).unwrap() {
                let is_good = answer.header.status == Ok(Status::Ok) && answer.header.request_id == 5;
                assert!(!is_good || answer.payload == "before", "{answer:?}");
            }
            soon(node.server.shutdown()).await;
        });
    }
}
