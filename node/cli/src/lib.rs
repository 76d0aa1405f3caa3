//! The command line of quicproquo: commands, a prompt and a demonstration.
//!
//! `qpq` is a client of the method table and nothing more. It holds no keys, opens no database and decides nothing;
//! whatever it does, another program can do over the same socket.
//!
//! ```text
//!  args ──► commands ──► connect ──► method table of qpqd, or of a node started for the command (light)
//!              │
//!              └──► views ──► output (people, or JSON)
//! ```
//!
//! * [`run`] is the whole program; the build for routers calls it when its one file is started as `qpq`.
//! * A command is a file in `commands`; what it shows is a type with a JSON form and a human form.
//! * What other people wrote is foreign: it reaches a terminal through `printable` only.

mod args;
#[cfg(feature = "terminal")]
mod chat;
#[cfg(feature = "terminal")]
mod child;
mod commands;
mod connect;
mod context;
#[cfg(feature = "terminal")]
mod demo;
mod durations;
mod exit;
mod follow;
#[cfg(feature = "terminal")]
mod interruption;
#[cfg(feature = "terminal")]
mod light;
mod output;
mod patience;
mod printable;
mod prompt;
mod times;
mod views;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::args::{Cli, Command};
use crate::context::Context;
use crate::exit::{Error, Exit};
use crate::output::Output;

/// Runs `qpq` with the arguments given, the program's name first, and returns the code with which to end:
/// 0 done, 1 the answer is no, 2 usage, 3 no daemon answers, 4 untrusted or changed key, 5 timed out or only queued,
/// 6 denied, 70 a defect.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    #[cfg(feature = "terminal")]
    if args.get(1).is_some_and(|first| first == child::DAEMON_COMMAND) {
        return child::run_daemon(args);
    }
    let cli = match Cli::read(args) {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let context = Context {
        data_dir: cli.data_dir,
        socket: cli.socket,
        output: Output::new(cli.json),
        assume_yes: cli.yes,
    };
    #[cfg(feature = "terminal")]
    let done = start(&context, cli.relay, cli.command);
    #[cfg(not(feature = "terminal"))]
    let done = on_runtime(dispatch(&context, cli.command));
    match done {
        Ok(()) => Exit::Ok.into(),
        Err(error) => {
            context.output.error(&error);
            error.exit().into()
        }
    }
}

#[cfg(feature = "terminal")]
fn start(context: &Context, relay: Option<String>, command: Command) -> Result<(), Error> {
    match relay.filter(|_| light::needs_node(&command)) {
        Some(link) => on_runtime(light::run(context, link, command)),
        None => on_runtime(dispatch(context, command)),
    }
}

/// Waits for something on this thread.
fn on_runtime(work: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::System { what: "starting", source })?;
    let outcome = runtime.block_on(work);
    // A thread that still waits for a line from standard input must not keep the program.
    runtime.shutdown_background();
    outcome
}

async fn dispatch(context: &Context, command: Command) -> Result<(), Error> {
    match command {
        Command::Init(args) => commands::identity::init(context, args).await,
        Command::Id => commands::identity::id(context).await,
        Command::Status(args) => commands::status::run(context, args).await,
        Command::Invite(args) => commands::invite::run(context, args).await,
        Command::Contact(command) => commands::contact::run(context, command).await,
        Command::Send(args) => commands::send::run(context, args).await,
        Command::Read(args) => commands::read::run(context, args).await,
        Command::Group(command) => commands::group::run(context, command).await,
        Command::Mesh(command) => commands::mesh::run(context, command).await,
        Command::Role(args) => commands::role::run(context, args).await,
        Command::Relay(args) => commands::relay::run(context, args).await,
        #[cfg(feature = "terminal")]
        Command::Register(_) | Command::Login(_) => Err(without_relay()),
        #[cfg(feature = "terminal")]
        Command::Chat => chat::run(context).await,
        Command::Doctor => commands::doctor::run(context).await,
        Command::Events(args) => commands::events::run(context, args).await,
        Command::Trace(args) => commands::trace::run(context, args).await,
        Command::Backup(command) => commands::backup::run(context, command).await,
        Command::Recovery(command) => commands::recovery::run(context, command).await,
        #[cfg(feature = "terminal")]
        Command::Completions(args) => commands::completions::completions(context, args),
        #[cfg(feature = "terminal")]
        Command::Man(args) => commands::completions::man(context, args),
        #[cfg(feature = "terminal")]
        Command::Demo(args) => demo::run(context, args).await,
    }
}

#[cfg(feature = "terminal")]
fn without_relay() -> Error {
    Error::Usage(
        "this needs a relay: `qpq --relay LINK register --username NAME`; with a daemon it is `qpq relay register LINK \
         --username NAME`"
            .to_owned(),
    )
}

/// Help and version are answers; anything else that clap says is wrong usage.
fn refuse(error: &clap::Error) -> ExitCode {
    // Nobody may be there to read it.
    let _ = error.print();
    if error.use_stderr() { Exit::Usage.into() } else { Exit::Ok.into() }
}
