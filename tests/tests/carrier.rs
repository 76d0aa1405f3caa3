//! A carrier with the memory of a small router, its store full, that goes on working.
//!
//! The daemon runs with the router's profile and the role of a carrier in a control group with 64 MB of memory, its
//! binary and its share of the page cache included. Contacts of somebody who is away fill its store up to the quota, and go on after that for
//! `QPQ_CARRIER_TRAFFIC_S` seconds: a minute under `CI=true`, ten seconds else. For ten minutes with the build that
//! people run, and the figures:
//!
//! ```sh
//! QPQ_CARRIER_TRAFFIC_S=600 cargo test --release -p qpq-tests --test carrier -- --nocapture
//! ```
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::env;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use qpq_net::socket::SocketClient;
use qpq_proto::Client;
use qpq_proto::limits::{Limits, TEXT_BYTES_MAX};
use qpq_proto::v1::SendMessageRequest;
use qpq_tests::{Node, Options, Person, befriend, skip};
use serde_json::Value;

const MEMORY_BYTES: u64 = 64_000_000;
/// A text of greatest length becomes a bundle of 64 KiB.
const BUNDLE_BYTES: u64 = 65_536;

#[test]
fn a_full_carrier_stays_within_64_mb() {
    let group = match MemoryGroup::new(MEMORY_BYTES) {
        Ok(group) => group,
        Err(reason) => return skip("a_full_carrier_stays_within_64_mb", &reason),
    };
    let options = Options {
        environment: vec![("QPQ_PROFILE".to_owned(), "router".to_owned())],
        wrapper: group.wrapper(),
        ..Options::default()
    };
    let carrier = Person::with("carrier", options);
    carrier.ok(&["role", "carrier", "on"]);
    let (process, mut absent) = (carrier.process_id(), Person::new("absent"));
    // What one neighbour may leave there is a share of the whole; the last one of these finds it full.
    let of_one = Limits::ROUTER.custody_neighbour_bytes_max;
    let sharers = Limits::ROUTER.custody_bytes_max.div_ceil(of_one) + 1;
    let senders: Vec<Person> = (0..sharers).map(sender).collect();
    for sender in &senders {
        befriend(&carrier, sender);
        befriend(&absent, sender);
    }
    assert!(absent.terminate().success());

    // Less the headers, this is a neighbour's share.
    let (full, over) = senders.split_at(senders.len() - 1);
    for sender in full {
        leave(sender, of_one / BUNDLE_BYTES - 1);
    }
    for sender in full {
        await_handed(sender);
    }
    let filled = assert_nearly_full(&carrier);
    let (seconds, written) = (traffic_s(), written_bytes(&carrier));
    let rounds = traffic(&carrier, full, &over[0], Duration::from_secs(seconds));

    assert_eq!(carrier.process_id(), process);
    assert_eq!(group.kills(), 0, "killed for want of memory\n{}", carrier.log());
    carrier.ok(&["status"]);
    let held = assert_nearly_full(&carrier);
    let written = written.zip(written_bytes(&carrier)).map(|(before, after)| after - before);
    let resident = resident_kb(&carrier);
    let peak = group.peak_bytes() / 1_000;
    // Not through `eprintln`, which a passing test keeps to itself.
    let _ = writeln!(
        io::stderr(),
        "carrier: {seconds} s and {rounds} rounds of traffic with a full store ({filled} bundles before, {held} after), \
         peak of the group {peak} kB of {} kB (page cache included), resident at most {resident}, {} written",
        MEMORY_BYTES / 1_000,
        written.map_or_else(|| "an unknown amount".to_owned(), |bytes| format!("{} kB", bytes / 1_000))
    );
}

/// The store holds what it may, nearly, and no more, and all of it is others'. Gives the number of bundles.
fn assert_nearly_full(carrier: &Person) -> u64 {
    let store = carrier.ok(&["mesh", "store"]);
    let number = |value: &Value| value.as_u64().unwrap();
    let shares = store["shares"].as_array().unwrap();
    let share = |standing: &str| shares.iter().find(|share| share["standing"] == standing).unwrap();
    let (held, quota) = (number(&store["bytes"]), number(&store["bytes_max"]));
    assert_eq!(quota, Limits::ROUTER.custody_bytes_max);
    assert!(held <= quota, "more than the quota: {store}");
    // Not every neighbour's share is a multiple of a bundle's size.
    let neighbours = Limits::ROUTER.custody_bytes_max / Limits::ROUTER.custody_neighbour_bytes_max;
    assert!(held + (neighbours + 1) * BUNDLE_BYTES > quota, "there is room: {store}");
    for share in shares {
        assert!(number(&share["bytes"]) <= number(&share["bytes_max"]), "more than a share: {store}");
    }
    let of_contacts = number(&share("contact")["bundles"]);
    assert!(of_contacts > 0, "it carries for its contacts: {store}");
    of_contacts
}

/// What the daemon has had written to disk so far; `None` where the kernel does not count it.
fn written_bytes(node: &Node) -> Option<u64> {
    let counts = fs::read_to_string(format!("/proc/{}/io", node.process_id())).ok()?;
    counts.lines().find_map(|line| line.strip_prefix("write_bytes: "))?.trim().parse().ok()
}

