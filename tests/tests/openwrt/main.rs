//! The OpenWrt packages, as far as a machine without OpenWrt can tell: their files are laid into a root file system, their
//! scripts are linted, and the service's are run by BusyBox's shell against stand-ins for what OpenWrt gives them.
//!
//! The stand-ins are in `router/` (functions of OpenWrt's shell library, and procd) and in `buildroot/` (what the packages'
//! Makefiles include). They are written after what the originals do, and record what they are told.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

/// A file of the page's package, by its place on a router. LuCI's build asks for that name of the folder.
macro_rules! page_file {
    ($place:literal) => {
        concat!("openwrt/luci-app-qpq/root", $place)
    };
}

mod access;
mod options;
mod package;
mod pages;
mod router;
mod service;
mod settings;

use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the repository.
fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A file of the repository.
fn text(path: &str) -> String {
    let path: PathBuf = repository().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Whether these programs can be run. Where one cannot, the test is skipped, or fails where nothing may be skipped.
#[track_caller]
fn has(test: &str, programs: &[&str]) -> bool {
    let is_there = |program: &&&str| Command::new(program).arg("--help").output().is_ok();
    let Some(missing) = programs.iter().find(|program| !is_there(program)) else { return true };
    assert!(std::env::var_os("CI").is_none(), "{missing} is not installed");
    qpq_tests::skip(test, &format!("{missing} is not installed"));
    false
}
