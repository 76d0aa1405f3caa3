//! `qpq completions` and `qpq man`: derived from the command line when they are asked for.

use std::path::{Path, PathBuf};

use clap_complete::Shell;

use crate::args::command_line;
use crate::context::Context;
use crate::exit::Error;

/// For which shell.
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    pub(crate) shell: Shell,
}

/// Where to.
#[derive(Debug, clap::Args)]
pub(crate) struct ManArgs {
    /// Write one page for each command into this directory, instead of printing the first.
    pub(crate) directory: Option<PathBuf>,
}

/// Prints completions.
pub(crate) fn completions(context: &Context, args: CompletionsArgs) -> Result<(), Error> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command_line(), "qpq", &mut script);
    context.output.write(String::from_utf8_lossy(&script).trim_end())
}

/// Prints the manual page, or writes all of them.
pub(crate) fn man(context: &Context, args: ManArgs) -> Result<(), Error> {
    match args.directory {
        Some(directory) => write_pages(&directory),
        None => context.output.write(main_page()?.trim_end()),
    }
}

fn main_page() -> Result<String, Error> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command_line())
        .render(&mut page)
        .map_err(|source| Error::System { what: "rendering the manual page", source })?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

fn write_pages(directory: &Path) -> Result<(), Error> {
    let failed = |source| Error::File { path: directory.to_owned(), source };
    std::fs::create_dir_all(directory).map_err(failed)?;
    clap_mangen::generate_to(command_line(), directory).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completions_for_every_shell() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish, Shell::PowerShell] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command_line(), "qpq", &mut script);
            let script = String::from_utf8(script).unwrap();
            assert!(script.contains("doctor") && script.contains("contact"), "{shell}");
        }
    }

    #[test]
    fn a_page_for_every_command() {
        let directory = tempfile::tempdir().unwrap();
        write_pages(directory.path()).unwrap();
        for page in ["qpq.1", "qpq-send.1", "qpq-contact-verify.1", "qpq-group-invite.1"] {
            assert!(directory.path().join(page).is_file(), "{page}");
        }
        assert!(main_page().unwrap().contains("Exit codes"));
    }
}
