//! One command at a time has the directory of a node that it starts itself.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use tokio::time::sleep;

use crate::exit::Error;
use crate::follow::Deadline;
use crate::output::Output;

/// The lock. It belongs to the open file: whoever is given that holds it too.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// Takes it, and waits for whoever has it; says so, and not for ever.
    pub(super) async fn take(output: Output, directory: &Path) -> Result<Self, Error> {
        let path = directory.join("command.lock");
        let failed = |source| Error::File { path: path.clone(), source };
        let opened = File::options().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = opened.map_err(failed)?;
        let deadline = Deadline::after(PATIENCE);
        let mut is_said = false;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self(file)),
                Err(Errno::WOULDBLOCK) if deadline.left().is_zero() => return Err(taken(directory)),
                Err(Errno::WOULDBLOCK | Errno::INTR) => {}
                Err(error) => return Err(failed(error.into())),
            }
            if !std::mem::replace(&mut is_said, true) {
                output.note("qpq: another command with --relay is at work: waiting until it is done");
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Gives it to the node, as the standard output on which it says nothing.
    pub(super) fn into_stdio(self) -> Stdio {
        self.0.into()
    }
}

fn taken(directory: &Path) -> Error {
    Error::TimedOut(format!(
        "another command with --relay has been at work in {} for {} seconds: end it, or name another directory with \
         --data-dir",
        directory.display(),
        PATIENCE.as_secs()
    ))
}

const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    /// Time passes by itself here, as long as nothing else is to be done.
    #[tokio::test(start_paused = true)]
    async fn the_second_waits_for_the_first_and_not_for_ever() {
        let directory = tempfile::tempdir().unwrap();
        let output = Output::new(false);
        let first = Lock::take(output, directory.path()).await.unwrap();
        let late = Lock::take(output, directory.path()).await.unwrap_err();
        assert_eq!(late.exit(), crate::exit::Exit::TimedOut);
        assert!(late.to_string().contains("--data-dir"), "{late}");
        let path = directory.path().to_owned();
        let second = tokio::spawn(async move { Lock::take(output, &path).await });
        tokio::task::yield_now().await;
        drop(first);
        second.await.unwrap().unwrap();
    }
}
