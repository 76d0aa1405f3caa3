//! Asking the person at the terminal: yes or no, and for passphrases. Nobody is asked where there is no terminal.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::exit::Error;

/// Where a passphrase comes from, never from an argument.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct PassphraseArgs {
    /// Take the passphrase from the first line of this file, instead of asking or of QPQ_PASSPHRASE.
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

/// Whether a new passphrase is chosen, or a known one given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passphrase {
    /// Chosen now: asked for twice, and not too short.
    New,
    /// Known already.
    Known,
}

/// Asks before something is destroyed: nothing if `assume_yes`, [`Error::Unconfirmed`] where nobody can be asked.
pub(crate) fn confirm(assume_yes: bool, action: &str) -> Result<(), Error> {
    if assume_yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Error::Unconfirmed(action.to_owned()));
    }
    let mut stderr = io::stderr();
    let asked = write!(stderr, "{action}? [y/N] ").and_then(|()| stderr.flush());
    asked.map_err(|source| Error::System { what: "asking", source })?;
    let mut answer = String::new();
    io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(|source| Error::System { what: "reading the answer", source })?;
    if is_yes(&answer) { Ok(()) } else { Err(Error::Declined) }
}

/// The passphrase: from the file named, else from `QPQ_PASSPHRASE`, else asked for on the terminal.
pub(crate) fn passphrase(args: &PassphraseArgs, kind: Passphrase) -> Result<Zeroizing<Vec<u8>>, Error> {
    let passphrase = match &args.passphrase_file {
        Some(path) => read_first_line(path)?,
        None => match std::env::var("QPQ_PASSPHRASE") {
            Ok(value) => Zeroizing::new(value.into_bytes()),
            Err(_) => ask_passphrase(kind)?,
        },
    };
    if kind == Passphrase::New && passphrase.len() < PASSPHRASE_BYTES_MIN {
        return Err(Error::Usage(format!(
            "the passphrase is too short: at least {PASSPHRASE_BYTES_MIN} bytes"
        )));
    }
    Ok(passphrase)
}

fn ask_passphrase(kind: Passphrase) -> Result<Zeroizing<Vec<u8>>, Error> {
    if !io::stdin().is_terminal() {
        let hint =
            "no passphrase: give --passphrase-file FILE or set QPQ_PASSPHRASE where nobody can be asked";
        return Err(Error::Usage(hint.to_owned()));
    }
    let first = ask_hidden("Passphrase: ")?;
    if kind == Passphrase::New && first != ask_hidden("The same again: ")? {
        return Err(Error::Usage("the two passphrases differ".to_owned()));
    }
    Ok(Zeroizing::new(first.as_bytes().to_vec()))
}

fn ask_hidden(prompt: &str) -> Result<Zeroizing<String>, Error> {
    let answer = rpassword::prompt_password(prompt);
    answer.map(Zeroizing::new).map_err(|source| Error::System { what: "reading the passphrase", source })
}

fn read_first_line(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    let bytes = Zeroizing::new(std::fs::read(path).map_err(failed)?);
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(Zeroizing::new(line.strip_suffix(b"\r").unwrap_or(line).to_vec()))
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

/// The shortest passphrase with which a backup is made.
const PASSPHRASE_BYTES_MIN: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    fn file_with(content: &[u8]) -> (tempfile::TempDir, PassphraseArgs) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("passphrase");
        std::fs::write(&path, content).unwrap();
        (directory, PassphraseArgs { passphrase_file: Some(path) })
    }

    #[test]
    fn the_first_line_of_a_file() {
        for (content, wanted) in [
            (&b"correct horse"[..], &b"correct horse"[..]),
            (b"correct horse\n", b"correct horse"),
            (b"correct horse\r\nsecond line\n", b"correct horse"),
            (b" blanks count ", b" blanks count "),
        ] {
            let (_directory, args) = file_with(content);
            assert_eq!(*passphrase(&args, Passphrase::New).unwrap(), wanted);
        }
    }

    #[test]
    fn a_new_passphrase_may_not_be_short() {
        let (_directory, args) = file_with(b"short");
        assert_eq!(passphrase(&args, Passphrase::New).unwrap_err().exit(), Exit::Usage);
        assert_eq!(*passphrase(&args, Passphrase::Known).unwrap(), b"short");
    }

    #[test]
    fn an_absent_file_is_named() {
        let args = PassphraseArgs { passphrase_file: Some("/nonexistent/passphrase".into()) };
        let error = passphrase(&args, Passphrase::Known).unwrap_err();
        assert!(error.to_string().starts_with("/nonexistent/passphrase: "), "{error}");
    }

    #[test]
    fn answers() {
        for yes in ["y", "Y\n", " yes ", "YES\n"] {
            assert!(is_yes(yes), "{yes:?}");
        }
        for no in ["", "\n", "n", "no", "yess", "maybe"] {
            assert!(!is_yes(no), "{no:?}");
        }
    }
}
