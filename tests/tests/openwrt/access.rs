//! What the pages in LuCI may ask of the node: one table, from which the program that rpcd runs and its access list are
//! written.
//!
//! ```sh
//! QPQ_TEST_WRITE=1 cargo test -p qpq-tests --test openwrt access
//! ```
//!
//! No method of the pages has arguments, so no string that somebody sends reaches a shell. Which methods of the node a
//! command of `qpq` calls is not believed but counted, by the node's metrics.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::TcpStream;

use qpq_proto::{CallerClass, Method};
use qpq_tests::{Options, Person, line_binary};
use serde_json::{Value, json};

use crate::router::{Router, link};
use crate::{repository, text};

/// A method of the pages.
struct Page {
    /// Its name.
    name: &'static str,
    /// The command of `qpq` that answers it.
    command: &'static str,
    /// Whether it changes something.
    changes: bool,
    /// The methods of the node that the command calls.
    calls: &'static [Method],
}

const PAGE: [Page; 6] = [
    Page { name: "status", command: "status", changes: false, calls: &[Method::NodeStatus] },
    Page { name: "neighbours", command: "mesh peers", changes: false, calls: &[Method::ShowMesh] },
    Page { name: "store", command: "mesh store", changes: false, calls: &[Method::ShowMesh] },
    Page { name: "carrier_on", command: "role carrier on", changes: true, calls: &[Method::SetRole] },
    Page { name: "carrier_off", command: "role carrier off", changes: true, calls: &[Method::SetRole] },
    Page { name: "invite", command: "invite --qr", changes: true, calls: &[Method::CreateInvitation] },
];

/// Methods of the owner that no page may ever call, as they show or send what people write, or hold a secret.
const PRIVATE: &[Method] = &[
    Method::ReadEvents,
    Method::ListConversations,
    Method::ReadMessages,
    Method::SendMessage,
    Method::WaitMessage,
    Method::MarkRead,
    Method::TraceMessage,
    Method::BroadcastPost,
    Method::ReadPosts,
    Method::ListTopics,
    Method::CreateBackup,
    Method::VerifyBackup,
    Method::RestoreBackup,
    Method::ListInvitations,
    Method::ExportBundles,
    Method::CopyBundles,
    Method::TakeBundles,
];

const PROGRAM: &str = page_file!("/usr/libexec/rpcd/qpq");
const ACCESS: &str = page_file!("/usr/share/rpcd/acl.d/luci-app-qpq.json");

/// The program that rpcd runs.
fn program() -> String {
    let signatures: Vec<_> = names(|_| true).iter().map(|name| format!("\"{name}\": {{}}")).collect();
    let mut cases = String::new();
    for page in &PAGE {
        // Writing to a string cannot fail.
        let _ = writeln!(cases, "'call {}') ask {} ;;", page.name, page.command);
    }
    format!(
        "{PROGRAM_HEAD}list*) echo '{{ {} }}' ;;\n{cases}'call memory') memory ;;\nesac\n",
        signatures.join(", ")
    )
}

const PROGRAM_HEAD: &str = r#"#!/bin/sh
# What the pages in LuCI ask of the node. Written by tests/tests/openwrt/access.rs from its table.
#
# No method has arguments: what rpcd hands over with a call is not even read.

ask() {
	exec /usr/bin/qpq --socket /var/run/qpq/qpqd.sock --json "$@" 2>&1
}

memory() {
	local pid kib=0 name value
	pid="$(pidof qpqd)" && while read -r name value _; do
		[ "$name" != VmRSS: ] || kib="$value"
	done <"/proc/${pid%% *}/status"
	echo "{ \"resident_bytes\": $((kib * 1024)) }"
}

case "$1 $2" in
"#;

/// The list of who may call what, as rpcd reads it.
fn access() -> String {
    let list = json!({
        "luci-app-qpq": {
            "description": "Show the messaging node, and switch what it does for others",
            "read": { "ubus": { "qpq": names(|changes| !changes) }, "uci": ["qpq"] },
            "write": { "ubus": { "qpq": names(|changes| changes) }, "uci": ["qpq"] },
        }
    });
    format!("{list:#}\n")
}

