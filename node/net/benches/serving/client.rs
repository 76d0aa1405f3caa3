//! A client that is bare quinn, whichever server it talks to.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use qpq_net::{direct, tls};
use qpq_proto::Method;
use qpq_proto::frame::{Header, RESPONSE_HEADER_BYTES, RequestHeader};
use qpq_proto::limits::WIRE_VERSION;
use qpq_proto::v1::HealthRequest;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connection, Endpoint, TransportConfig};
use rustls::RootCertStore;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};

/// Trusts everybody, without the cost of finding out whom.
#[derive(Debug)]
struct Credulous(Arc<rustls::crypto::CryptoProvider>);

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("QUIC has TLS 1.3 only".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// An endpoint from which to connect.
pub(crate) fn endpoint() -> Endpoint {
    let provider = tls::provider();
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider has TLS 1.3")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    config.dangerous().set_certificate_verifier(Arc::new(Credulous(provider)));
    config.alpn_protocols = vec![direct::ALPN.to_vec()];
    // Each handshake is a whole one.
    config.resumption = rustls::client::Resumption::disabled();
    let quic = QuicClientConfig::try_from(config).expect("the provider has QUIC's cipher suite");
    let mut config = ClientConfig::new(Arc::new(quic));
    let mut transport = TransportConfig::default();
    transport.keep_alive_interval(Some(Duration::from_secs(10)));
    config.transport_config(Arc::new(transport));
    let mut endpoint = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).expect("loopback has free ports");
    endpoint.set_default_client_config(config);
    endpoint
}

/// Connects.
pub(crate) async fn connect(endpoint: &Endpoint, server: SocketAddr) -> Connection {
    let connecting = endpoint.connect(server, "bench.invalid").expect("the name is one");
    connecting.await.expect("the server takes the connection")
}

/// Connects, and makes the first call.
pub(crate) async fn greeted(endpoint: &Endpoint, server: SocketAddr) -> Connection {
    let connection = connect(endpoint, server).await;
    let hello = HealthRequest { wire_version_min: WIRE_VERSION, wire_version_max: WIRE_VERSION };
    call(&connection, &request(Method::Health, &hello.encode_to_vec())).await;
    connection
}

/// The bytes of a request.
pub(crate) fn request(method: Method, payload: &[u8]) -> Vec<u8> {
    let header = RequestHeader::new(method, 1, payload).expect("short enough").encode();
    [header.as_slice(), payload].concat()
}

/// Makes one call.
pub(crate) async fn call(connection: &Connection, request: &[u8]) {
    let (mut send, mut recv) = connection.open_bi().await.expect("the connection lasts");
    send.write_all(request).await.expect("the server reads");
    send.finish().expect("once");
    let response = recv.read_to_end(1 << 16).await.expect("the server answers");
    assert!(response.len() >= RESPONSE_HEADER_BYTES && response[0] == 0, "the call is refused");
}
