//! `qpq --relay LINK ...`: a person without a daemon, whose messages a relay keeps.
//!
//! The node runs as long as the command does, as a process of this same program with a directory of its own, and connects
//! with relays alone. A command meets it as it meets a daemon:
//!
//! ```text
//!  lock ─ node ─ fetch what the relay keeps ─ the command ─ until relays have what goes out ─ node stops ─ lock
//! ```
//!
//! One command at a time has the directory. The node holds the lock as well, so that it is free no sooner than the node
//! has ended, even if this program is killed. The command runs on a thread of its own: whatever it waits for, a signal ends
//! the node in order, and so does a defect of the command.

mod account;
mod lock;
mod progress;

use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

pub(crate) use account::{LightLoginArgs, LightRegisterArgs};

use self::lock::Lock;
use self::progress::Patience;
use crate::args::Command;
use crate::child::{self, NodeProcess, NotStarted};
use crate::commands::send::WaitState;
use crate::connect::Location;
use crate::context::Context;
use crate::exit::Error;
use crate::interruption::Interruption;

/// Runs a command with a node of its own, whose person uses this relay.
pub(crate) async fn run(context: &Context, link: String, command: Command) -> Result<(), Error> {
    let pin = pin_in(&link)?;
    let mut interruption = Interruption::new()?;
    let location = location(context)?;
    let context = Context {
        data_dir: Some(location.data_dir.clone()),
        socket: Some(location.socket.clone()),
        ..context.clone()
    };
    let started = tokio::select! {
        started = start(&context, &location) => started,
        () = interruption.wait() => Err(interrupted()),
    };
    let node = started?;
    let outcome = tokio::select! {
        outcome = serve(&context, link, &pin, command) => outcome,
        () = interruption.wait() => Ok(Err(interrupted())),
    };
    let stopped = node.stop().await;
    match outcome {
        Ok(outcome) => outcome.and(stopped.map(drop)),
        Err(panic) => resume_unwind(panic),
    }
}

/// Whether a command needs a node at all.
pub(crate) fn needs_node(command: &Command) -> bool {
    !matches!(command, Command::Completions(_) | Command::Man(_) | Command::Demo(_))
}

/// Where the node is: in the directory named, else in one beside that of the daemon, which is not disturbed.
fn location(context: &Context) -> Result<Location, Error> {
    let misplaced = |error: qpqd::paths::PathError| Error::Usage(error.to_string());
    let data_dir = match &context.data_dir {
        Some(named) => named.clone(),
        None => beside(qpqd::paths::data_dir(None).map_err(misplaced)?),
    };
    let data_dir = std::path::absolute(&data_dir).map_err(|source| Error::File { path: data_dir, source })?;
    let socket = data_dir.join("qpqd.sock");
    Location::resolve(Some(data_dir), Some(socket))
}

fn beside(ordinary: PathBuf) -> PathBuf {
    let mut name = ordinary.file_name().unwrap_or_default().to_owned();
    name.push("-light");
    ordinary.with_file_name(name)
}

