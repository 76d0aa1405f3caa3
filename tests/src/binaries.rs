//! Where the programs under test are. Cargo tells a test of the binaries of its own package only.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The daemon, built with the profile of the running test.
pub fn daemon_binary() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| folder().join("qpqd"))
}

/// The command line, built with the profile of the running test.
pub fn line_binary() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| folder().join("qpq"))
}

/// The folder of both: the one `QPQ_TEST_BINARIES` names, else the one cargo builds into.
///
/// Cargo is asked even if they are there: they might be older than the sources.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| match env::var_os("QPQ_TEST_BINARIES") {
        Some(folder) => PathBuf::from(folder),
        None => build(),
    })
}

fn build() -> PathBuf {
    let folder = profile_folder();
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let target = folder.parent().expect("a profile's folder lies in the target folder");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What cargo tells a test about its package would make build scripts that look at it, ring's for one, run again,
    // and everything above them be built twice.
    for name in env::vars_os().map(|(name, _)| name).filter(|name| is_about_a_package(name)) {
        cargo.env_remove(name);
    }
    let output = cargo
        .args(["build", "--quiet", "--package", "qpqd", "--package", "qpq", "--bins", "--profile", profile])
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap_or_else(|error| panic!("cargo cannot be started: {error}"));
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "qpqd and qpq do not build:\n{log}");
    folder
}

fn is_about_a_package(variable: &OsStr) -> bool {
    let name = variable.to_string_lossy();
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|prefix| name.starts_with(prefix))
}

/// `target/debug` for a test in `target/debug/deps`, and for a program in `target/debug`.
fn profile_folder() -> PathBuf {
    let program =
        env::current_exe().unwrap_or_else(|error| panic!("the test does not know its own path: {error}"));
    let folder = program.parent().expect("a program lies in a folder");
    let is_inner = folder.ends_with("deps") || folder.ends_with("examples");
    if is_inner { folder.parent().expect("deps lies in a folder").to_owned() } else { folder.to_owned() }
}
