//! `qpqd`, the node.

use std::process::ExitCode;

fn main() -> ExitCode {
    qpqd::run(std::env::args_os())
}
