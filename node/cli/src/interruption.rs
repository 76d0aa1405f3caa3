//! The signals by which the person or the system wants the program to end.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Error;

/// They are taken before there is anything to clean up.
#[derive(Debug)]
pub(crate) struct Interruption {
    interrupt: Signal,
    terminate: Signal,
    /// The terminal is closed.
    hang_up: Signal,
}

impl Interruption {
    /// From now on they do not end the program by themselves.
    pub(crate) fn new() -> Result<Self, Error> {
        let taken = |kind| signal(kind).map_err(|source| Error::System { what: "taking signals", source });
        Ok(Self {
            interrupt: taken(SignalKind::interrupt())?,
            terminate: taken(SignalKind::terminate())?,
            hang_up: taken(SignalKind::hangup())?,
        })
    }

    /// Waits for one of them.
    pub(crate) async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}
