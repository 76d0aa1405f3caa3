//! The command line, declared once: help, completions and man pages are derived from it.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, CommandFactory, FromArgMatches, Parser, Subcommand};

#[cfg(feature = "terminal")]
use crate::commands::completions::{CompletionsArgs, ManArgs};
use crate::commands::{
    backup::BackupCommand, contact::ContactCommand, events::EventsArgs, group::GroupCommand,
    identity::InitArgs, invite::InviteArgs, mesh::MeshCommand, read::ReadArgs, recovery::RecoveryCommand,
    relay::RelayArgs, role::RoleArgs, send::SendArgs, status::StatusArgs, trace::TraceArgs,
};
#[cfg(feature = "terminal")]
use crate::demo::DemoArgs;
#[cfg(feature = "terminal")]
use crate::light::{LightLoginArgs, LightRegisterArgs};

/// Talk to people nearby and far away, end-to-end encrypted, through the node on this machine (qpqd).
///
/// A contact is written @name, a group #name. Shells take # for a comment: write '#name'.
#[derive(Debug, Parser)]
#[command(name = "qpq", version, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Cli {
    /// The node's data directory, where its socket is.
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "DIR", env = "QPQ_DATA_DIR", hide_env_values = true)]
    pub(crate) data_dir: Option<PathBuf>,
    /// The node's socket itself, wherever it is.
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "PATH", env = "QPQ_SOCKET", hide_env_values = true)]
    pub(crate) socket: Option<PathBuf>,
    /// Do without a daemon: run a node for this command alone, whose messages this relay keeps. Stands before the
    /// command; the node lies in a directory of its own.
    #[cfg(feature = "terminal")]
    #[arg(long = "relay", id = "light-relay", help_heading = EVERYWHERE, value_name = "LINK", env = "QPQ_RELAY", hide_env_values = true)]
    pub(crate) relay: Option<String>,
    /// Print JSON: an object with a schema, one a line where there are several.
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub(crate) json: bool,
    /// Answer yes to every question.
    #[arg(short, long, global = true, help_heading = EVERYWHERE)]
    pub(crate) yes: bool,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make your identity on this node.
    Init(InitArgs),
    /// Show your identity and this node's key.
    Id,
    /// Show how the node is: peers and how each is reached, what waits, health.
    Status(StatusArgs),
    /// Make a link by which somebody becomes a contact.
    Invite(InviteArgs),
    /// Contacts: add, accept, list, rename, verify, block, remove.
    #[command(subcommand)]
    Contact(ContactCommand),
    /// Send a message to a contact or a group.
    Send(SendArgs),
    /// Read messages.
    Read(ReadArgs),
    /// Groups: create, invite, join, leave, remove members, rotate keys.
    #[command(subcommand)]
    Group(GroupCommand),
    /// The mesh: neighbours, what is carried, files of bundles, pairing, topics.
    #[command(subcommand)]
    Mesh(MeshCommand),
    /// Show or switch what this node does for others.
    Role(RoleArgs),
    /// Relays: the one that this node is, and those that keep your messages.
    Relay(RelayArgs),
    /// Make an account at the relay of --relay, and an identity if there is none.
    #[cfg(feature = "terminal")]
    Register(LightRegisterArgs),
    /// Log in at the relay of --relay.
    #[cfg(feature = "terminal")]
    Login(LightLoginArgs),
    /// Chat at a prompt.
    #[cfg(feature = "terminal")]
    Chat,
    /// Look for what is wrong, and say what helps.
    Doctor,
    /// Follow what happens on the node.
    Events(EventsArgs),
    /// Say what happened to a message, and why it is not further.
    Trace(TraceArgs),
    /// Backups: create, verify, restore.
    #[command(subcommand)]
    Backup(BackupCommand),
    /// Recovery codes, by which you come back when every device is lost: setup, list, revoke, use.
    #[command(subcommand)]
    Recovery(RecoveryCommand),
    /// Print completions for a shell.
    #[cfg(feature = "terminal")]
    Completions(CompletionsArgs),
    /// Print the manual page, or write all of them into a directory.
    #[cfg(feature = "terminal")]
    Man(ManArgs),
    /// Show all of it with three nodes on this machine.
    #[cfg(feature = "terminal")]
    Demo(DemoArgs),
}

impl Cli {
    /// Reads the command line. A variable that is set to nothing counts as absent, as it does for the daemon.
    pub(crate) fn read(args: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let is_empty =
            |arg: &Arg| arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
        let ignore_if_empty = |arg: Arg| if is_empty(&arg) { arg.env(None::<&'static str>) } else { arg };
        let mut command = command_line().mut_args(ignore_if_empty);
        let mut matches = command.try_get_matches_from_mut(args)?;
        Self::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
    }
}

/// The whole command line as clap sees it.
pub(crate) fn command_line() -> clap::Command {
    Cli::command()
}

const EXIT_CODES: &str = "\
Exit codes:
   0  done                                  4  a key is not trusted, or has changed
   1  the answer is no                      5  timed out, or only queued
   2  wrong usage                           6  denied
   3  no daemon answers                    70  a defect";

const EVERYWHERE: &str = "Options of every command";

#[cfg(test)]
mod tests;
