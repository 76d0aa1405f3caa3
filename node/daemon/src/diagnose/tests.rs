use std::fs;

use super::*;

fn findings(data_dir: &Path) -> Findings {
    Findings {
        wall_ms: 1_767_225_600_000,
        data_dir: data_dir.to_owned(),
        key_file: None,
        has_peers: true,
        addresses: vec![([127, 0, 0, 1], 4433).into()],
        discovery: DiscoveryFinding::Working { in_sight: 2 },
        packet_relays: Vec::new(),
        peers_wanted: 2,
        peers_connected: 1,
        is_rolled_back: false,
        is_log_older: None,
    }
}

/// The outcome of each check that is not ok, with its fix.
fn troubles(findings: &Findings) -> Vec<String> {
    let trouble = |check: &Check| format!("{} {}: {}", check.outcome, check.name, check.fix);
    checks(findings).iter().filter(|check| check.outcome != "ok").map(trouble).collect()
}

fn private_directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
    directory
}

#[test]
fn a_healthy_node_has_no_trouble() {
    let directory = private_directory();
    let found = checks(&findings(directory.path()));
    let names: Vec<_> = found.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(names, ["clock", "disk", "data-directory", "database", "listen", "discovery", "peers"]);
    assert!(
        found.iter().filter(|check| check.name != "disk").all(|check| check.outcome == "ok"),
        "{found:?}"
    );
    assert!(found.iter().all(|check| (check.outcome == "ok") == check.fix.is_empty()));
}

#[test]
fn each_trouble_has_one_command_that_helps() {
    let directory = private_directory();
    let key_file = directory.path().join("node.key");
    fs::write(&key_file, [0; 32]).unwrap();
    fs::set_permissions(&key_file, fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let troubled = Findings {
        wall_ms: 5,
        key_file: Some(key_file.clone()),
        addresses: Vec::new(),
        discovery: DiscoveryFinding::Unavailable { reason: "no multicast".to_owned() },
        peers_connected: 0,
        is_rolled_back: true,
        is_log_older: Some(true),
        ..findings(directory.path())
    };
    let found: Vec<_> = troubles(&troubled).into_iter().filter(|line| !line.contains("disk")).collect();
    let expected = [
        "warn clock: timedatectl set-ntp true".to_owned(),
        format!("fail data-directory: chmod 700 {}", directory.path().display()),
        format!("fail key-file: chmod 600 {}", key_file.display()),
        "warn database: qpq backup create".to_owned(),
        "fail relay-log: qpqd --relay-domain NEW.NAME".to_owned(),
        "fail listen: ip address show up".to_owned(),
        "warn discovery: ip link show multicast on".to_owned(),
        "warn peers: qpq status".to_owned(),
    ];
    assert_eq!(found, expected);
}

#[test]
fn every_trouble_has_a_meaning_and_a_severity() {
    let directory = private_directory();
    let findings = Findings { is_log_older: Some(false), ..findings(directory.path()) };
    for check in checks(&findings) {
        let troubled = |outcome: &str| health_item(&Check { outcome: outcome.to_owned(), ..check.clone() });
        assert_eq!(troubled("ok"), None);
        assert_eq!(troubled("warn").unwrap().severity, "warning");
        assert_eq!(troubled("fail").unwrap().severity, "error");
        assert!(!troubled("fail").unwrap().text.is_empty(), "{}", check.name);
    }
}

#[test]
fn a_clock_far_off_is_noticed_either_way() {
    for (wall_ms, outcome) in
        [(0, "warn"), (PLAUSIBLE_FROM_MS, "ok"), (PLAUSIBLE_UNTIL_MS - 1, "ok"), (PLAUSIBLE_UNTIL_MS, "warn")]
    {
        assert_eq!(check_clock(wall_ms).outcome, outcome, "{wall_ms}");
    }
    assert!(check_clock(0).text.contains("1970"));
}

#[test]
fn what_is_gone_fails() {
    let gone = Path::new("/nonexistent/qpq");
    assert_eq!(check_disk(gone).outcome, "fail");
    assert_eq!(check_private("key-file", gone, "600").outcome, "fail");
}

#[test]
fn a_node_without_peers_misses_neither_addresses_nor_peers() {
    let directory = private_directory();
    let (addresses, discovery) = (Vec::new(), DiscoveryFinding::Off);
    let alone = Findings { has_peers: false, addresses, discovery, ..findings(directory.path()) };
    let found = checks(&alone);
    let last = found.last().unwrap();
    assert_eq!((last.name.as_str(), last.outcome.as_str()), ("peers", "ok"));
    assert!(found.iter().all(|check| !matches!(check.name.as_str(), "listen" | "discovery")));
}

#[test]
fn a_node_that_wants_nobody_misses_nobody() {
    assert_eq!(check_peers(0, 0).outcome, "ok");
    assert_eq!(check_discovery(&DiscoveryFinding::Off).outcome, "ok");
}

#[test]
fn one_relay_for_packets_that_answers_is_enough() {
    let directory = tempfile::tempdir().unwrap();
    let relay = |address: &str, is_connected, problem: Option<&str>| PacketRelayState {
        address: address.to_owned(),
        is_connected,
        problem: problem.map(str::to_owned),
    };
    let refuses = relay("a:1", false, Some("it refuses: no account"));
    let check = |packet_relays| {
        let found = checks(&Findings { packet_relays, ..findings(directory.path()) });
        let check = found.into_iter().find(|check| check.name == "packet-relays");
        check.map(|check| (check.outcome, check.text))
    };
    let is = |outcome: &str, text: &str| Some((outcome.to_owned(), text.to_owned()));
    assert_eq!(check(Vec::new()), None);
    let reached = is("ok", "peers can reach the node through b:2");
    assert_eq!(check(vec![refuses.clone(), relay("b:2", true, None)]), reached);
    let none = is(
        "warn",
        "a:1: it refuses: no account; b:2: no answer, or not with the certificate that the pin names",
    );
    assert_eq!(check(vec![refuses, relay("b:2", false, None)]), none);
}
