use std::ops::DerefMut;

use rustls::crypto::SupportedKxGroup;
use rustls::crypto::ring::kx_group::X25519;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, ConnectionCommon, Error, NamedGroup, RootCertStore, ServerConfig,
    ServerConnection, SideData,
};

use super::*;

/// Runs a handshake in memory and returns the group both ends agreed on.
fn negotiate(client: KeyExchange, server: KeyExchange) -> Result<NamedGroup, Error> {
    let (mut client, mut server) = pair(client, server);
    while client.is_handshaking() || server.is_handshaking() {
        deliver(&mut client, &mut server)?;
        deliver(&mut server, &mut client)?;
    }
    let group = client.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, server.negotiated_key_exchange_group().unwrap().name());
    Ok(group)
}

/// Has one end read what the other one wrote.
fn deliver<A, B>(
    from: &mut impl DerefMut<Target = ConnectionCommon<A>>,
    to: &mut impl DerefMut<Target = ConnectionCommon<B>>,
) -> Result<(), Error>
where
    A: SideData,
    B: SideData,
{
    let mut wire = Vec::new();
    from.write_tls(&mut wire).unwrap();
    to.read_tls(&mut wire.as_slice()).unwrap();
    to.process_new_packets().map(drop)
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
        assert!(is_without_group(&error), "{client:?} {server:?}: {error}");
    }
}

/// The client must be told by the server's answer, not by silence, and say so.
#[test]
fn a_client_that_insists_finds_out_by_itself_and_says_so() {
    let (mut client, mut server) = pair(KeyExchange::HybridOnly, KeyExchange::ClassicalOnly);
    deliver(&mut client, &mut server).unwrap();
    assert!(is_without_group(&deliver(&mut server, &mut client).unwrap_err()));
    let error = deliver(&mut client, &mut server).unwrap_err();
    assert!(matches!(error, Error::AlertReceived(_)), "{error}");
}

#[test]
fn a_client_that_insists_derives_no_secret_from_x25519_even_if_asked_to_again() {
    let groups = provider_with(KeyExchange::HybridOnly).kx_groups.clone();
    let [hybrid, classical] = groups.as_slice() else { panic!("{groups:?}") };
    let server_share = X25519.start().unwrap().pub_key().to_vec();
    for (what, refused) in [
        (
            "a part of the hybrid share",
            hybrid.start().unwrap().complete_hybrid_component(&server_share).err(),
        ),
        ("a share of its own", classical.start().unwrap().complete(&server_share).err()),
        ("the client's share", classical.start_and_complete(&server_share).err()),
    ] {
        assert!(refused.as_ref().is_some_and(is_without_group), "{what}: {refused:?}");
    }
    assert_eq!((hybrid.name(), classical.name()), (NamedGroup::X25519MLKEM768, NamedGroup::X25519));
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
