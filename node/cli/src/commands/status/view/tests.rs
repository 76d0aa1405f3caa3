//! The status as people and programs read it.

use super::*;
use crate::output::{PLAIN, to_json};

fn sample() -> v1::NodeStatusResponse {
    let peer = |name: &str, path: &str, discovered| v1::PeerStatus {
        node: vec![0xcd; 32],
        contact: name.into(),
        path: path.into(),
        address: "192.0.2.7:4433".into(),
        rtt_us: if path == "direct" { 1_250 } else { 0 },
        since_ms: if name.is_empty() { 0 } else { 1_795_257_065_120 },
        discovered,
        waiting: if path == "offline" && !name.is_empty() { 2 } else { 0 },
    };
    v1::NodeStatusResponse {
        version: "0.1.0".into(),
        node: vec![3; 32],
        uptime_ms: 180_000,
        addresses: vec!["192.0.2.1:4433".into()],
        identities: vec![v1::IdentitySummary { identity: vec![1; 32], name: "alice".into() }],
        peers: vec![peer("bob", "direct", true), peer("carol", "offline", false), peer("", "offline", true)],
        outbox_waiting: 2,
        outbox_oldest_ms: 300_000,
        discovery: "open".into(),
        roles: vec!["user".into()],
        storage_bytes: 1_310_720,
        contacts: 2,
        conversations: 3,
        unread: 1,
        ..v1::NodeStatusResponse::default()
    }
}

#[test]
fn json_of_the_status() {
    let json: serde_json::Value =
        serde_json::from_str(&to_json(&StatusView::from(sample())).unwrap()).unwrap();
    assert_eq!(json["schema"], "qpq.status/1");
    assert_eq!(json["identities"][0]["name"], "alice");
    assert_eq!(json["peers"][0]["path"], "direct");
    assert_eq!(json["peers"][0]["rtt_us"], 1_250);
    assert_eq!(json["outbox"]["waiting"], 2);
    assert_eq!(json["health"].as_array().map(Vec::len), Some(0));
}

#[test]
fn the_status_for_people() {
    let [identity, node] = ["01", "03"].map(|byte| byte.repeat(32));
    let wanted = format!(
        "alice, qpqd 0.1.0, running for 3 min
  identity    {identity}
  node        {node}
  reached at  192.0.2.1:4433
  discovery   open
  roles       user
peers
  @bob         direct 192.0.2.7:4433, 1.2 ms  since 2026-11-21 10:31:05
  @carol       offline                        since 2026-11-21 10:31:05  2 waiting
  cdcdcdcdcd…  seen nearby, not connected
outbox   2 waiting, the oldest for 5 min
storage  1.2 MiB: 2 contacts, 3 conversations, 1 unread message
health   ok"
    );
    assert_eq!(StatusView::from(sample()).human(&PLAIN), wanted);
}

#[test]
fn what_a_node_does_not_have_takes_no_line() {
    let status = v1::NodeStatusResponse { addresses: Vec::new(), discovery: String::new(), ..sample() };
    let shown = StatusView::from(status).human(&PLAIN);
    assert!(!shown.contains("reached at") && !shown.contains("discovery"), "{shown}");
    assert!(shown.contains("roles"), "{shown}");
}

#[test]
fn health_comes_last_with_what_helps() {
    let item = v1::HealthItem {
        code: "no-network".into(),
        title: "no network".into(),
        text: "no interface is up".into(),
        severity: "warning".into(),
        fix: "nmcli networking on".into(),
    };
    let status = v1::NodeStatusResponse { health: vec![item], identities: Vec::new(), ..sample() };
    let shown = StatusView::from(status).human(&PLAIN);
    assert!(shown.starts_with("nobody yet (qpq init --name NAME), qpqd 0.1.0"), "{shown}");
    let end = "health\n  warning  no network\n    no interface is up\n    try: nmcli networking on";
    assert!(shown.ends_with(end), "{shown}");
}

#[test]
fn sizes() {
    for (bytes, text) in [
        (0, "0 bytes"),
        (1_023, "1023 bytes"),
        (1_536, "1.5 KiB"),
        (5 << 20, "5.0 MiB"),
        (3 << 40, "3072.0 GiB"),
    ] {
        assert_eq!(describe_bytes(bytes), text);
    }
}
