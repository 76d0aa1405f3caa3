//! The program `qpq-sim`; everything is in the library.

use std::process::ExitCode;

use clap::Parser as _;
use qpq_sim::command::Arguments;

fn main() -> ExitCode {
    match Arguments::parse().run(&mut std::io::stdout().lock()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("qpq-sim: {error:#}");
            ExitCode::from(2)
        }
    }
}
