//! Running a test again in namespaces of its own.

use std::env;
use std::ffi::OsString;
use std::process::Command;

use crate::{daemon_binary, line_binary, skip};

/// Set in the sandbox.
const INSIDE: &str = "QPQ_TEST_LAB";

const NAMESPACES: [&str; 6] = ["--net", "--pid", "--mount", "--mount-proc", "--fork", "--kill-child"];

/// Makes whoever has no rights outside the owner of everything inside.
const AS_ROOT: [&str; 2] = ["--user", "--map-root-user"];

/// What a lab does first: if that is permitted, so is the rest.
const PROBE: &str = "mount -t tmpfs tmpfs /run && ip netns add probe && ip link add here type veth peer name there netns probe \
    && nsenter --net=/run/netns/probe ip link set there gso_max_segs 1 up";

/// Whether this process is the one in the sandbox.
pub(super) fn is_inside() -> bool {
    env::var_os(INSIDE).is_some()
}

/// Runs a test of this program in a sandbox; skips it if there can be none.
#[track_caller]
pub(super) fn run_inside(test: &str) {
    let flags = match permitted() {
        Ok(flags) => flags,
        Err(reason) => {
            return skip(test, &format!("network namespaces cannot be made here: {reason}"));
        }
    };
    // Nothing can be fetched in there, and built it is once for all.
    let binaries = daemon_binary().parent().expect("a program lies in a folder");
    let _ = line_binary();
    let program = env::current_exe().unwrap_or_else(|error| panic!("no path of the test: {error}"));
    let output = Command::new("unshare")
        .args(flags)
        .arg("--")
        .arg(program)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .env("QPQ_TEST_BINARIES", binaries)
        .env("PATH", path())
        .output()
        .unwrap_or_else(|error| panic!("unshare cannot be started: {error}"));
    let shown = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let [stdout, stderr] = &shown;
    for reason in stderr.lines().filter_map(|line| line.strip_prefix("SKIPPED ")?.split_once(": ")) {
        skip(reason.0, reason.1);
    }
    assert!(output.status.success(), "{test} failed in its network: {}\n{stdout}\n{stderr}", output.status);
    assert!(stdout.contains("1 passed"), "there is no test {test} in this program\n{stdout}");
}

/// Where programs are, those of the system's owner too.
fn path() -> OsString {
    let mut path = env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    path
}

/// The flags of `unshare` that are permitted here; else what it said.
fn permitted() -> Result<Vec<&'static str>, String> {
    let plain = NAMESPACES.to_vec();
    let as_root = [AS_ROOT.as_slice(), &NAMESPACES].concat();
    match (probe(&plain), probe(&as_root)) {
        (Ok(()), _) => Ok(plain),
        (_, Ok(())) => Ok(as_root),
        (Err(_), Err(reason)) => Err(reason),
    }
}

fn probe(flags: &[&str]) -> Result<(), String> {
    let output =
        Command::new("unshare").args(flags).args(["--", "sh", "-c", PROBE]).env("PATH", path()).output();
    let output = output.map_err(|error| format!("unshare cannot be started: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(said.trim().to_owned()) }
}
