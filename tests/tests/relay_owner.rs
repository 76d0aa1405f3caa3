//! The owner of a relay: switching it, inviting, and what is done about those who use it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use qpq_net::direct::Trust;
use qpq_proto::limits::RPC_PORT;
use qpq_proto::v1::{AuditKeyTransparencyRequest, FetchRequest, FetchWaitRequest, HealthRequest};
use qpq_proto::{CallError, Status};
use qpq_tests::{Node, Options, RelayAddress, RelayUser};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// A relay at which everybody may register.
fn relay() -> Node {
    let node = Node::start_with("relay", open_relay());
    node.ok(&["role", "relay", "on"]);
    node
}

fn open_relay() -> Options {
    let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let environment = vec![set("QPQ_RPC_LISTEN", "127.0.0.1:0"), set("QPQ_RELAY_REGISTRATION", "open")];
    Options { environment, ..Options::default() }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn status(error: &CallError) -> Status {
    error.failure().unwrap_or_else(|| panic!("{error}")).status
}

#[test]
fn whoever_waits_is_sent_away_when_the_node_is_a_relay_no_more() {
    let node = relay();
    let (bob, address) = (RelayUser::new(2), RelayAddress::of(&node).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let reading = Arc::new(bob.arrive(&address).await.unwrap());
        let waiting = tokio::spawn({
            let reading = Arc::clone(&reading);
            let patient = FetchWaitRequest { timeout_ms: 60_000, ..FetchWaitRequest::default() };
            async move { reading.fetch_wait(&patient).await }
        });
        // Answered after the call that waits was taken.
        reading.fetch(&FetchRequest::default()).await.unwrap();
        let off = tokio::task::spawn_blocking(move || node.ok(&["role", "relay", "off"]));
        let sent_away = waiting.await.unwrap().unwrap_err();
        assert_eq!(status(&sent_away), Status::Unavailable, "long before its patience ends");
        off.await.unwrap();
    });
}

#[test]
fn a_port_that_is_taken_is_no_absent_daemon() {
    // If it cannot be taken, somebody else has it.
    let _taken = std::net::UdpSocket::bind(("::", RPC_PORT));
    let node = Node::start("relay");
    let refused = node.qpq(&["role", "relay", "on"]).expect_status(1);
    assert!(refused.stderr.contains("cannot listen"), "{}", refused.stderr);
    assert_eq!(node.ok(&["relay", "status"])["on"], false);
}

#[test]
fn a_node_is_a_relay_as_long_as_its_owner_wants() {
    let node = Node::start_with("relay", open_relay());
    let user = RelayUser::new(1);
    let runtime = runtime();
    let relay = RelayAddress::of(&node).unwrap();
    runtime.block_on(async {
        let connection = relay.connect().await.unwrap();
        let refused = user.register(&connection).await.unwrap_err();
        assert!(refused.to_string().contains("does not offer"), "{refused}");
    });
    assert_eq!(node.ok(&["relay", "status"])["on"], false);
    assert_eq!(node.ok(&["role", "relay", "on"])["roles"], serde_json::json!(["relay"]));
    let shown = node.ok(&["relay", "status"]);
    assert_eq!((&shown["on"], shown["address"].as_str()), (&true.into(), Some(&*relay.address.to_string())));
    assert!(matches!(&relay.trust, Trust::Pin(pin) if shown["pin"] == pin.to_string()));
    runtime.block_on(async {
        let connection = user.arrive(&relay).await.unwrap();
        let health = connection.health(&HealthRequest::default()).await.unwrap();
        assert_eq!(health.roles, ["relay"]);
        node.ok(&["role", "relay", "off"]);
        let refused = connection.fetch(&FetchRequest::default()).await.unwrap_err();
        assert_eq!(status(&refused), Status::Unauthorized);
        node.ok(&["role", "relay", "on"]);
        user.log_in(&connection).await.unwrap();
    });
}

#[test]
fn a_closed_relay_takes_whom_its_owner_invites_and_as_many() {
    let environment = vec![("QPQ_RPC_LISTEN".to_owned(), "127.0.0.1:0".to_owned())];
    let node = Node::start_with("relay", Options { environment, ..Options::default() });
    let refused = node.qpq(&["relay", "invite"]).expect_status(6);
    assert!(refused.stderr.contains("qpq role relay on"), "{}", refused.stderr);
    node.ok(&["role", "relay", "on"]);
    let made = node.ok(&["relay", "invite", "--uses", "2", "--expires", "1h"]);
    let token = data_encoding::HEXLOWER.decode(made["invitation"].as_str().unwrap().as_bytes()).unwrap();
    let relay = RelayAddress::of(&node).unwrap();
    runtime().block_on(async {
        let connection = relay.connect().await.unwrap();
        for (number, invitation, is_taken) in [
            (1, &[][..], false),
            (1, &[0; 32], false),
            (1, &token, true),
            (2, &token, true),
            (3, &token, false),
        ] {
            let registered = RelayUser::new(number).register_with(&connection, invitation.to_vec()).await;
            assert_eq!(registered.is_ok(), is_taken, "{number}: {registered:?}");
        }
    });
}