/// The methods of the pages, those that change something and the others.
fn names(wanted: impl Fn(bool) -> bool) -> Vec<&'static str> {
    let asked = PAGE.iter().map(|page| (page.name, page.changes)).chain([("memory", false)]);
    asked.filter(|(_, changes)| wanted(*changes)).map(|(name, _)| name).collect()
}

#[test]
fn access_is_written_from_the_table() {
    for (path, content) in [(PROGRAM, program()), (ACCESS, access())] {
        if std::env::var_os("QPQ_TEST_WRITE").is_some() {
            std::fs::write(repository().join(path), &content).unwrap();
        }
        assert_eq!(
            text(path),
            content,
            "{path}: QPQ_TEST_WRITE=1 cargo test -p qpq-tests --test openwrt access"
        );
    }
}

#[test]
fn access_is_to_nothing_private() {
    for page in &PAGE {
        assert!(!page.calls.iter().any(|method| PRIVATE.contains(method)), "{}", page.name);
        for method in page.calls {
            assert!(method.access().permits(CallerClass::Owner), "{}", method.name());
        }
    }
    // Of the methods whose answers are about what people write, none was forgotten.
    let is_private = |method: &Method| {
        ["Message", "Post", "Conversation", "Backup", "Event", "Passphrase", "Secret"]
            .iter()
            .any(|word| method.name().contains(word))
    };
    let owners = Method::ALL.iter().filter(|method| method.access().permits(CallerClass::Owner));
    for method in owners.filter(|method| is_private(method)) {
        assert!(PRIVATE.contains(method), "{}: add it to PRIVATE", method.name());
    }
}

#[test]
fn access_calls_what_the_table_says() {
    let Some(router) = Router::install("access_calls_what_the_table_says") else { return };
    let environment = vec![("QPQ_METRICS_LISTEN".to_owned(), "127.0.0.1:0".to_owned())];
    let person = Person::with("owner", Options { environment, ..Options::default() });
    // The package's link leads to one file for both programs; here they are two.
    router.remove("/usr/bin/qpq");
    link(line_binary(), &router.path("/usr/bin/qpq"));
    router.add_libraries(line_binary());
    router.write("/var/run/qpq/qpqd.sock", "");
    let ask = |method: &str| {
        let bind = format!(
            "mount --bind '{}' '{}'",
            person.data_dir().display(),
            router.path("/var/run/qpq").display()
        );
        let ran = router.run_after(&bind, &format!("/usr/libexec/rpcd/qpq call {method}"));
        serde_json::from_str::<Value>(&ran.output)
            .unwrap_or_else(|error| panic!("{method}: {error}: {}", ran.output))
    };
    for page in &PAGE {
        let before = counted(&person.log());
        let answer = ask(page.name);
        assert_ne!(answer["schema"], "qpq.error/1", "{}: {answer}", page.name);
        let called: Vec<_> =
            counted(&person.log()).into_iter().filter(|call| !before.contains(call)).collect();
        let called: BTreeSet<_> = called.iter().map(|call| call.split('"').nth(1).unwrap()).collect();
        // Whether it is well is what every command asks a node first.
        let expected = page.calls.iter().chain([&Method::Health]).map(|method| method.name()).collect();
        assert_eq!(called, expected, "{}", page.name);
    }
    assert!(ask("invite")["qr"].as_str().is_some_and(|code| code.contains('█')));
    assert_eq!(ask("carrier_on")["roles"], json!(["carrier"]));
    assert_eq!(ask("memory")["resident_bytes"], 0);
    let unknown = router.run("/usr/libexec/rpcd/qpq call 'read; touch /tmp/ran'");
    assert!(unknown.output.is_empty() && !router.path("/tmp/ran").exists());
    assert_eq!(router.run("/usr/libexec/rpcd/qpq list").output.matches("{}").count(), PAGE.len() + 1);
    // Without a node, the page is told so.
    let alone = router.run("/usr/libexec/rpcd/qpq call status");
    assert!(alone.output.contains("qpq.error/1"), "{}", alone.output);
}

/// Every method with the number of its calls, as the metrics have it.
fn counted(log: &str) -> Vec<String> {
    let address = log.split_whitespace().rev().find_map(|word| word.strip_prefix("metrics=")).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET /metrics HTTP/1.1\r\nhost: here\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.lines().filter(|line| line.starts_with("qpq_calls_total{")).map(str::to_owned).collect()
}
