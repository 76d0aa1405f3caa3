//! From /etc/config/qpq to the daemon's settings: nothing is lost, nothing else comes of it.

use std::collections::BTreeSet;
use std::process::Command;

use qpq_tests::daemon_binary;
use toml::{Table, Value};

use crate::options::{Declared, OF_THE_SERVICE, VALUES, declared, section};
use crate::router::Router;
use crate::text;

/// Every setting of the daemon, with the value that its own documentation shows.
fn documented() -> Vec<(String, Value)> {
    let printed = Command::new(daemon_binary()).arg("--print-default-config").output().unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    let settings = printed.lines().filter_map(|line| line.strip_prefix('#'));
    let settings = settings.filter(|line| !line.starts_with(' ') && line.contains(" = "));
    settings.flat_map(|line| line.parse::<Table>().unwrap()).collect()
}

/// The settings that the book says are left out.
fn left_out() -> BTreeSet<String> {
    let book = text("docs/src/operate/openwrt.md");
    let (_, rest) = book.split_once("## Settings that a router does not have").unwrap();
    let rows = rest.split("\n## ").next().unwrap().lines().filter_map(|line| line.strip_prefix("| "));
    let names = rows.filter_map(|row| row.split(" |").next());
    names
        .flat_map(|names| names.split(", "))
        .filter_map(|name| name.strip_prefix('`')?.strip_suffix('`'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_setting_is_an_option_or_is_left_out_for_a_reason() {
    let settings: BTreeSet<_> = documented().into_iter().map(|(name, _)| name).collect();
    let options: BTreeSet<_> = declared().into_iter().map(|option| option.name).collect();
    let options: BTreeSet<_> =
        options.into_iter().filter(|name| !OF_THE_SERVICE.contains(&name.as_str())).collect();
    let left_out = left_out();
    assert!(options.is_disjoint(&left_out), "both an option and left out");
    let decided: BTreeSet<_> = options.union(&left_out).cloned().collect();
    assert_eq!(
        settings, decided,
        "a setting is an option of openwrt/qpq/files/qpq.init, or a row of docs/src/operate/openwrt.md"
    );
}

#[test]
fn the_shipped_file_has_every_option_at_its_default() {
    let shipped = text("openwrt/qpq/files/qpq.config");
    for Declared { name, default, .. } in declared() {
        let line = shipped.lines().find(|line| line.contains(&format!(" {name} '")));
        let line = line.unwrap_or_else(|| panic!("qpq.config says nothing of {name}")).trim();
        let is_set = !line.starts_with('#');
        assert_eq!(is_set, !default.is_empty(), "{line}");
        assert!(!is_set || line == format!("option {name} '{default}'"), "{line}: the default is {default}");
    }
}

/// What the service makes of a section; nothing if the node is not started.
fn settings_of(router: &Router, section: &[u8]) -> Option<Table> {
    for leftover in ["/tmp/instance", "/tmp/events", "/tmp/log", "/var/etc/qpq"] {
        router.remove(leftover);
    }
    router.write("/etc/config/qpq", section);
    router.service("start");
    let is_started = router.read("/tmp/events") == "started\n";
    is_started.then(|| router.read("/var/etc/qpq/qpqd.toml").parse().unwrap())
}

/// The settings of a router where nothing but these options is set.
fn with(router: &Router, options: &[(&str, &str)]) -> Option<Table> {
    let options = [&[("enabled", "1")], options].concat();
    let bytes: Vec<_> = options.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    settings_of(router, &section(&bytes))
}

#[test]
fn every_value_arrives_as_it_is() {
    let Some(router) = Router::install("every_value_arrives_as_it_is") else { return };
    let plain = with(&router, &[]).unwrap();
    let documented: Table = documented().into_iter().collect();
    for option in declared().iter().filter(|option| !OF_THE_SERVICE.contains(&option.name.as_str())) {
        let name = option.name.as_str();
        let entries = VALUES.iter().find(|(known, _)| *known == name).unwrap().1;
        let mut lists: Vec<Vec<&str>> = entries.map(|entry| vec![entry]).to_vec();
        lists.extend(option.words().into_iter().map(|word| vec![word]));
        // The key that the documentation names would have all of /etc/qpq be the daemon's.
        if name != "key_file" {
            lists.push(strings(&documented[name]));
        }
        if option.is_list() {
            lists.push(entries.to_vec());
        }
        for list in lists.into_iter().filter(|list| !list.is_empty()) {
            let mut options: Vec<_> = list.iter().map(|value| (name, *value)).collect();
            if name == "data_dir" && list[0].starts_with("/var/") {
                options.push(("key_file", "/var/key/node.key"));
            }
            let found =
                with(&router, &options).unwrap_or_else(|| panic!("{options:?}: {}", router.read("/tmp/log")));
            assert_eq!(strings(&found[name]), list, "{name}");
            for (other, value) in
                found.iter().filter(|(other, _)| !options.iter().any(|(set, _)| set == other))
            {
                assert_eq!(plain.get(other), Some(value), "{name} changes {other}");
            }
        }
    }
}

/// The one string, or those of a list.
fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(entries) => entries.iter().map(|entry| entry.as_str().unwrap()).collect(),
        other => vec![other.as_str().unwrap()],
    }
}

/// What somebody may write who wants more than an option, or does not know better.
fn nonsense() -> Vec<Vec<u8>> {
    let touch = |wrapped: &str| wrapped.replace("RUN", "touch /tmp/ran").into_bytes();
    vec![
        touch("$(RUN)"),
        touch("`RUN`"),
        touch("x; RUN; "),
        touch("'; RUN; '"),
        touch("\" || RUN || \""),
        touch("x\nRUN\n"),
        b"x\"\npeers = \"off".to_vec(),
        b"x'\noption peers 'off".to_vec(),
        b"x\"]\ncustody = \"disk\"\nlog = [\"".to_vec(),
        b"back\\slash \\\" \\u0022".to_vec(),
        b"\"".to_vec(),
        b" ".to_vec(),
        b"-n".to_vec(),
        b"* ? [a-z]".to_vec(),
        b"\xff\xfe\x80".to_vec(),
        "naïve ✓".as_bytes().to_vec(),
        vec![b'a'; 65_536],
        vec![b'/'; 600],
    ]
}

#[test]
fn nonsense_changes_nothing_and_runs_nothing() {
    let Some(router) = Router::install("nonsense_changes_nothing_and_runs_nothing") else { return };
    for option in declared() {
        let name = option.name.as_str();
        for value in nonsense() {
            let enabled: &[(&str, &[u8])] = if name == "enabled" { &[] } else { &[("enabled", b"1")] };
            let found = settings_of(&router, &section(&[enabled, &[(name, &value)]].concat()));
            let shown = String::from_utf8_lossy(&value[..value.len().min(40)]).into_owned();
            let said = router.read("/tmp/log");
            assert_eq!(found, None, "{name} {shown}");
            assert!(said.contains(name) || said.contains("has no address"), "{name} {shown}: {said}");
            assert!(said.len() < 2_000 && said.lines().count() < 8, "{name} {shown}: {said}");
            assert!(!router.path("/tmp/ran").exists(), "{name} {shown} was run");
            assert_eq!(router.read("/var/etc/qpq/qpqd.toml"), "", "{name} {shown}");
        }
    }
}

#[test]
fn an_empty_option_is_as_good_as_none() {
    let Some(router) = Router::install("an_empty_option_is_as_good_as_none") else { return };
    let plain = with(&router, &[]);
    assert!(plain.is_some());
    for option in declared().iter().filter(|option| option.name != "enabled") {
        assert_eq!(with(&router, &[(&option.name, "")]), plain, "{}", option.name);
    }
}

#[test]
fn a_list_that_is_written_as_one_option_counts() {
    let Some(router) = Router::install("a_list_that_is_written_as_one_option_counts") else { return };
    let written = b"config qpq 'node'\n\toption enabled '1'\n\toption listen '127.0.0.1:4434'\n";
    let found = settings_of(&router, written).unwrap();
    assert_eq!(strings(&found["listen"]), ["127.0.0.1:4434"]);
}