/// Copies what a node that is stopped keeps.
fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[test]
fn a_relay_whose_data_was_put_back_signs_no_other_log() {
    let mut node = relay();
    let (data, folder) = (node.data_dir(), node.folder().to_owned());
    let read = |node: &Node| {
        let address = RelayAddress::of(node).unwrap();
        runtime().block_on(async {
            let request = AuditKeyTransparencyRequest { end: 9, ..AuditKeyTransparencyRequest::default() };
            let answer = address.connect().await.unwrap().audit_key_transparency(&request).await;
            answer.map(|answer| answer.tree_size).map_err(|error| error.failure().unwrap().clone())
        })
    };
    let arrive = |node: &Node, number: u32| {
        let address = RelayAddress::of(node).unwrap();
        drop(runtime().block_on(RelayUser::new(number).arrive(&address)).unwrap());
    };
    arrive(&node, 1);
    assert_eq!(read(&node), Ok(1));
    node.terminate();
    copy(&data, &folder.join("older"));
    node.run_again();
    arrive(&node, 2);
    assert_eq!(read(&node), Ok(2));
    node.kill9();
    copy(&data, &folder.join("newest"));

    copy(&folder.join("older"), &data);
    node.run_again();
    let refused = read(&node).unwrap_err();
    assert_eq!(refused.status, Status::Unavailable);
    assert!(refused.message.contains("relay_domain"), "{refused}");
    assert!(node.log().contains("is older than what this relay has signed"), "the daemon says so");
    let checks = node.qpq(&["doctor"]).json()["checks"].clone();
    let check = checks.as_array().unwrap().iter().find(|check| check["name"] == "relay-log").cloned();
    assert_eq!(check.unwrap()["outcome"], "fail");
    arrive(&node, 3);
    assert!(read(&node).is_err(), "as many entries are another log still");
    node.terminate();

    copy(&folder.join("newest"), &data);
    node.run_again();
    assert_eq!(read(&node), Ok(2));
}

#[test]
fn the_owner_knows_the_users_of_the_relay_and_bans_whom_it_must() {
    let node = relay();
    let address = RelayAddress::of(&node).unwrap();
    let (alice, bob) = (RelayUser::new(1), RelayUser::new(2));
    let key = |user: &RelayUser| user.identity().to_string();
    runtime().block_on(async {
        let connection = alice.arrive(&address).await.unwrap();
        let token = alice.log_in(&connection).await.unwrap();
        bob.arrive(&address).await.unwrap();
        let users = node.ok(&["relay", "users"])["users"].clone();
        let names: Vec<_> = users.as_array().unwrap().iter().map(|user| user["name"].clone()).collect();
        assert_eq!(names, [json!("user1"), json!("user2")]);
        assert_eq!((&users[0]["identity"], &users[0]["devices"]), (&json!(key(&alice)), &json!(1)));

        node.ok(&["relay", "ban", "user1", "--reason", "spam", "--for", "7d"]);
        let bans = node.ok(&["relay", "banned"])["bans"].clone();
        assert_eq!((&bans[0]["identity"], &bans[0]["reason"]), (&json!(key(&alice)), &json!("spam")));
        let back = address.connect().await.unwrap();
        let refused = alice.log_in(&back).await.unwrap_err().to_string();
        assert!(refused.contains("banned") && refused.contains("spam"), "{refused}");
        node.ok(&["relay", "unban", &key(&alice)]);
        alice.log_in(&back).await.unwrap();
        assert!(alice.resume(&back, &token).await.is_err(), "a ban ends sessions for good");
    });
    node.qpq(&["relay", "unban", "user1"]).expect_status(1);
    node.qpq(&["relay", "ban", "nobody"]).expect_status(1);
    assert_eq!(node.ok(&["relay", "reports"])["reports"], json!([]));
    assert_eq!(node.ok(&["relay", "administrator", "add", "user2"])["administrator"], true);
    assert_eq!(node.ok(&["relay", "users"])["users"][1]["administrator"], true);
    node.ok(&["relay", "administrator", "remove", "user2"]);
    let methods = |refused: &[&str]| -> Vec<Value> {
        let entries = node.ok(&[&["relay", "audit"], refused].concat())["entries"].clone();
        entries.as_array().unwrap().iter().map(|entry| entry["method"].clone()).collect()
    };
    let done = ["SetRelayAdministrator", "SetRelayAdministrator", "UnbanRelayUser", "BanRelayUser"];
    assert_eq!(methods(&[]), done);
    assert_eq!(methods(&["--refused"]), ["UnbanRelayUser"]);
}
