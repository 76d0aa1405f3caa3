//! Running a node under the eyes of whoever started it: signals, reload, service manager, exit code.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

use crate::actor::ActorEnd;
use crate::environment::Environment;
use crate::logging::LogControl;
use crate::node::{Node, StartError};
use crate::paths::PathError;
use crate::settings::{Effect, Flags, Loaded, Settings, SettingsError, UnusableError};

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// As asked.
    Stopped,
    /// Something outside the program is wrong.
    Failed,
    /// Flags or settings cannot be used.
    Usage,
    /// A bug.
    Bug,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Stopped => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Bug => 70,
        })
    }
}

/// The signals that mean something to a node.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next wish.
    async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.terminate.recv() => Wish::Stop,
            _ = self.interrupt.recv() => Wish::Stop,
            _ = self.hang_up.recv() => Wish::Reload,
        }
    }

    /// Waits for the wish that the node stop, and ignores others.
    async fn stop(&mut self) {
        while self.next().await != Wish::Stop {}
    }
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Stop,
    Reload,
}

/// A node and what may be asked of it while it runs.
pub(crate) struct Supervisor {
    /// Flags, for a reload.
    pub(crate) flags: Flags,
    /// The process's variables.
    pub(crate) environment: Environment,
    /// The settings in force.
    pub(crate) settings: Settings,
    /// Changes what is logged.
    pub(crate) log: LogControl,
}

/// Settings that a running node does not take up.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
enum Unusable {
    Unread(#[from] SettingsError),
    Unfit(#[from] UnusableError),
}

impl Supervisor {
    /// Runs a node until it is told to stop, or cannot go on.
    pub(crate) async fn run(mut self) -> Exit {
        let mut signals = match Signals::new() {
            Ok(signals) => signals,
            Err(error) => return complain(Exit::Failed, &format!("signals cannot be received: {error}")),
        };
        let started = tokio::select! {
            started = Node::start(&self.settings, &self.environment) => started,
            () = signals.stop() => return Exit::Stopped,
        };
        let mut node = match started {
            Ok(node) => node,
            Err(error) => return complain(exit_of(&error), &error.to_string()),
        };
        // Whoever started the node without reading its errors need not hear that it is ready.
        let _ = writeln!(std::io::stderr().lock(), "{}", node.ready_line());
        notify(&[NotifyState::Ready]);

        if let Some(end) = self.watch(&mut node, &mut signals).await {
            node.abandon().await;
            return complain(exit_of_writer(&end), &format!("the node cannot go on: {end}"));
        }
        notify(&[NotifyState::Stopping]);
        tokio::select! {
            end = node.stop() => exit_of_writer(&end),
            () = signals.stop() => Exit::Failed,
        }
    }

    /// Serves signals and the service manager's watchdog. Returns how the writer ended, or nothing when the
    /// node is to stop.
    async fn watch(&mut self, node: &mut Node, signals: &mut Signals) -> Option<ActorEnd> {
        let mut watchdog = sd_notify::watchdog_enabled().map(|limit| {
            let mut ticks = interval(limit.max(WATCHDOG_MIN) / 2);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        });
        loop {
            let tick = async {
                match &mut watchdog {
                    Some(ticks) => ticks.tick().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                end = node.writer_ended() => return Some(end),
                wish = signals.next() => match wish {
                    Wish::Stop => return None,
                    Wish::Reload => self.reload(node),
                },
                _ = tick => {
                    if node.is_alive().await {
                        notify(&[NotifyState::Watchdog]);
                    }
                }
            }
        }
    }

    /// Reads the settings again and takes up what a running node can.
    fn reload(&mut self, node: &Node) {
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            notify(&[NotifyState::Reloading, now]);
        }
        match self.usable_settings() {
            Err(error) => tracing::error!("the settings stay as they are: {error}"),
            Ok(settings) => {
                for key in self.settings.changed(&settings) {
                    match key.effect {
                        Effect::Live => tracing::info!(setting = key.name, "changed"),
                        Effect::Restart => tracing::warn!(setting = key.name, "changes at the next start"),
                    }
                }
                self.log.set_filter(settings.log.clone());
                node.apply(&settings);
                self.settings = settings;
            }
        }
        notify(&[NotifyState::Ready]);
    }

    /// The settings as they are now, if a node could be started with them.
    fn usable_settings(&self) -> Result<Settings, Unusable> {
        let Loaded { settings, .. } = Settings::load(&self.flags, &self.environment)?;
        settings.check()?;
        settings.check_files(&self.environment)?;
        Ok(settings)
    }
}

fn exit_of(error: &StartError) -> Exit {
    match error {
        StartError::Path(
            PathError::Settings(_) | PathError::NoDataDirectory | PathError::SocketPathTooLong { .. },
        ) => Exit::Usage,
        StartError::Writer(_) => Exit::Bug,
        _ => Exit::Failed,
    }
}

fn exit_of_writer(end: &ActorEnd) -> Exit {
    match end {
        ActorEnd::Stopped => Exit::Stopped,
        ActorEnd::CommitFailed(_) | ActorEnd::RotationFailed(_) => Exit::Failed,
        ActorEnd::Panicked => Exit::Bug,
    }
}

/// Says on standard error why the program ends.
pub(crate) fn complain(exit: Exit, message: &str) -> Exit {
    // Nobody is left to tell that nobody can be told.
    let _ = writeln!(std::io::stderr().lock(), "qpqd: {message}");
    exit
}

/// Tells the service manager, if there is one.
fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!("the service manager was not told: {error}");
    }
}

/// A watchdog that wants more than ten signs of life a second gets ten.
const WATCHDOG_MIN: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use qpq_store::{CommitError, Failure};

    use super::*;

    #[test]
    fn what_went_wrong_decides_the_exit_code() {
        assert_eq!(exit_of_writer(&ActorEnd::Stopped), Exit::Stopped);
        assert_eq!(exit_of_writer(&ActorEnd::CommitFailed(CommitError(Failure::Latched))), Exit::Failed);
        assert_eq!(exit_of_writer(&ActorEnd::RotationFailed(CommitError(Failure::Latched))), Exit::Failed);
        assert_eq!(exit_of_writer(&ActorEnd::Panicked), Exit::Bug);
        assert_eq!(exit_of(&StartError::Path(PathError::NoDataDirectory)), Exit::Usage);
        assert_eq!(exit_of(&StartError::Writer(ActorEnd::Panicked)), Exit::Bug);
        assert_eq!(exit_of(&StartError::Thread(std::io::ErrorKind::OutOfMemory.into())), Exit::Failed);
    }
}
