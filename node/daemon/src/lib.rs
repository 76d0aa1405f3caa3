//! The node: settings, supervision, roles, signals.
//!
//! Bytes come in through `qpq-net`, the engine decides inside one database transaction, the transaction is
//! committed, and only then do answers and effects go out. This crate is what connects the four:
//!
//! ```text
//!  programs, peers ──► service ──► writer (one thread: engine + database) ──► answers
//!                                      │
//!                      network ◄── effects
//! ```
//!
//! What must never be:
//!
//! - an answer or an effect before the commit of what led to it;
//! - a new key for a database that exists;
//! - a node that goes on after its writer has ended;
//! - a name, a text, an identity or a secret in a log.

mod actor;
mod arguments;
mod backup;
mod carried_file;
mod clock;
mod diagnose;
#[cfg(feature = "direct")]
mod direct;
#[cfg(not(feature = "direct"))]
#[path = "direct/absent.rs"]
mod direct;
mod drain;
mod effects;
mod environment;
mod heads;
mod logging;
mod long_poll;
mod machine;
#[cfg(feature = "metrics")]
mod metrics;
#[cfg(not(feature = "metrics"))]
#[path = "metrics/absent.rs"]
mod metrics;
mod node;
mod objects;
mod open;
#[cfg(feature = "packets")]
mod packets;
#[cfg(all(feature = "direct", not(feature = "packets")))]
#[path = "packets/absent.rs"]
mod packets;
pub mod paths;
mod private_file;
#[cfg(feature = "direct")]
mod relay;
#[cfg(not(feature = "direct"))]
#[path = "relay/absent.rs"]
mod relay;
#[cfg(feature = "direct")]
mod relay_clients;
#[cfg(not(feature = "direct"))]
#[path = "relay_clients/absent.rs"]
mod relay_clients;
mod relay_link;
mod relay_proof;
mod relaying;
mod room;
mod service;
pub mod settings;
mod status;
mod supervise;
mod unlock;
#[cfg(feature = "direct")]
mod waking;
#[cfg(not(feature = "direct"))]
#[path = "waking/absent.rs"]
mod waking;
mod wiring;

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use arguments::{Action, Arguments, ArgumentsError};
use settings::{Loaded, Settings};
use supervise::{Exit, Supervisor, complain};

pub use arguments::command;
pub use diagnose::check_disk;
pub use environment::Environment;
pub use relay_proof::{RelayProof, check_relay_proof};

/// Runs the program `qpqd` with these arguments and returns its exit code: 0 after a stop that was asked for, 1 if
/// the node cannot run, 2 for settings that cannot be used, 70 for a bug.
///
/// A first argument that is no flag is taken for the program's name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::parse(arguments) {
        Ok(arguments) => arguments,
        Err(ArgumentsError::Usage(error)) => {
            // Help goes to standard output; a reader who has left misses nothing.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Stopped.into() };
        }
        Err(ArgumentsError::Settings(error)) => return complain(Exit::Usage, &error.to_string()).into(),
    };
    if arguments.action == Action::PrintDefaultConfig {
        let _ = std::io::stdout().lock().write_all(Settings::default_document().as_bytes());
        return Exit::Stopped.into();
    }
    let environment = Environment::of_process();
    for unknown in Settings::unknown_variables(&environment) {
        complain(Exit::Stopped, &unknown);
    }
    let loaded = match Settings::load(&arguments.flags, &environment) {
        Ok(loaded) => loaded,
        Err(error) => return complain(Exit::Usage, &error.to_string()).into(),
    };
    if let Err(error) = loaded.settings.check() {
        return complain(Exit::Usage, &error.to_string()).into();
    }
    match arguments.action {
        Action::CheckConfig => check_config(&loaded, &environment).into(),
        _ => run_node(arguments, loaded, environment).into(),
    }
}

fn check_config(loaded: &Loaded, environment: &Environment) -> Exit {
    if let Err(error) = loaded.settings.check_files(environment) {
        return complain(Exit::Usage, &error.to_string());
    }
    let file = loaded.file.as_ref().map_or("no settings file".to_owned(), |path| path.display().to_string());
    complain(Exit::Stopped, &format!("the settings can be used ({file})"))
}

fn run_node(arguments: Arguments, loaded: Loaded, environment: Environment) -> Exit {
    let settings = loaded.settings;
    let log = logging::start(settings.log.clone(), settings.log_format, &environment);
    // Nobody else may read what the node makes, whatever the shell says.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    // MLS would take a thread for each processor. A pool that is there already serves as well.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(1).build_global();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKER_THREADS)
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return complain(Exit::Failed, &format!("no thread can be started: {error}")),
    };
    let exit = runtime.block_on(Supervisor { flags: arguments.flags, environment, settings, log }.run());
    // What still runs is of no use to anybody.
    runtime.shutdown_background();
    exit
}

const WORKER_THREADS: usize = 2;
const BLOCKING_THREADS_MAX: usize = 4;