/// A sender with an address of its own: a router takes few connections from any one.
fn sender(number: u64) -> Person {
    let listen = ("QPQ_LISTEN".to_owned(), format!("127.0.1.{}:0", number + 1));
    Person::with(&format!("sender{number}"), Options { environment: vec![listen], ..Options::default() })
}

/// Everybody says something to the carrier, which it must acknowledge, and something more for who is away.
fn traffic(carrier: &Person, full: &[Person], over: &Person, time: Duration) -> u64 {
    let (started, mut rounds) = (Instant::now(), 0);
    while rounds == 0 || started.elapsed() < time {
        for sender in full {
            sender.deliver("@carrier", &long_text(rounds));
        }
        over.queue("@absent", &long_text(rounds));
        carrier.deliver(&format!("@{}", over.name()), "I am still here");
        rounds += 1;
    }
    rounds
}

/// Says so much to who is away. Not through one `qpq` process each, of which there would be hundreds.
fn leave(sender: &Person, messages: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = Client::new(SocketClient::connect(&sender.socket()).await.unwrap());
        for number in 0..messages {
            let (to, text) = ("@absent".to_owned(), long_text(number));
            client.send_message(&SendMessageRequest { to, text, ..Default::default() }).await.unwrap();
        }
    });
}

/// Waits until all that was said to who is away lies with the carrier.
fn await_handed(sender: &Person) {
    sender.until("all is handed to the carrier", || {
        let messages = sender.ok_lines(&["read", "@absent", "--since", "0"]);
        messages.iter().all(|message| message["state"] == "handed").then_some(())
    });
}

fn long_text(number: u64) -> String {
    format!("{number:0>TEXT_BYTES_MAX$}")
}

fn traffic_s() -> u64 {
    let default = if env::var("CI").is_ok_and(|ci| ci == "true") { 60 } else { 10 };
    env::var("QPQ_CARRIER_TRAFFIC_S").map_or(default, |seconds| seconds.parse().unwrap())
}

fn resident_kb(node: &Node) -> String {
    let status = fs::read_to_string(format!("/proc/{}/status", node.process_id())).unwrap();
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default().trim().to_owned()
}

/// A control group that is removed in the end, of either version.
struct MemoryGroup {
    folder: PathBuf,
    files: &'static Files,
}

/// How a version of control groups names things.
struct Files {
    root: &'static str,
    limit: &'static str,
    peak: &'static str,
    /// Where a line `oom_kill N` is.
    kills: &'static str,
    /// What must hold nothing, where there is such a thing.
    swap: Option<&'static str>,
}

const VERSIONS: [Files; 2] = [
    Files {
        root: "/sys/fs/cgroup",
        limit: "memory.max",
        peak: "memory.peak",
        kills: "memory.events",
        swap: Some("memory.swap.max"),
    },
    Files {
        root: "/sys/fs/cgroup/memory",
        limit: "memory.limit_in_bytes",
        peak: "memory.max_usage_in_bytes",
        kills: "memory.oom_control",
        swap: None,
    },
];

impl MemoryGroup {
    /// Makes a group, or says why it cannot.
    fn new(limit_bytes: u64) -> Result<Self, String> {
        let name = format!("qpq-carrier-{}", std::process::id());
        let mut reason = String::new();
        for files in &VERSIONS {
            let folder = Path::new(files.root).join(&name);
            let made = fs::create_dir(&folder).map(|()| Self { folder, files });
            let limited = made.and_then(|group| {
                set(&group.folder.join(files.limit), &limit_bytes.to_string())?;
                if let Some(swap) = files.swap {
                    // A kernel without swap has no such file.
                    let _ = set(&group.folder.join(swap), "0");
                }
                Ok(group)
            });
            match limited {
                Ok(group) => return Ok(group),
                Err(error) => reason = format!("no memory can be limited in {}: {error}", files.root),
            }
        }
        Err(reason)
    }

    /// Starts a program in the group.
    fn wrapper(&self) -> Vec<String> {
        let enter = format!("echo $$ > {} && exec \"$@\"", self.folder.join("cgroup.procs").display());
        ["sh", "-c", &enter, "sh"].map(str::to_owned).into()
    }

    fn peak_bytes(&self) -> u64 {
        self.read(self.files.peak).trim().parse().unwrap()
    }

    fn kills(&self) -> u64 {
        let events = self.read(self.files.kills);
        let line = events.lines().find_map(|line| line.strip_prefix("oom_kill "));
        line.expect("the kernel counts kills").parse().unwrap()
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.folder.join(file)).unwrap()
    }
}

/// Writes into a file that the kernel provides; where there is none, the folder belongs to no group.
fn set(file: &Path, value: &str) -> io::Result<()> {
    fs::OpenOptions::new().write(true).open(file)?.write_all(value.as_bytes())
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        // The daemon was dropped before, and nobody else is in it.
        let _ = fs::remove_dir(&self.folder);
    }
}
