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

/// Where a password comes from, never from an argument.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct PasswordArgs {
    /// Take the password from the first line of this file, instead of asking or of QPQ_PASSWORD.
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

/// Where a recovery code comes from, never from an argument.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct CodeArgs {
    /// Take the code from the first line of this file, instead of asking or of QPQ_RECOVERY_CODE.
    #[arg(long, value_name = "FILE")]
    pub(crate) code_file: Option<PathBuf>,
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
    Source { what: "passphrase", file: args.passphrase_file.as_deref(), variable: "QPQ_PASSPHRASE" }
        .read(kind)
}

/// The password: from the file named, else from `QPQ_PASSWORD`, else asked for on the terminal.
pub(crate) fn password(args: &PasswordArgs, kind: Passphrase) -> Result<Zeroizing<Vec<u8>>, Error> {
    Source { what: "password", file: args.password_file.as_deref(), variable: "QPQ_PASSWORD" }.read(kind)
}

/// The recovery code: from the file named, else from `QPQ_RECOVERY_CODE`, else asked for on the terminal.
pub(crate) fn recovery_code(args: &CodeArgs) -> Result<Zeroizing<String>, Error> {
    let source = Source { what: "code", file: args.code_file.as_deref(), variable: "QPQ_RECOVERY_CODE" };
    let code = source.read(Passphrase::Known)?;
    Ok(Zeroizing::new(String::from_utf8_lossy(&code).into_owned()))
}

/// Where a secret that a person holds is looked for.
struct Source<'a> {
    what: &'static str,
    file: Option<&'a Path>,
    variable: &'static str,
}

impl Source<'_> {
    fn read(&self, kind: Passphrase) -> Result<Zeroizing<Vec<u8>>, Error> {
        let secret = match self.file {
            Some(path) => read_first_line(path)?,
            None => match std::env::var(self.variable) {
                Ok(value) => Zeroizing::new(value.into_bytes()),
                Err(_) => self.ask(kind)?,
            },
        };
        if kind == Passphrase::New && secret.len() < PASSPHRASE_BYTES_MIN {
            let what = self.what;
            return Err(Error::Usage(format!(
                "the {what} is too short: at least {PASSPHRASE_BYTES_MIN} bytes"
            )));
        }
        Ok(secret)
    }

    fn ask(&self, kind: Passphrase) -> Result<Zeroizing<Vec<u8>>, Error> {
        let Source { what, variable, .. } = self;
        if !io::stdin().is_terminal() {
            let hint =
                format!("no {what}: give --{what}-file FILE or set {variable} where nobody can be asked");
            return Err(Error::Usage(hint));
        }
        let prompt = match *what {
            "password" => "Password: ",
            "code" => "Recovery code: ",
            _ => "Passphrase: ",
        };
        let first = ask_hidden(prompt)?;
        if kind == Passphrase::New && first != ask_hidden("The same again: ")? {
            return Err(Error::Usage(format!("the two {what}s differ")));
        }
        Ok(Zeroizing::new(first.as_bytes().to_vec()))
    }
}

fn ask_hidden(prompt: &str) -> Result<Zeroizing<String>, Error> {
    let answer = rpassword::prompt_password(prompt);
    answer.map(Zeroizing::new).map_err(|source| Error::System { what: "reading the answer", source })
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

/// The shortest passphrase with which a backup is made, and the shortest password of an account.
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
