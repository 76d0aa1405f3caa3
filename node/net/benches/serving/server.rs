//! The two servers that are compared.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use qpq_net::direct::{self, Certificate, DirectConfig, DirectServer};
use qpq_net::{Answer, Caller, Pushes, Service, tls};
use qpq_proto::Method;
use qpq_proto::frame::{self, Header, REQUEST_HEADER_BYTES};
use qpq_proto::limits::{Limits, WIRE_VERSION};
use qpq_proto::v1::HealthResponse;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Connection, Endpoint, IdleTimeout, ServerConfig, TransportConfig, VarInt};
use rustls::pki_types::PrivateKeyDer;

/// Answers with what it was given, and `Health` as it must be.
struct Echo;

impl Service for Echo {
    fn call(&self, _: Caller, method: Method, payload: Bytes) -> Answer<'_> {
        Box::pin(async move {
            if method != Method::Health {
                return Ok(payload);
            }
            let health = HealthResponse {
                wire_version_min: WIRE_VERSION,
                wire_version_max: WIRE_VERSION,
                ..HealthResponse::default()
            };
            Ok(prost::Message::encode_to_vec(&health).into())
        })
    }
}

/// A server's limits, without those that protect against so many from one address.
fn limits() -> Limits {
    Limits {
        connections_max: 100_000,
        connections_per_address_max: usize::MAX,
        connections_per_address_per_minute_max: usize::MAX / 1_000,
        ..Limits::SERVER
    }
}

/// Ours.
pub(crate) fn ours() -> DirectServer {
    let (certificate, _) =
        Certificate::self_signed(vec!["localhost".to_owned()]).expect("there is randomness");
    let limits = limits();
    let pushes = Pushes::new(&limits);
    let config = DirectConfig { listen: (Ipv4Addr::LOCALHOST, 0).into(), certificate, limits, pushes };
    direct::serve(config, Arc::new(Echo)).expect("loopback has free ports")
}

/// Bare quinn: the same TLS and the same windows, a task for each stream, and no rule whatsoever.
pub(crate) fn bare() -> (Endpoint, SocketAddr) {
    let certified =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("there is randomness");
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).expect("it was just made");
    let mut tls = rustls::ServerConfig::builder_with_provider(tls::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider has TLS 1.3")
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .expect("it was just made");
    tls.alpn_protocols = vec![direct::ALPN.to_vec()];
    let quic = QuicServerConfig::try_from(tls).expect("the provider has QUIC's cipher suite");
    let mut config = ServerConfig::with_crypto(Arc::new(quic));
    config.transport_config(Arc::new(transport(&limits())));
    let endpoint =
        Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into()).expect("loopback has free ports");
    tokio::spawn(accept(endpoint.clone()));
    let address = endpoint.local_addr().expect("it is bound");
    (endpoint, address)
}

fn transport(limits: &Limits) -> TransportConfig {
    let varint = |value: usize| VarInt::try_from(value as u64).expect("limits are short");
    let idle =
        IdleTimeout::try_from(Duration::from_millis(limits.idle_timeout_ms)).expect("limits are short");
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(varint(limits.streams_per_connection_max))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .receive_window(varint(limits.connection_receive_window_bytes))
        .stream_receive_window(varint(limits.stream_receive_window_bytes))
        .send_window(limits.send_window_bytes as u64)
        .datagram_receive_buffer_size(None)
        .max_idle_timeout(Some(idle));
    transport
}

async fn accept(endpoint: Endpoint) {
    while let Some(incoming) = endpoint.accept().await {
        tokio::spawn(async move {
            let Ok(connection) = incoming.await else { return };
            serve(connection).await;
        });
    }
}

async fn serve(connection: Connection) {
    while let Ok((mut send, mut recv)) = connection.accept_bi().await {
        tokio::spawn(async move {
            let Ok(request) = recv.read_to_end(1 << 16).await else { return };
            let payload = Bytes::from(request).slice(REQUEST_HEADER_BYTES..);
            let response = frame::response(1, Ok(payload));
            let header = Bytes::copy_from_slice(&response.header.encode());
            let _ = send.write_all_chunks(&mut [header, response.payload]).await;
            let _ = send.finish();
        });
    }
}
