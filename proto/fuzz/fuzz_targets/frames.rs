//! Any bytes, cut anywhere, give the same frames or the same refusal, and what is decoded encodes to what was read.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use qpq_proto::frame::{Decoder, Frame, FrameError, Header, PushHeader, RequestHeader, ResponseHeader};

fuzz_target!(|input: (u8, &[u8])| {
    let (size, stream) = input;
    check::<RequestHeader>(size, stream);
    check::<ResponseHeader>(size, stream);
    check::<PushHeader>(size, stream);
});

fn check<H: Header + PartialEq + std::fmt::Debug>(size: u8, stream: &[u8]) {
    let whole = decode::<H>(stream, stream.len().max(1));
    let pieces = decode::<H>(stream, usize::from(size).max(1));
    assert_eq!(whole, pieces);
    if let Ok(frames) = whole {
        assert_eq!(encode(&frames), stream);
        for frame in frames {
            assert_eq!(frame.header.payload_bytes(), frame.payload.len());
        }
    }
}

fn decode<H: Header>(stream: &[u8], size: usize) -> Result<Vec<Frame<H>>, FrameError> {
    let (mut decoder, mut buffer, mut frames) = (Decoder::new(), BytesMut::new(), Vec::new());
    for piece in stream.chunks(size) {
        buffer.extend_from_slice(piece);
        while let Some(frame) = decoder.decode(&mut buffer)? {
            frames.push(frame);
        }
    }
    decoder.finish(&buffer)?;
    Ok(frames)
}

fn encode<H: Header>(frames: &[Frame<H>]) -> Vec<u8> {
    let mut stream = Vec::new();
    for frame in frames {
        stream.extend_from_slice(frame.header.encode().as_ref());
        stream.extend_from_slice(&frame.payload);
    }
    stream
}
