//! `qpq demo`: three real nodes on this machine, and everything they can do, told as a story.
//!
//! Each node is a process of this same program with its own directory, keys and database. They find each other, or
//! are led together by their invitation links, exactly as nodes on three machines would. The program ends with
//! success only if every step of the story happened.
//!
//! No process outlives the demo: each node ends when the pipe to its standard input closes, however this program
//! ends; each is told to end where that is still possible, and killed where it does not.

mod cast;
mod node;
mod report;
mod story;

use std::path::Path;

use self::cast::Cast;
use self::report::Report;
use crate::context::Context;
use crate::exit::{Error, Exit};
use crate::interruption::Interruption;

/// How to show it.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// Keep the directory of the three nodes, to look into it afterwards.
    #[arg(long)]
    pub(crate) keep: bool,
}

/// Plays the story. Success means that all of it happened, so that somebody who stops reading does not see it.
pub(crate) async fn run(context: &Context, args: DemoArgs) -> Result<(), Error> {
    match play(context, args).await {
        Err(Error::OutputClosed) => {
            context.output.note("qpq: nobody reads any more, so the demo was broken off");
            Err(Error::Said(Exit::Negative))
        }
        outcome => outcome,
    }
}

async fn play(context: &Context, args: DemoArgs) -> Result<(), Error> {
    let mut interruption = Interruption::new()?;
    let directory = tempfile::Builder::new()
        .prefix("qpq-demo-")
        .tempdir()
        .map_err(|source| Error::File { path: std::env::temp_dir(), source })?;
    let mut report = Report::new(context.output);
    report.say(&format!(
        "Three nodes on this machine, each a process with its own keys and its own database, in {}.",
        directory.path().display()
    ))?;
    let mut cast = Cast::new(directory.path())?;
    let outcome = tokio::select! {
        outcome = story::play(&mut cast, &mut report) => outcome,
        () = interruption.wait() => Err(Error::Negative("interrupted".to_owned())),
    };
    if outcome.as_ref().is_err_and(|error| !error.is_silent()) {
        explain(context, &cast);
    }
    cast.end().await;
    if args.keep {
        context.output.note(&format!("The nodes' files are kept in {}", directory.keep().display()));
    }
    report.finish(outcome.is_ok())?;
    outcome.map_err(|error| {
        context.output.error(&error);
        Error::Said(Exit::Negative)
    })
}

/// Says what the nodes said last, so that a failure can be understood without a second run.
fn explain(context: &Context, cast: &Cast) {
    for (name, log) in cast.logs() {
        let lines = last_lines(&log, LOG_LINES_SHOWN);
        if !lines.is_empty() {
            context.output.note(&format!("--- the last lines of {name}'s log\n{lines}"));
        }
    }
}

fn last_lines(path: &Path, count: usize) -> String {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

const LOG_LINES_SHOWN: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_of_a_log() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        assert_eq!(last_lines(&path, 2), "");
        std::fs::write(&path, "one\ntwo\nthree\n").unwrap();
        assert_eq!(last_lines(&path, 2), "two\nthree");
        assert_eq!(last_lines(&path, 9), "one\ntwo\nthree");
    }
}
