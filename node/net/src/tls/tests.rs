use rustls::crypto::SupportedKxGroup;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, Error, NamedGroup, RootCertStore, ServerConfig, ServerConnection,
};

use super::*;

/// Runs a handshake in memory and returns the group both ends agreed on.
fn negotiate(client: KeyExchange, server: KeyExchange) -> Result<NamedGroup, Error> {
    let (mut client, mut server) = pair(client, server);
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets()?;
        wire.clear();
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut wire.as_slice()).unwrap();
        client.process_new_packets()?;
    }
    let group = client.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, server.negotiated_key_exchange_group().unwrap().name());
    Ok(group)
}

fn pair(client: KeyExchange, server: KeyExchange) -> (ClientConnection, ServerConnection) {
    let certified = rcgen::generate_simple_self_signed(["node.test".to_owned()]).unwrap();
    let certificate: CertificateDer<'static> = certified.cert.der().clone();
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();

    let client = ClientConfig::builder_with_provider(provider_with(client))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let server = ServerConfig::builder_with_provider(provider_with(server))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let name = ServerName::try_from("node.test").unwrap();
    (ClientConnection::new(Arc::new(client), name).unwrap(), ServerConnection::new(Arc::new(server)).unwrap())
}

#[test]
fn two_nodes_agree_on_the_hybrid_group() {
    use KeyExchange::{HybridOnly, HybridPreferred};
    for (client, server) in [
        (HybridPreferred, HybridPreferred),
        (HybridOnly, HybridPreferred),
        (HybridPreferred, HybridOnly),
        (HybridOnly, HybridOnly),
    ] {
        assert_eq!(negotiate(client, server).unwrap(), NamedGroup::X25519MLKEM768, "{client:?} {server:?}");
    }
}

#[test]
fn an_older_peer_gets_x25519() {
    use KeyExchange::{ClassicalOnly, HybridPreferred};
    assert_eq!(negotiate(HybridPreferred, ClassicalOnly).unwrap(), NamedGroup::X25519);
    assert_eq!(negotiate(ClassicalOnly, HybridPreferred).unwrap(), NamedGroup::X25519);
}

#[test]
fn hybrid_only_refuses_a_classical_peer() {
    use KeyExchange::{ClassicalOnly, HybridOnly};
    for (client, server) in [(HybridOnly, ClassicalOnly), (ClassicalOnly, HybridOnly)] {
        let error = negotiate(client, server).unwrap_err();
        assert!(matches!(error, Error::PeerIncompatible(_)), "{client:?} {server:?}: {error}");
    }
}

#[test]
fn shares_have_the_lengths_of_the_draft_and_both_ends_get_one_secret() {
    let client = X25519MLKEM768.start().unwrap();
    assert_eq!(client.pub_key().len(), 1184 + 32);
    let server = X25519MLKEM768.start_and_complete(client.pub_key()).unwrap();
    assert_eq!(server.pub_key.len(), 1088 + 32);
    let secret = client.complete(&server.pub_key).unwrap();
    assert_eq!(secret.secret_bytes().len(), 64);
    assert_eq!(secret.secret_bytes(), server.secret.secret_bytes());
}

#[test]
fn the_classical_share_is_the_tail_of_the_hybrid_one() {
    let client = X25519MLKEM768.start().unwrap();
    let (group, share) = client.hybrid_component().unwrap();
    assert_eq!(group, NamedGroup::X25519);
    assert_eq!(share, &client.pub_key()[1184..]);
}

#[test]
fn shares_of_a_wrong_length_are_refused() {
    let started = || X25519MLKEM768.start().unwrap();
    for length in [0, 32, 1088, 1119, 1121, 1216, 4096] {
        assert_misbehaved(started().complete(&vec![1; length]).err(), length);
    }
    for length in [0, 32, 1184, 1215, 1217, 4096] {
        assert_misbehaved(X25519MLKEM768.start_and_complete(&vec![1; length]).err(), length);
    }
}

#[test]
fn an_encapsulation_key_that_is_not_reduced_is_refused() {
    let mut share = X25519MLKEM768.start().unwrap().pub_key().to_vec();
    share[..1152].fill(0xff);
    assert_misbehaved(X25519MLKEM768.start_and_complete(&share).err(), share.len());
}

#[test]
fn a_low_order_x25519_key_is_refused_by_both_ends() {
    let client = X25519MLKEM768.start().unwrap();
    let mut share = client.pub_key().to_vec();
    share[1184..].fill(0);
    assert!(X25519MLKEM768.start_and_complete(&share).is_err());

    let mut answer = X25519MLKEM768.start_and_complete(client.pub_key()).unwrap().pub_key;
    answer[1088..].fill(0);
    assert!(client.complete(&answer).is_err());
}

fn assert_misbehaved(error: Option<Error>, length: usize) {
    assert!(matches!(error, Some(Error::PeerMisbehaved(_))), "length {length}: {error:?}");
}
