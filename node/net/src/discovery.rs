//! Finding other nodes on the local network, by mDNS (RFC 6762, RFC 6763).
//!
//! A node announces itself as an instance of `_quicproquo._udp` with its node key and the addresses of every interface
//! it listens on, and nothing else: a node key is never a person's identity. Instance and host are named after the
//! node key, so that several nodes on one machine do not get in each other's way; the names are as good as unique,
//! which is why the three probes (750 ms) that mDNS sends to find out are left out.
//!
//! ```text
//! TXT   k = node key, 64 hexadecimal digits     p4, p6 = UDP port for IPv4 and for IPv6, where it listens
//! ```
//!
//! A node that starts also asks once who is there ([`inquiry`]), which finds everybody at once where mDNS by itself
//! takes up to a second.
//!
//! Whatever is heard is a hint from anybody: it is bounded, checked for plausibility, and proved by the handshake. A
//! network that says more than there can be to say is not listened to for a while, and mDNS is started anew when it may
//! have kept too much ([`flood`]).

mod announcement;
mod flood;
mod inquiry;
mod message;
mod neighbours;
mod session;

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use mdns_sd::ServiceEvent;
use tokio::time::{Instant, sleep, sleep_until};

use crate::peers::Shared;
use announcement::{Announcement, Heard};
use flood::Excess;
use neighbours::Neighbours;
use session::{End, Session};

/// How long the first announcement may take before discovery counts as not possible; and the goodbye at the end.
const PATIENCE: Duration = Duration::from_secs(2);

/// Answers to our question that wait to be looked at.
const ANSWERS_QUEUED_MAX: usize = 64;

/// Most nodes that are in sight at once, whatever the limits allow: more than there are on any local network.
const NEIGHBOURS_MAX: usize = 256;

/// Whether a node takes part in discovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Discovery {
    /// Announces the node key and addresses, nothing else, and listens for others.
    #[default]
    Open,
    /// Neither announces nor listens.
    Off,
}

/// How discovery is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiscoveryState {
    /// Switched off.
    Off,
    /// Listening; the first announcement is not out yet.
    Starting,
    /// Announcing and listening.
    Running,
    /// Not possible here, for want of permission or of a network; the text says what happened, for a person. Should
    /// it become possible, the state changes by itself.
    Unavailable(String),
}

impl DiscoveryState {
    /// The state to begin with.
    pub(crate) fn initial(wanted: Discovery) -> Self {
        match wanted {
            Discovery::Open => Self::Starting,
            Discovery::Off => Self::Off,
        }
    }
}

/// Announces and listens whenever that is wanted, until the node stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    while shared.discovery_is_wanted().await {
        shared.set_discovery_state(DiscoveryState::Starting);
        let mut neighbours = Neighbours::new(shared.limits().discovered_peers_max.min(NEIGHBOURS_MAX));
        take_part(&shared, &mut neighbours).await;
        shared.set_discovery_state(DiscoveryState::Off);
        tokio::select! {
            () = lose(&shared, &neighbours) => {}
            () = shared.stopped() => return,
        }
    }
}

/// Announces and listens until that is wanted no longer, with pauses when there is too much to hear.
async fn take_part(shared: &Arc<Shared>, neighbours: &mut Neighbours) {
    let announcement = Announcement::of(shared.own_key(), &shared.bound_addresses());
    let mut pauses = flood::Pauses::default();
    while let Some((session, excess)) = listen_until_excess(shared, neighbours, &announcement).await {
        match excess {
            Excess::Wear => renew(session, neighbours).await,
            Excess::Flood => {
                tokio::select! {
                    () = sit_out(shared, neighbours, session, &mut pauses) => {}
                    () = shared.discovery_is_unwanted() => return,
                }
                shared.set_discovery_state(DiscoveryState::Starting);
            }
        }
    }
}

/// Announces and listens. Returns the session if it holds too much, `None` when that is wanted no longer.
async fn listen_until_excess(
    shared: &Arc<Shared>,
    neighbours: &mut Neighbours,
    announcement: &Announcement,
) -> Option<(Session, Excess)> {
    let session = match Session::start(announcement) {
        Ok(session) => session,
        Err(error) => {
            unavailable(shared, error.to_string());
            shared.discovery_is_unwanted().await;
            return None;
        }
    };
    tokio::select! {
        end = session.run(shared, neighbours) => match end {
            End::Excess(excess) => return Some((session, excess)),
            End::Stopped => {
                unavailable(shared, "mDNS has ended".to_owned());
                shared.discovery_is_unwanted().await;
            }
        },
        () = shared.discovery_is_unwanted() => {}
    }
    session.say_goodbye().await;
    None
}

/// Ends a session that may have kept too much over time. Who was in sight stays so if the next session soon finds it.
async fn renew(worn: Session, neighbours: &mut Neighbours) {
    tracing::debug!("mDNS is started anew, with nothing in its memory");
    // The next session must not start while this one still takes memory.
    worn.stop().await;
    neighbours.doubt(Instant::now());
}

/// Ends a session that heard too much, forgets what it heard, and stays away for a while.
async fn sit_out(shared: &Shared, neighbours: &mut Neighbours, flooded: Session, pauses: &mut flood::Pauses) {
    let (pause, is_first) = pauses.next(Instant::now());
    let seconds = pause.as_secs();
    if is_first {
        tracing::warn!(seconds, "the local network is flooded with announcements: discovery pauses");
    } else {
        tracing::debug!(seconds, "the local network is flooded with announcements again");
    }
    let reason = "the local network is flooded with announcements; this is tried again by itself";
    shared.set_discovery_state(DiscoveryState::Unavailable(reason.to_owned()));
    // The next session must not start while this one still takes memory.
    tokio::join!(flooded.stop(), lose(shared, neighbours));
    neighbours.clear();
    sleep(pause).await;
}

fn unavailable(shared: &Shared, reason: String) {
    tracing::warn!(reason, "discovery is not possible");
    shared.set_discovery_state(DiscoveryState::Unavailable(reason));
}

/// Nobody is in sight any more.
async fn lose(shared: &Shared, neighbours: &Neighbours) {
    for node in neighbours.nodes() {
        shared.lost(node).await;
    }
}

async fn hear(shared: &Arc<Shared>, neighbours: &mut Neighbours, event: ServiceEvent) {
    match event {
        ServiceEvent::ServiceResolved(service) => {
            let heard = Heard::of_service(&service).and_then(|heard| neighbours.announced(heard));
            discovered(shared, heard).await;
        }
        ServiceEvent::ServiceRemoved(_, full_name) => {
            if let Some(node) = neighbours.removed(&full_name) {
                shared.lost(node).await;
            }
        }
        _ => {}
    }
}

async fn discovered(shared: &Arc<Shared>, heard: Option<Heard>) {
    if let Some(Heard { node, addresses }) = heard {
        shared.discovered(node, addresses).await;
    }
}

/// Waits for a moment, for ever if there is none.
async fn due(at: Option<Instant>) -> Instant {
    match at {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
    Instant::now()
}

#[cfg(test)]
mod tests;
