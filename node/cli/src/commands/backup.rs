//! `qpq backup`: encrypted backups, made by the daemon while it runs.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use qpq_proto::v1;
use serde::Serialize;

use crate::connect::quote;
use crate::context::{Context, absolute};
use crate::exit::Error;
use crate::output::{Show, Style};
use crate::printable::printable;
use crate::prompt::{Passphrase, PassphraseArgs, passphrase};
use crate::views::{count, hex};

/// What to do with backups.
#[derive(Debug, Subcommand)]
pub(crate) enum BackupCommand {
    /// Write an encrypted backup while the node runs.
    Create(BackupArgs),
    /// Open a backup and count what is in it; nothing is changed.
    Verify(BackupArgs),
    /// Restore a backup into a node without an identity, which becomes a new device of that identity.
    Restore(BackupArgs),
}

/// Which file.
#[derive(Debug, clap::Args)]
pub(crate) struct BackupArgs {
    /// The backup, on the machine on which the node runs.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArgs,
}

/// Does it.
pub(crate) async fn run(context: &Context, command: BackupCommand) -> Result<(), Error> {
    match command {
        BackupCommand::Create(args) => create(context, args).await,
        BackupCommand::Verify(args) => verify(context, args).await,
        BackupCommand::Restore(args) => restore(context, args).await,
    }
}

async fn create(context: &Context, args: BackupArgs) -> Result<(), Error> {
    let path = absolute(&args.file)?;
    let daemon = context.daemon().await?;
    let passphrase = passphrase(&args.passphrase, Passphrase::New)?;
    let request = v1::CreateBackupRequest { path: path.clone(), passphrase: passphrase.to_vec() };
    let made = daemon.create_backup(&request).await?;
    let advice = format!(
        "Without the passphrase nobody can open it, you neither. Check it: qpq backup verify {}",
        quote(Path::new(&path))
    );
    context.output.show(&BackupView {
        path,
        bytes: made.bytes,
        contacts: made.contacts,
        messages: made.messages,
    })?;
    context.output.note(&printable(&advice));
    Ok(())
}

async fn verify(context: &Context, args: BackupArgs) -> Result<(), Error> {
    let path = absolute(&args.file)?;
    let daemon = context.daemon().await?;
    let passphrase = passphrase(&args.passphrase, Passphrase::Known)?;
    let request = v1::VerifyBackupRequest { path: path.clone(), passphrase: passphrase.to_vec() };
    let found = daemon.verify_backup(&request).await?;
    context.output.show(&ContentView {
        path,
        identity: hex(&found.identity),
        name: found.name,
        created_at_ms: found.created_at_ms,
        contacts: found.contacts,
        messages: found.messages,
    })
}

async fn restore(context: &Context, args: BackupArgs) -> Result<(), Error> {
    let path = absolute(&args.file)?;
    let daemon = context.daemon().await?;
    let passphrase = passphrase(&args.passphrase, Passphrase::Known)?;
    let request = v1::RestoreBackupRequest { path, passphrase: passphrase.to_vec() };
    let restored = daemon.restore_backup(&request).await?;
    context.output.show(&RestoredView {
        identity: hex(&restored.identity),
        name: restored.name,
        contacts: restored.contacts,
        messages: restored.messages,
    })
}

/// A backup made.
#[derive(Debug, Serialize)]
struct BackupView {
    path: String,
    bytes: u64,
    contacts: u64,
    messages: u64,
}

impl Show for BackupView {
    const SCHEMA: &'static str = "qpq.backup/1";

    fn human(&self, _style: &Style) -> String {
        let content = content(self.contacts, self.messages);
        format!("{}: {} with {content}", printable(&self.path), count(self.bytes, "byte"))
    }
}

/// What is in a backup.
#[derive(Debug, Serialize)]
struct ContentView {
    path: String,
    identity: String,
    name: String,
    created_at_ms: u64,
    contacts: u64,
    messages: u64,
}

impl Show for ContentView {
    const SCHEMA: &'static str = "qpq.backup-content/1";

    fn human(&self, style: &Style) -> String {
        let (name, made) = (printable(&self.name), style.zone.date_time(self.created_at_ms));
        let content = content(self.contacts, self.messages);
        format!("{}: a good backup of {name}, made {made}, with {content}", printable(&self.path))
    }
}

/// What was restored.
#[derive(Debug, Serialize)]
struct RestoredView {
    identity: String,
    name: String,
    contacts: u64,
    messages: u64,
}

impl Show for RestoredView {
    const SCHEMA: &'static str = "qpq.restored/1";

    fn human(&self, style: &Style) -> String {
        let name = style.bold(&printable(&self.name));
        let content = content(self.contacts, self.messages);
        format!("You are {name} again, on a new device, with {content}.")
    }
}

fn content(contacts: u64, messages: u64) -> String {
    format!("{} and {}", count(contacts, "contact"), count(messages, "message"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{PLAIN, to_json};

    #[test]
    fn json_of_a_backup() {
        let view = BackupView { path: "/tmp/b".into(), bytes: 4_096, contacts: 2, messages: 3 };
        let json = r#"{"schema":"qpq.backup/1","path":"/tmp/b","bytes":4096,"contacts":2,"messages":3}"#;
        assert_eq!(to_json(&view).unwrap(), json);
        assert_eq!(view.human(&PLAIN), "/tmp/b: 4096 bytes with 2 contacts and 3 messages");
    }
}
