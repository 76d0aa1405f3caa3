//! The direct listener: QUIC with ordinary TLS, so that any QUIC library in any language can connect.
//!
//! ALPN `qpq`, TLS 1.3, X25519MLKEM768 preferred. The server shows a certificate, self-signed unless one is configured;
//! a client checks it against certification authorities or pins it. Whoever connects has shown nothing yet and is
//! [`Peer::Anyone`](crate::Peer::Anyone).

mod certificate;
mod client;
mod server;
mod socket;

pub use crate::pin::{Pin, PinError};
pub use certificate::{Certificate, CertificateError};
pub use client::{ConnectError, DirectClient, Trust};
pub use server::{DirectConfig, DirectServer, ListenError, serve};

use qpq_proto::limits::Limits;
use quinn::{TransportConfig, VarInt};

/// The protocol that programs and light clients speak.
pub const ALPN: &[u8] = b"qpq";

/// Windows and streams as the limits say; no datagrams, and only such streams as are used.
fn transport(limits: &Limits, streams_max: usize) -> TransportConfig {
    let idle = VarInt::from_u32(u32::try_from(limits.idle_timeout_ms).unwrap_or(u32::MAX));
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(varint(streams_max))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .receive_window(varint(limits.connection_receive_window_bytes))
        .stream_receive_window(varint(limits.stream_receive_window_bytes))
        .send_window(limits.send_window_bytes as u64)
        .datagram_receive_buffer_size(None)
        .max_idle_timeout(Some(idle.into()));
    transport
}

fn varint(value: usize) -> VarInt {
    VarInt::from_u32(u32::try_from(value).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests;