/// Starts the node, once no other command has it.
async fn start(context: &Context, location: &Location) -> Result<NodeProcess, Error> {
    let path = &location.data_dir;
    let failed = |source| Error::File { path: path.clone(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
    let lock = Lock::take(context.output, path).await?;
    let mut command = child::command(path)?;
    command
        .args(["--config", "/dev/null", "--peers", "off"])
        .arg("--socket")
        .arg(&location.socket)
        .stdout(lock.into_stdio());
    let log = path.join("qpqd.log");
    let opened = File::create(&log).map_err(|source| Error::File { path: log.clone(), source })?;
    NodeProcess::start(command, opened).await.map_err(|failure| match failure {
        NotStarted::Ended(last_words) => {
            let reason = last_words.trim_start_matches("qpqd: ");
            Error::Negative(format!("the node does not start: {reason}"))
        }
        NotStarted::TimedOut => {
            Error::TimedOut(format!("the node did not start in time; {} says more", log.display()))
        }
        NotStarted::Impossible(error) => error,
    })
}

/// What is left of a command that panicked.
type Panic = Box<dyn std::any::Any + Send>;

/// Runs the command over the node's socket, between fetching what came and waiting until what it sent is away.
async fn serve(
    context: &Context,
    link: String,
    pin: &str,
    command: Command,
) -> Result<Result<(), Error>, Panic> {
    let is_reached = match progress::catch_up(context, pin, &command).await {
        Ok(is_reached) => is_reached,
        Err(error) => return Ok(Err(error)),
    };
    let outcome = on_own_thread(context.clone(), link, patient(command, is_reached)).await?;
    if let Err(error) = progress::see_off(context, Patience::default()).await {
        context.output.note(&format!("qpq: {error}"));
    }
    Ok(outcome)
}

/// A message counts as sent when a relay has it: until then the node is not to go.
fn patient(mut command: Command, is_reached: bool) -> Command {
    if let Command::Send(args) = &mut command
        && args.wait.is_none()
    {
        args.wait = Some(WaitState::Sent);
        args.timeout = if is_reached { SEND_PATIENCE } else { SEND_PATIENCE_UNREACHED };
    }
    command
}

/// Does it where it may block without anybody noticing.
async fn on_own_thread(context: Context, link: String, command: Command) -> Result<Result<(), Error>, Panic> {
    let (done, is_done) = oneshot::channel();
    let working = thread::spawn(move || {
        let outcome = crate::on_runtime(dispatch(&context, link, command));
        // Nobody waits any more after a signal.
        let _ = done.send(());
        outcome
    });
    // An error means that the thread has ended without a word: it panicked.
    let _ = is_done.await;
    working.join()
}

async fn dispatch(context: &Context, link: String, command: Command) -> Result<(), Error> {
    match command {
        Command::Register(args) => account::register(context, link, args).await,
        Command::Login(args) => account::log_in(context, link, args).await,
        other => crate::dispatch(context, other).await,
    }
}

/// The relay's pin, as far as the link must be read here: all else about it is the node's to judge.
fn pin_in(link: &str) -> Result<String, Error> {
    let text = link.trim().to_ascii_lowercase();
    let pin = text.strip_prefix("qpq://relay/").and_then(|rest| rest.split('/').next());
    let is_pin = |pin: &&str| pin.len() == 64 && pin.bytes().all(|byte| byte.is_ascii_hexdigit());
    let wrong = "--relay wants a link to a relay, which starts with \"qpq://relay/\": `qpq relay invite` prints it there";
    pin.filter(is_pin).map(str::to_owned).ok_or_else(|| Error::Usage(wrong.to_owned()))
}

fn interrupted() -> Error {
    Error::Negative("interrupted".to_owned())
}

/// How long a message may take to a relay before it is said that it waits.
const SEND_PATIENCE: Duration = Duration::from_secs(15);
/// The same if this person's own relay is not reached: another one's hardly is.
const SEND_PATIENCE_UNREACHED: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Output;

    #[test]
    fn the_node_lives_beside_the_daemons_or_where_it_is_told_to() {
        assert_eq!(
            beside("/home/a/.local/share/qpq".into()),
            PathBuf::from("/home/a/.local/share/qpq-light")
        );
        let named = Context {
            data_dir: Some("/tmp/light".into()),
            socket: Some("/tmp/other.sock".into()),
            output: Output::new(false),
            assume_yes: false,
        };
        let location = location(&named).unwrap();
        assert_eq!(location.data_dir, PathBuf::from("/tmp/light"));
        assert_eq!(location.socket, PathBuf::from("/tmp/light/qpqd.sock"));
    }

    #[test]
    fn the_pin_of_a_link() {
        let pin = "aB".repeat(32);
        let link = format!(" QPQ://relay/{pin}/{pin}/relay.example:5001\n");
        assert_eq!(pin_in(&link).unwrap(), pin.to_lowercase());
        for wrong in ["", "qpq:ABC", "qpq://relay/", "qpq://relay/ab/cd/e:1", &"ab".repeat(32)] {
            assert_eq!(pin_in(wrong).unwrap_err().exit(), crate::exit::Exit::Usage, "{wrong}");
        }
    }
}
