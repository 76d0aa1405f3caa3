//! The programs for routers, as `openwrt/build` leaves them, under emulation: in a mesh with native nodes, through a power
//! cut, without the time, a route or a place to write.
//!
//! A target that was not built here, or whose processor cannot be emulated here, is skipped, and said to be.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use qpq_tests::lab::{Air, Host, Lab, Segment};
use qpq_tests::{Node, Options, Person, befriend, skip};

/// A kind of device.
struct Device {
    target: &'static str,
    /// What runs its programs here, with arguments; nothing where that is the processor itself.
    emulator: &'static [&'static str],
}

const AARCH64: Device = Device { target: "aarch64-unknown-linux-musl", emulator: &["qemu-aarch64-static"] };
const ARMV7: Device = Device { target: "armv7-unknown-linux-musleabihf", emulator: &["qemu-arm-static"] };
/// As the MT7621 and MT7628 have it.
const MIPSEL: Device =
    Device { target: "mipsel-unknown-linux-musl", emulator: &["qemu-mipsel-static", "-cpu", "24KEc"] };
const X86_64: Device = Device { target: "x86_64-unknown-linux-musl", emulator: &[] };

#[test]
fn aarch64_carries_between_two_who_never_meet() {
    carries("aarch64_carries_between_two_who_never_meet", &AARCH64);
}

#[test]
fn armv7_carries_between_two_who_never_meet() {
    carries("armv7_carries_between_two_who_never_meet", &ARMV7);
}

#[test]
fn mipsel_carries_between_two_who_never_meet() {
    carries("mipsel_carries_between_two_who_never_meet", &MIPSEL);
}

#[test]
fn x86_64_carries_between_two_who_never_meet() {
    carries("x86_64_carries_between_two_who_never_meet", &X86_64);
}

#[test]
fn every_program_starts_as_a_router_does_and_says_what_is_in_its_way() {
    for device in [AARCH64, ARMV7, MIPSEL, X86_64] {
        if let Some(daemon) = device.daemon() {
            starts_without_the_time(&daemon);
            says_where_it_cannot_write(&daemon);
            is_both_programs(&daemon);
        }
    }
}

/// Alice and Carol are native and never in range at the same time; between them is a router in whose custody a message
/// survives its power being cut. The hosts have no default route.
fn carries(test: &str, device: &Device) {
    let Some(daemon) = device.daemon() else { return };
    let Some(lab) = Lab::enter(test) else { return };
    let (air, hosts) = (lab.segment(Air::CLEAR), ["alice", "router", "carol"].map(|name| lab.host(name)));
    let [at_alice, at_router, at_carol] = &hosts;
    let alice = Person::with("alice", plugged(&air, at_alice, 1));
    let carol = Person::with("carol", plugged(&air, at_carol, 3));
    let mut options = plugged(&air, at_router, 2);
    options.environment.push(("QPQ_PROFILE".to_owned(), "router".to_owned()));
    let mut router = Person::with("router", Options { daemon, ..options });
    befriend(&alice, &router);
    befriend(&alice, &carol);
    befriend(&router, &carol);

    air.cut(at_carol);
    alice.queue("@carol", "by the router");
    until_state(&alice, "handed");
    air.cut(at_alice);
    router.kill9();
    router.run_again();
    air.join(at_carol);
    carol.await_text("@alice", "by the router");
    // Out of range any sooner, Carol would keep her receipt to herself.
    router.await_settled();
    air.cut(at_carol);
    air.join(at_alice);
    until_state(&alice, "delivered");
    assert_eq!(router.ok_lines(&["read"]).len(), 0, "who carries reads nothing");
}

fn plugged(air: &Segment, host: &Host, number: u8) -> Options {
    air.plug(host, "eth0", &format!("10.0.0.{number}/24"));
    host.discovering()
}

fn until_state(person: &Person, state: &str) {
    person.until(state, || {
        let messages = person.ok_lines(&["read", "@carol"]);
        messages.iter().all(|message| message["state"] == state).then_some(())
    });
}

fn starts_without_the_time(daemon: &[OsString]) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let clock_offset_s = 60 - i64::try_from(since.as_secs()).unwrap();
    let mut node =
        Node::start_with("router", Options { daemon: daemon.to_vec(), clock_offset_s, ..Options::default() });
    assert!(node.terminate().success(), "{}", node.log());
}

fn says_where_it_cannot_write(daemon: &[OsString]) {
    let node = Node::new("router", Options { daemon: daemon.to_vec(), ..Options::default() });
    // Root may write everywhere but into what is no folder.
    std::fs::write(node.data_dir(), "").unwrap();
    let output = node.daemon_output(&[]).expect_status(1);
    assert!(output.stderr.contains(node.data_dir().to_str().unwrap()), "{}", output.stderr);
}

fn is_both_programs(daemon: &[OsString]) {
    let folder = tempfile::tempdir().unwrap();
    let client = folder.path().join("qpq");
    let (program, emulator) = daemon.split_last().unwrap();
    std::os::unix::fs::symlink(program, &client).unwrap();
    let words = emulator.iter().cloned().chain([client.into(), "--version".into()]).collect::<Vec<_>>();
    let output = Command::new(&words[0]).args(&words[1..]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("qpq "), "{output:?}");
}

impl Device {
    /// How its daemon is started here, if it can be.
    fn daemon(&self) -> Option<Vec<OsString>> {
        let program = built().join(self.target).join("qpqd");
        if !program.exists() {
            skip("routers", &format!("{} was not built: openwrt/build {0}", self.target));
            return None;
        }
        if let Some(emulator) = self.emulator.first().filter(|emulator| !exists(emulator)) {
            skip("routers", &format!("{} needs {emulator} (Debian: qemu-user-static)", self.target));
            return None;
        }
        Some(self.emulator.iter().map(OsString::from).chain([program.into()]).collect())
    }
}

fn built() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../openwrt/out").canonicalize().unwrap_or_default()
}

fn exists(program: &str) -> bool {
    let started = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    started.is_ok_and(|status| status.success())
}
