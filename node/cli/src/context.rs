//! What every command is given: where the daemon is, and how to speak to the person.

use std::path::{Path, PathBuf};

use crate::connect::{self, Daemon, Location};
use crate::exit::Error;
use crate::output::Output;
use crate::prompt;

/// The surroundings of a command.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// The data directory named.
    pub(crate) data_dir: Option<PathBuf>,
    /// The socket named.
    pub(crate) socket: Option<PathBuf>,
    /// How to speak.
    pub(crate) output: Output,
    /// Every question is answered yes.
    pub(crate) assume_yes: bool,
}

impl Context {
    /// Where the daemon is; found only when it is needed, so that a broken settings file does not stop a command
    /// that needs no daemon.
    pub(crate) fn location(&self) -> Result<Location, Error> {
        Location::resolve(self.data_dir.clone(), self.socket.clone())
    }

    /// Connects to the daemon.
    pub(crate) async fn daemon(&self) -> Result<Daemon, Error> {
        connect::connect(&self.location()?).await
    }

    /// Asks before something is destroyed.
    pub(crate) fn confirm(&self, action: &str) -> Result<(), Error> {
        prompt::confirm(self.assume_yes, action)
    }
}

/// A part that an answer must have.
pub(crate) fn required<T>(part: Option<T>, name: &'static str) -> Result<T, Error> {
    part.ok_or(Error::Incomplete(name))
}

/// A path as the daemon, which has another working directory, must be given it.
pub(crate) fn absolute(path: &Path) -> Result<String, Error> {
    let absolute =
        std::path::absolute(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
    let text = absolute.into_os_string().into_string();
    text.map_err(|path| Error::Usage(format!("{}: the path is not UTF-8", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_made_absolute() {
        assert_eq!(absolute(Path::new("/tmp/backup")).unwrap(), "/tmp/backup");
        assert!(absolute(Path::new("backup")).unwrap().ends_with("/backup"));
        assert!(absolute(Path::new("")).is_err());
    }
}
