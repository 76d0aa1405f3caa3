//! Requests that come joined, cut, with garbage behind them or never to their end.

use super::*;

/// One request: its method's id, its own id and its payload.
type Sent = (u16, u32, Vec<u8>);

fn encode(sent: &[Sent]) -> Vec<u8> {
    let frame = |(method, id, payload): &Sent| {
        let method = Method::from_id(*method).ok_or(*method);
        let header = RequestHeader { method, request_id: *id, payload_bytes: payload.len() };
        [header.encode().as_slice(), payload].concat()
    };
    sent.iter().flat_map(frame).collect()
}

fn sent() -> impl Strategy<Value = Sent> {
    let method = prop_oneof![Just(Method::Enqueue.id()), Just(Method::Health.id()), any::<u16>()];
    let length = prop_oneof![3 => 0_usize..40, 1 => 10_000_usize..40_000];
    (method, any::<u32>(), length, any::<u8>())
        .prop_map(|(method, id, length, byte)| (method, id, vec![byte; length]))
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

/// Writes the bytes in pieces cut at these places, and ends the stream.
async fn write_in_pieces(mut stream: DuplexStream, bytes: Vec<u8>, cuts: Vec<prop::sample::Index>) {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    for pair in places.windows(2) {
        // The reader may have had enough.
        let _ = stream.write_all(&bytes[pair[0]..pair[1]]).await;
        tokio::task::yield_now().await;
    }
}

/// What the server reads until the stream ends or breaks, and whether it broke.
async fn read_all(server: &ConnectionServer, mut stream: DuplexStream) -> (Vec<Sent>, bool) {
    let mut requests = Vec::new();
    loop {
        match soon(server.read_next(&mut stream)).await {
            Ok(Some(request)) => {
                let method = request.method.map_or_else(|id| id, Method::id);
                requests.push((method, request.id, request.payload.to_vec()));
            }
            Ok(None) => return (requests, false),
            Err(_) => return (requests, true),
        }
    }
}

#[tokio::test]
async fn a_stream_of_many_ends_between_two_frames_or_is_broken() {
    let whole =
        encode(&[(Method::Enqueue.id(), 1, b"one".to_vec()), (Method::Enqueue.id(), 2, b"two".to_vec())]);
    for end in 0..=whole.len() {
        let (server, _control) = server();
        let (ours, theirs) = duplex(64);
        let ((requests, is_broken), ()) =
            tokio::join!(read_all(&server, theirs), write_in_pieces(ours, whole[..end].to_vec(), Vec::new()));
        assert_eq!(requests.len(), end / 13, "{end} bytes");
        assert_eq!(is_broken, end % 13 != 0, "{end} bytes");
    }
}

#[tokio::test]
async fn a_reservation_lasts_until_the_request_is_done_with() {
    let (server, _control) = server();
    let free = server.0.server.budget.available_bytes();
    let (mut ours, mut theirs) = duplex(1 << 10);
    let bytes = encode(&[(Method::Enqueue.id(), 1, vec![1; 500])]);
    ours.write_all(&bytes).await.unwrap();
    let request = server.read_next(&mut theirs).await.unwrap().unwrap();
    assert_eq!(server.0.server.budget.available_bytes(), free - 500);
    drop(request);
    assert_eq!(server.0.server.budget.available_bytes(), free);
}

#[tokio::test(start_paused = true)]
async fn whoever_drips_is_given_the_time_of_a_slow_link_and_no_more() {
    let (server, _control) = server();
    let length = 64 * 1024;
    let header = RequestHeader { method: Ok(Method::Enqueue), request_id: 1, payload_bytes: length };
    let (mut ours, mut theirs) = duplex(16);
    let begun = tokio::time::Instant::now();
    let dripping = async {
        ours.write_all(&header.encode()).await.unwrap();
        // Always in time for the next byte, and never done.
        while ours.write_all(&[1]).await.is_ok() {
            tokio::time::sleep(server.0.server.transfer_timeout / 2).await;
        }
    };
    let reading = async {
        let read = server.read_next(&mut theirs).await;
        drop(theirs);
        read
    };
    let (read, ()) = tokio::join!(reading, dripping);
    assert!(matches!(read, Err(ReadError::Stalled)));
    let longest = server.0.server.transfer_timeout + transfer_time(length);
    assert!(begun.elapsed() >= longest && begun.elapsed() < 2 * longest, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_written_whole_into_a_narrow_stream() {
    let (server, _control) = server();
    for length in [0, 1, 15, 16, 17, 100_000] {
        let (mut ours, mut theirs) = duplex(16);
        let payload = Bytes::from(vec![7; length]);
        let writing = async {
            server.write(&mut ours, 9, Ok(payload.clone())).await.unwrap();
            drop(ours);
        };
        let mut written = Vec::new();
        let (read, ()) = tokio::join!(theirs.read_to_end(&mut written), writing);
        assert_eq!(read.unwrap(), 9 + length);
        assert_eq!(written[9..], payload);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However frames are joined and cut: each is read as it was sent, in order, and all memory is given back.
    #[test]
    fn frames_are_read_as_they_were_sent(
        sent in vec(sent(), 0..8),
        cuts in vec(any::<prop::sample::Index>(), 0..12),
        width in 1_usize..300,
    ) {
        run(async {
            let (server, _control) = server();
            let free = server.0.server.budget.available_bytes();
            let (ours, theirs) = duplex(width);
            let ((requests, is_broken), ()) =
                tokio::join!(read_all(&server, theirs), write_in_pieces(ours, encode(&sent), cuts));
            assert!(!is_broken);
            assert_eq!(requests, sent);
            assert_eq!(server.0.server.budget.available_bytes(), free);
        });
    }

    /// What comes before garbage is read; garbage is read as frames or ends it, and keeps no memory.
    #[test]
    fn garbage_spoils_nothing_that_came_before(
        sent in vec(sent(), 0..4),
        garbage in vec(prop_oneof![Just(0_u8), any::<u8>()], 1..60),
        cuts in vec(any::<prop::sample::Index>(), 0..6),
    ) {
        run(async {
            let (server, _control) = server();
            let free = server.0.server.budget.available_bytes();
            let (ours, theirs) = duplex(64);
            let bytes = [encode(&sent), garbage].concat();
            let ((requests, _), ()) =
                tokio::join!(read_all(&server, theirs), write_in_pieces(ours, bytes, cuts));
            assert_eq!(requests[..sent.len()], sent);
            assert_eq!(server.0.server.budget.available_bytes(), free);
        });
    }

    /// A stream of one call takes one whole frame, and nothing else.
    #[test]
    fn one_frame_is_one_request(sent in vec(sent(), 1..3), missing in 0_usize..20) {
        run(async {
            let (server, _control) = server();
            let bytes = encode(&sent);
            let end = bytes.len().saturating_sub(missing).max(1);
            let (ours, mut theirs) = duplex(64);
            let (read, ()) = tokio::join!(
                async { let read = soon(server.read_one(&mut theirs)).await; drop(theirs); read },
                write_in_pieces(ours, bytes[..end].to_vec(), Vec::new())
            );
            let is_whole = sent.len() == 1 && end == bytes.len();
            assert_eq!(read.is_ok(), is_whole || end == encode(&sent[..1]).len(), "{end} of {}", bytes.len());
        });
    }
}
