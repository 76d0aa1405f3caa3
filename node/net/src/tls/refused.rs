//! Insisting on X25519MLKEM768 in such a way that a peer without it is told from one that does not answer.
//!
//! A server that has no group in common with the client says so with an alert. But noq sends nothing from a connection
//! that fails before the client's address is proven, which is always so when the client's first flight takes two
//! packets, as it does with a share of ML-KEM. The client would wait until its time is up.
//!
//! So X25519 is offered, and refused when the peer takes it: no secret is ever derived from it, and nothing but the
//! alert is sent after it. The client learns at once, and the server from the alert.

use rustls::crypto::ring::kx_group::X25519;
use rustls::crypto::{ActiveKeyExchange, CompletedKeyExchange, SharedSecret, SupportedKxGroup};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::{Error, NamedGroup, ProtocolVersion};

use super::{X25519MLKEM768, without_group};

/// The groups of a node that insists on X25519MLKEM768.
pub(super) fn hybrid_only() -> Vec<&'static dyn SupportedKxGroup> {
    vec![&Hybrid, &Classical]
}

/// X25519MLKEM768, of which the part that is X25519 cannot be had alone.
#[derive(Debug)]
struct Hybrid;

/// X25519, which is offered and refused.
#[derive(Debug)]
struct Classical;

/// An exchange that completes with the whole group that was started, and with nothing if that is X25519.
struct Active(Box<dyn ActiveKeyExchange>);

impl SupportedKxGroup for Hybrid {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        Ok(Box::new(Active(X25519MLKEM768.start()?)))
    }

    fn start_and_complete(&self, client_share: &[u8]) -> Result<CompletedKeyExchange, Error> {
        X25519MLKEM768.start_and_complete(client_share)
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }

    fn usable_for_version(&self, version: ProtocolVersion) -> bool {
        X25519MLKEM768.usable_for_version(version)
    }
}

impl SupportedKxGroup for Classical {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        Ok(Box::new(Active(X25519.start()?)))
    }

    fn start_and_complete(&self, _client_share: &[u8]) -> Result<CompletedKeyExchange, Error> {
        Err(without_group())
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }

    fn usable_for_version(&self, version: ProtocolVersion) -> bool {
        X25519MLKEM768.usable_for_version(version)
    }
}

impl ActiveKeyExchange for Active {
    fn complete(self: Box<Self>, server_share: &[u8]) -> Result<SharedSecret, Error> {
        match self.0.group() {
            NamedGroup::X25519MLKEM768 => self.0.complete(server_share),
            _ => Err(without_group()),
        }
    }

    fn hybrid_component(&self) -> Option<(NamedGroup, &[u8])> {
        self.0.hybrid_component()
    }

    fn complete_hybrid_component(self: Box<Self>, _server_share: &[u8]) -> Result<SharedSecret, Error> {
        Err(without_group())
    }

    fn pub_key(&self) -> &[u8] {
        self.0.pub_key()
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn group(&self) -> NamedGroup {
        self.0.group()
    }
}
