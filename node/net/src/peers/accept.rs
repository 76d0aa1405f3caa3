//! Taking the connections that peers dial.

use std::sync::Arc;
use std::time::Duration;

use iroh::endpoint::{Incoming, IncomingAddr};
use qpq_proto::ids::NodeKey;
use tokio::time::{Instant, timeout};

use super::link::{self, Link};
use super::table::Dialler;
use super::{Shared, describe};
use crate::admission::{Handshake, Refusal, Verdict};
use crate::streams::{Streams, code};

/// Accepts until the node stops.
pub(super) async fn run(shared: Arc<Shared>) {
    loop {
        let accepted = tokio::select! {
            accepted = shared.endpoint.accept() => accepted,
            () = shared.stopped() => return,
        };
        let Some(incoming) = accepted else { return };
        admit(&shared, incoming);
    }
}

/// Decides by the address, before anything is spent on the newcomer.
fn admit(shared: &Arc<Shared>, incoming: Incoming) {
    let now = Instant::now();
    let verdict = match incoming.remote_addr() {
        IncomingAddr::Ip(address) => {
            shared.admissions.incoming(address.ip(), incoming.remote_addr_validated(), now)
        }
        IncomingAddr::Relay { endpoint_id, .. } => shared.admissions.relayed(endpoint_id.as_bytes(), now),
        _ => return incoming.refuse(),
    };
    match verdict {
        Verdict::Accept(handshake) => {
            let task = Arc::clone(shared);
            shared.spawn(async move { accept(task, incoming, handshake).await });
        }
        // Fails only for a validated address, which is never asked to prove itself again.
        Verdict::Retry => drop(incoming.retry()),
        Verdict::Refuse(refusal) => {
            tracing::debug!(%refusal, "refused a connection");
            incoming.refuse();
        }
    }
}

async fn accept(shared: Arc<Shared>, incoming: Incoming, handshake: Handshake) {
    let time = Duration::from_millis(shared.limits.handshake_timeout_ms);
    let shaken = tokio::select! {
        shaken = timeout(time, incoming.into_future()) => shaken,
        () = shared.stopped() => return,
    };
    let connection = match shaken {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => {
            tracing::debug!(error = describe(&error), "a handshake failed");
            return;
        }
        Err(_) => {
            tracing::debug!("a handshake took too long");
            return;
        }
    };
    let node = NodeKey::from_bytes(*connection.remote_id().as_bytes());
    let (is_wanted, has_room) = {
        let table = shared.table();
        (table.is_wanted(node), table.has_room(node))
    };
    let admitted = match shared.admissions.authenticated(handshake, node, is_wanted, Instant::now()) {
        Ok(_) if !has_room => Err(Refusal::Connections),
        admitted => admitted,
    };
    match admitted {
        Ok(slot) => match Link::new(&shared, connection, Dialler::Peer, slot) {
            Ok(link) => link::accepted(shared, Arc::new(link)).await,
            Err(error) => tracing::debug!(%node, %error, "a handshake failed"),
        },
        Err(refusal) => {
            tracing::debug!(%node, %refusal, "refused a peer");
            Streams::close(&connection, code::REFUSED, &refusal.to_string());
        }
    }
}
