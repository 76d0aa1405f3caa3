//! `qpq completions` and `qpq man`: derived from the command line when they are asked for.

use std::io;
use std::path::{Path, PathBuf};

use clap_complete::Shell;
use clap_mangen::Man;

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
    page_of(command_line())
        .render(&mut page)
        .map_err(|source| Error::System { what: "rendering the manual page", source })?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

fn write_pages(directory: &Path) -> Result<(), Error> {
    let failed = |source| Error::File { path: directory.to_owned(), source };
    std::fs::create_dir_all(directory).map_err(failed)?;
    let mut command = command_line().disable_help_subcommand(true);
    command.build();
    write_page(&command, directory).map_err(failed)
}

/// Writes the page of a command and those of the commands below it.
fn write_page(command: &clap::Command, directory: &Path) -> io::Result<()> {
    for below in command.get_subcommands() {
        write_page(below, directory)?;
    }
    page_of(command.clone()).generate_to(directory).map(|_| ())
}

/// The page of a command; its foot names the program, as the foot of each page does.
fn page_of(command: clap::Command) -> Man {
    Man::new(command).source(concat!("qpq ", env!("CARGO_PKG_VERSION"))).manual("quicproquo")
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
        let page = std::fs::read_to_string(directory.path().join("qpq-send.1")).unwrap();
        let title = page.lines().find(|line| line.starts_with(".TH")).unwrap();
        assert!(title.contains("qpq 0") && title.contains("quicproquo"), "{title}");
    }
}
