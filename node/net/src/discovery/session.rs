//! One session of mDNS: announcing, listening, and ending in order.

use std::sync::Arc;

use mdns_sd::{DaemonEvent, Receiver, ServiceDaemon, ServiceEvent};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::announcement::{Announcement, Heard, SERVICE_TYPE};
use super::neighbours::Neighbours;
use super::{ANSWERS_QUEUED_MAX, PATIENCE, discovered, due, flood, hear, inquiry, unavailable};
use crate::discovery::DiscoveryState;
use crate::peers::Shared;

/// A running announcement and search.
pub(super) struct Session {
    daemon: ServiceDaemon,
    monitor: Receiver<DaemonEvent>,
    events: Receiver<ServiceEvent>,
    full_name: String,
    load: flood::Watch,
}

/// Why a session is over.
pub(super) enum End {
    /// mDNS has ended.
    Stopped,
    /// mDNS holds more than there is reason to keep.
    Excess(flood::Excess),
}

impl Session {
    /// Listens, and then announces: whoever announces itself later must be heard.
    pub(super) fn start(announcement: &Announcement) -> Result<Self, mdns_sd::Error> {
        let service = announcement.service()?;
        let daemon = ServiceDaemon::new()?;
        let (monitor, events) = (daemon.monitor()?, daemon.browse(SERVICE_TYPE)?);
        let full_name = service.get_fullname().to_owned();
        daemon.register(service)?;
        Ok(Self { daemon, monitor, events, full_name, load: flood::Watch::default() })
    }

    pub(super) async fn run(&self, shared: &Arc<Shared>, neighbours: &mut Neighbours) -> End {
        let (answers, answered) = mpsc::channel(ANSWERS_QUEUED_MAX);
        tokio::select! {
            () = self.listen(shared, neighbours, answered) => End::Stopped,
            () = self.watch(shared, answers) => End::Stopped,
            excess = self.load.run(&self.daemon) => End::Excess(excess),
        }
    }

    /// Hears what others announce, and what they answer. Returns when mDNS has ended.
    async fn listen(
        &self,
        shared: &Arc<Shared>,
        neighbours: &mut Neighbours,
        mut answers: mpsc::Receiver<Heard>,
    ) {
        let mut events = self.events.clone();
        loop {
            let next_expiry = neighbours.next_expiry();
            tokio::select! {
                event = events.recv_async() => match event {
                    Ok(event) => {
                        hear(shared, neighbours, event).await;
                        self.load.heard(neighbours.len());
                    }
                    // A listener that lags behind is dropped by mDNS, and comes back.
                    Err(_) => match self.daemon.browse(SERVICE_TYPE) {
                        Ok(again) => events = again,
                        Err(_) => return,
                    },
                },
                Some(answer) = answers.recv() => {
                    discovered(shared, neighbours.answered(answer, Instant::now())).await;
                }
                now = due(next_expiry) => for node in neighbours.expired(now) {
                    shared.lost(node).await;
                },
            }
        }
    }

    /// Keeps the state of discovery up to date, and asks who is there when the node can be heard. Returns when mDNS has
    /// ended.
    async fn watch(&self, shared: &Shared, answers: mpsc::Sender<Heard>) {
        // Sockets that cannot be opened and groups that cannot be joined are only noticed by the absence of
        // announcements.
        let mut announced = timeout(PATIENCE, self.announced()).await;
        if announced.is_err() {
            unavailable(shared, "no interface allows multicast".to_owned());
            announced = Ok(self.announced().await);
        }
        if announced == Ok(true) {
            shared.set_discovery_state(DiscoveryState::Running);
            inquiry::run(&answers).await;
        }
        drop(answers);
        while self.monitor.recv_async().await.is_ok() {}
    }

    /// Waits for the first announcement; false if mDNS has ended.
    async fn announced(&self) -> bool {
        while let Ok(event) = self.monitor.recv_async().await {
            match event {
                DaemonEvent::Announce(..) => return true,
                DaemonEvent::Error(error) => tracing::debug!(%error, "mDNS"),
                _ => {}
            }
        }
        false
    }

    /// Withdraws the announcement, and stops. What does not happen soon does not happen: records expire.
    pub(super) async fn say_goodbye(self) {
        if let Ok(withdrawn) = self.daemon.unregister(&self.full_name) {
            let _ = timeout(PATIENCE, withdrawn.recv_async()).await;
        }
        let _ = timeout(PATIENCE, self.stop()).await;
    }

    /// Stops, and returns when all that mDNS held is given back, which it may be too busy for at the moment.
    pub(super) async fn stop(self) {
        loop {
            match self.daemon.shutdown() {
                Ok(stopped) => return drop(stopped.recv_async().await),
                Err(mdns_sd::Error::Again) => sleep(PATIENCE).await,
                Err(_) => return,
            }
        }
    }
}
