use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Gives a stream to a decoder in pieces of the given sizes, over and over.
fn decode_in_pieces<H: Header>(stream: &[u8], sizes: &[usize]) -> Result<Vec<Frame<H>>, FrameError> {
    let (mut decoder, mut buffer, mut frames) = (Decoder::new(), BytesMut::new(), Vec::new());
    let (mut rest, mut sizes) = (stream, sizes.iter().cycle());
    while !rest.is_empty() {
        let size = (*sizes.next().unwrap_or(&usize::MAX)).clamp(1, rest.len());
        let (piece, later) = rest.split_at(size);
        buffer.extend_from_slice(piece);
        rest = later;
        while let Some(frame) = decoder.decode(&mut buffer)? {
            frames.push(frame);
        }
    }
    decoder.finish(&buffer)?;
    Ok(frames)
}

/// Reads as a careful driver does: never more than the decoder needs.
fn decode_as_needed<H: Header>(stream: &[u8]) -> Result<Vec<Frame<H>>, FrameError> {
    let (mut decoder, mut buffer, mut frames) = (Decoder::new(), BytesMut::new(), Vec::new());
    let mut rest = stream;
    loop {
        if let Some(frame) = decoder.decode(&mut buffer)? {
            frames.push(frame);
            continue;
        }
        let needed = decoder.needed_bytes(&buffer);
        assert!((1..=FRAME_PAYLOAD_BYTES_MAX).contains(&needed), "{needed}");
        if rest.is_empty() {
            decoder.finish(&buffer)?;
            return Ok(frames);
        }
        let (piece, later) = rest.split_at(needed.min(rest.len()));
        buffer.extend_from_slice(piece);
        rest = later;
        assert!(buffer.len() <= decoder.announced_bytes().unwrap_or(REQUEST_HEADER_BYTES));
    }
}

fn stream_of<H: Header>(frames: &[Frame<H>]) -> Vec<u8> {
    let mut stream = Vec::new();
    for frame in frames {
        stream.extend_from_slice(frame.header.encode().as_ref());
        stream.extend_from_slice(&frame.payload);
    }
    stream
}

fn request(method_id: u16, request_id: u32, payload: Vec<u8>) -> Frame<RequestHeader> {
    let method = Method::from_id(method_id).ok_or(method_id);
    Frame {
        header: RequestHeader { method, request_id, payload_bytes: payload.len() },
        payload: payload.into(),
    }
}

fn response_of(number: u8, request_id: u32, payload: Vec<u8>) -> Frame<ResponseHeader> {
    let status = Status::from_u8(number).ok_or(number);
    Frame {
        header: ResponseHeader { status, request_id, payload_bytes: payload.len() },
        payload: payload.into(),
    }
}

fn push(number: u16, payload: Vec<u8>) -> Frame<PushHeader> {
    let event = PushEvent::try_from(i32::from(number)).map_err(|_| number);
    Frame { header: PushHeader { event, payload_bytes: payload.len() }, payload: payload.into() }
}

#[test]
fn headers_lie_on_the_wire_as_documented() {
    let payload = [0; 0x0001_0203];
    let request = RequestHeader::new(Method::Health, 0xa0b0_c0d0, &payload).unwrap();
    assert_eq!(request.encode(), [0x03, 0x22, 0xa0, 0xb0, 0xc0, 0xd0, 0x00, 0x01, 0x02, 0x03]);
    let response = ResponseHeader::new(Status::QuotaExceeded, 0xa0b0_c0d0, &payload).unwrap();
    assert_eq!(response.encode(), [0x07, 0xa0, 0xb0, 0xc0, 0xd0, 0x00, 0x01, 0x02, 0x03]);
    let push = PushHeader::new(PushEvent::Lagged, &payload).unwrap();
    assert_eq!(push.encode(), [0x03, 0xec, 0x00, 0x01, 0x02, 0x03]);
}

#[test]
fn a_payload_of_the_largest_size_passes_and_one_byte_more_does_not() {
    let largest = vec![7; FRAME_PAYLOAD_BYTES_MAX];
    let header = RequestHeader::new(Method::Enqueue, 1, &largest).unwrap();
    let frame = Frame { header, payload: largest.into() };
    assert_eq!(decode_in_pieces(&stream_of(std::slice::from_ref(&frame)), &[65_536]), Ok(vec![frame]));

    let longer = vec![7; FRAME_PAYLOAD_BYTES_MAX + 1];
    let refused = FrameError::PayloadTooLong { actual_bytes: longer.len() };
    assert_eq!(RequestHeader::new(Method::Enqueue, 1, &longer), Err(refused));
    assert_eq!(ResponseHeader::new(Status::Ok, 1, &longer), Err(refused));
    assert_eq!(PushHeader::new(PushEvent::NewMessage, &longer), Err(refused));
}

#[test]
fn a_too_long_payload_is_refused_by_its_header_alone() {
    for announced in [4_194_305, u32::MAX / 2, u32::MAX] {
        let refused = FrameError::PayloadTooLong { actual_bytes: announced as usize };
        let mut stream = BytesMut::from(&[0, 200, 0, 0, 0, 1][..]);
        stream.extend_from_slice(&announced.to_be_bytes());
        let capacity = stream.capacity();
        let mut decoder = RequestDecoder::new();
        assert_eq!(decoder.decode(&mut stream), Err(refused));
        assert!(stream.capacity() <= capacity, "the decoder reserved memory");
        assert_eq!(Failure::from(refused).status, Status::BadRequest);
    }
}

