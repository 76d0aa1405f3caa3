//! `qpqd` and `qpq` in one file: whatever name it is started by, that program it is.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    if is_client(args.first()) { qpq::run(args) } else { qpqd::run(args) }
}

/// Whether the program's name says that a person wants something of the node.
fn is_client(program: Option<&OsString>) -> bool {
    program.and_then(|program| Path::new(program).file_name()).is_some_and(|name| name == "qpq")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_says_which_program_is_meant() {
        let is_client = |name: &str| is_client(Some(&name.into()));
        assert!(is_client("qpq") && is_client("/usr/bin/qpq") && is_client("./qpq"));
        assert!(
            !is_client("qpqd") && !is_client("/usr/sbin/qpqd") && !is_client("") && !is_client("/qpq/qpqd")
        );
        assert!(!super::is_client(None));
    }
}
