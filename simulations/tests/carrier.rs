//! A carrier with a full store on real files stays within the memory of a router.

#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const MEMORY_BYTES: u64 = 64 << 20;

/// A limit of the kernel's, from the strictest that is permitted here.
enum Limit {
    /// A control group of its own: everything that is resident, and what the kernel keeps of its files.
    Group(PathBuf),
    /// What the process may allocate.
    Data,
}

impl Limit {
    fn new() -> Self {
        let group = PathBuf::from(format!("/sys/fs/cgroup/qpq-carrier-{}", std::process::id()));
        // Without the unified hierarchy this is an ordinary folder, in which anything can be written.
        let is_group = fs::create_dir(&group).is_ok() && group.join("memory.max").exists();
        if is_group && fs::write(group.join("memory.max"), MEMORY_BYTES.to_string()).is_ok() {
            // Not everywhere is there any swap to forbid.
            let _ = fs::write(group.join("memory.swap.max"), "0");
            return Self::Group(group);
        }
        let _ = fs::remove_dir(&group);
        Self::Data
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("sh");
        let enter = match self {
            Self::Group(group) => format!("echo $$ > {}/cgroup.procs", group.display()),
            Self::Data => format!("ulimit -d {}", MEMORY_BYTES >> 10),
        };
        command.args(["-ec", &format!("{enter}; exec \"$@\""), "sh", program]);
        command
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Group(_) => "a control group",
            Self::Data => "ulimit -d (control groups are not permitted here)",
        }
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        if let Self::Group(group) = self {
            let _ = fs::remove_dir(group);
        }
    }
}

fn run(limit: &Limit, scenario: &Path, folder: &Path) -> std::io::Result<Output> {
    let mut command = limit.command(env!("CARGO_BIN_EXE_qpq-sim"));
    command.arg("carrier").arg(scenario).arg("--folder").arg(folder).output()
}

#[test]
fn a_carrier_with_a_full_store_needs_less_than_64_mib() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = folder.path().join("carrier.toml");
    let text = include_str!("../scenarios/carrier.toml")
        .replace("duration_s = 86400.0", "duration_s = 10800.0")
        .replace("buffer_bytes = 16777216", "buffer_bytes = 8388608");
    fs::write(&scenario, text).unwrap();
    let limit = Limit::new();
    let output = run(&limit, &scenario, &folder.path().join("stores")).unwrap();
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "within {}: {out}{error}", limit.name());
    let figures: serde_json::Value = serde_json::from_str(&out).unwrap();
    let (peak, held) = (&figures["peak_resident_bytes"], &figures["peak_bytes"]);
    println!("within {}: {peak} bytes resident, {held} bytes in the store", limit.name());
    assert!(peak.as_u64().unwrap() < MEMORY_BYTES, "{peak}");
    assert!(held.as_u64().unwrap() > 6 << 20, "the store was not full: {held}");
}