#[test]
fn unknown_numbers_are_no_broken_frames() {
    let stream = stream_of(&[request(9_999, 5, b"later".to_vec()), request(802, 6, Vec::new())]);
    let frames = decode_in_pieces::<RequestHeader>(&stream, &[1]).unwrap();
    assert_eq!(frames[0].header.method, Err(9_999));
    assert_eq!(frames[0].payload, "later");
    assert_eq!(frames[1].header.method, Ok(Method::Health));

    let frames =
        decode_in_pieces::<ResponseHeader>(&stream_of(&[response_of(12, 5, Vec::new())]), &[]).unwrap();
    assert_eq!(frames[0].header.status, Err(12));
    let failure = frames[0].header.into_result(Bytes::new()).unwrap_err();
    assert_eq!((failure.status, failure.message.as_str()), (Status::Internal, "unknown status 12: "));

    let frames = decode_in_pieces::<PushHeader>(&stream_of(&[push(1_099, Vec::new())]), &[]).unwrap();
    assert_eq!(frames[0].header.event, Err(1_099));
}

#[test]
fn a_stream_may_end_only_between_frames() {
    let stream = stream_of(&[request(200, 1, vec![1; 4])]);
    for cut in 1..stream.len() {
        let missing_bytes =
            if cut < REQUEST_HEADER_BYTES { REQUEST_HEADER_BYTES - cut } else { stream.len() - cut };
        let decoded = decode_in_pieces::<RequestHeader>(&stream[..cut], &[]);
        assert_eq!(decoded, Err(FrameError::Truncated { missing_bytes }), "cut at {cut}");
    }
    assert_eq!(decode_in_pieces::<RequestHeader>(&[], &[]), Ok(Vec::new()));
}

#[test]
fn a_result_becomes_a_response_and_a_result_again() {
    let failure =
        Failure { retry_after_ms: 250, ..Failure::bad_request("mailbox", "31 bytes instead of 32") };
    for result in [Ok(Bytes::from_static(b"payload")), Ok(Bytes::new()), Err(failure)] {
        let frame = response(9, result.clone());
        assert_eq!(frame.header.request_id, 9);
        assert_eq!(frame.header.payload_bytes, frame.payload.len());
        assert_eq!(frame.header.into_result(frame.payload), result);
    }
}

#[test]
fn a_response_that_fits_no_frame_is_our_fault() {
    let frame = response(9, Ok(vec![0; FRAME_PAYLOAD_BYTES_MAX + 1].into()));
    assert_eq!(frame.header.into_result(frame.payload), Err(Failure::internal()));
}

#[test]
fn a_payload_is_handed_on_without_a_copy() {
    let stream = stream_of(&[request(200, 1, vec![9; 1_000])]);
    let mut buffer = BytesMut::from(stream.as_slice());
    let place = buffer[REQUEST_HEADER_BYTES..].as_ptr();
    let frame = RequestDecoder::new().decode(&mut buffer).unwrap().unwrap();
    assert_eq!(frame.payload.as_ptr(), place);
}

proptest! {
    #[test]
    fn requests_survive_any_cutting(
        parts in vec((any::<u16>(), any::<u32>(), vec(any::<u8>(), 0..300)), 0..8),
        sizes in vec(1_usize..64, 0..8),
    ) {
        let frames: Vec<_> = parts.into_iter().map(|(method, id, payload)| request(method, id, payload)).collect();
        let stream = stream_of(&frames);
        prop_assert_eq!(decode_in_pieces(&stream, &sizes), Ok(frames.clone()));
        prop_assert_eq!(decode_as_needed(&stream), Ok(frames));
    }

    #[test]
    fn responses_survive_any_cutting(
        parts in vec((any::<u8>(), any::<u32>(), vec(any::<u8>(), 0..300)), 0..8),
        sizes in vec(1_usize..64, 0..8),
    ) {
        let frames: Vec<_> = parts.into_iter().map(|(status, id, payload)| response_of(status, id, payload)).collect();
        prop_assert_eq!(decode_in_pieces(&stream_of(&frames), &sizes), Ok(frames));
    }

    #[test]
    fn push_events_survive_any_cutting(
        parts in vec((990_u16..1_010, vec(any::<u8>(), 0..300)), 0..8),
        sizes in vec(1_usize..64, 0..8),
    ) {
        let frames: Vec<_> = parts.into_iter().map(|(event, payload)| push(event, payload)).collect();
        prop_assert_eq!(decode_in_pieces(&stream_of(&frames), &sizes), Ok(frames));
    }

    #[test]
    fn garbage_is_refused_the_same_way_however_it_comes(garbage in vec(any::<u8>(), 0..200), size in 1_usize..32) {
        let whole = decode_in_pieces::<RequestHeader>(&garbage, &[]);
        prop_assert_eq!(decode_in_pieces::<RequestHeader>(&garbage, &[size]), whole.clone());
        prop_assert_eq!(decode_as_needed::<RequestHeader>(&garbage), whole);
        let _ = decode_in_pieces::<ResponseHeader>(&garbage, &[size]);
        let _ = decode_in_pieces::<PushHeader>(&garbage, &[size]);
    }

    #[test]
    fn any_answer_of_a_neighbour_becomes_a_result(number: u8, payload in vec(any::<u8>(), 0..100)) {
        let frame = response_of(number, 1, payload);
        let result = frame.header.into_result(frame.payload.clone());
        prop_assert_eq!(result.is_ok(), number == 0);
    }
}
