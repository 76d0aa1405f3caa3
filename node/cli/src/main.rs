//! The `qpq` program; everything is in the library, so that a build for routers can join it with `qpqd` in one file.

use std::process::ExitCode;

fn main() -> ExitCode {
    qpq::run(std::env::args_os())
}
