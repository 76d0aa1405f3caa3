//! Nonsense in each setting, from each source; and every order of the sources.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// For each setting, values that it does not take, and what it takes.
fn nonsense() -> Vec<(&'static str, Vec<&'static str>, &'static str)> {
    const ADDRESS: &str = "address:port, such as 127.0.0.1:4433 or [::1]:4433";
    let addresses =
        || vec!["5001", "127.0.0.1", "127.0.0.1:", "localhost:1", "127.0.0.1:65536", "::1:80:x", "[::1]"];
    let peers = vec![
        "x",
        "127.0.0.1:1",
        "@127.0.0.1:1",
        "2c8f@127.0.0.1:1",
        concat!("2c8f0e4d91b7a35f6c1d8e20b94a7f3365d0c2e1f8a97b4410e3d5c6a7b8f901", "@"),
        concat!("2c8f0e4d91b7a35f6c1d8e20b94a7f3365d0c2e1f8a97b4410e3d5c6a7b8f901", "@example.org:1"),
        concat!("zz8f0e4d91b7a35f6c1d8e20b94a7f3365d0c2e1f8a97b4410e3d5c6a7b8f901", "@127.0.0.1:1"),
        concat!("2c8f0e4d91b7a35f6c1d8e20b94a7f3365d0c2e1f8a97b4410e3d5c6a7b8f90112", "@127.0.0.1:1"),
    ];
    let relays = vec![
        "relay.example.org:5001",
        "2c8f@relay.example.org:5001",
        concat!("2c8f0e4d91b7a35f6c1d8e20b94a7f3365d0c2e1f8a97b4410e3d5c6a7b8f901", "@relay.example.org"),
        concat!("2c8f0e4d91b7a35f6c1d8e20b94a7f3365d0c2e1f8a97b4410e3d5c6a7b8f901", "@[::1]:5001"),
    ];
    let domains =
        vec!["Relay.example", "a..b", ".a", "a.", "a b", "-a.b", "a_b", "https://a", "192.0.2.7", "relay"];
    vec![
        ("data_dir", vec![], "a path"),
        ("socket", vec![], "a path"),
        ("key_file", vec![], "a path"),
        ("passphrase_file", vec![], "a path"),
        ("peers", vec!["On", "none", "0"], "\"on\" or \"off\""),
        ("listen", addresses(), ADDRESS),
        ("rpc_listen", addresses(), ADDRESS),
        ("rpc_certificate_file", vec![], "a path"),
        ("rpc_certificate_key_file", vec![], "a path"),
        ("discovery", vec!["yes", "true", "Open", "open off", "contacts"], "\"open\" or \"off\""),
        ("neighbours", vec!["off", "Open", "strangers"], "\"open\" or \"contacts\""),
        ("static_peers", peers, "64 hex digits of the node key, an @, and address:port"),
        ("profile", vec!["Server", "laptop", "1"], "\"server\" or \"router\""),
        ("connections_per_address", vec!["0", "-1", "many", "1.5"], "a number from 1 on"),
        ("relay_mailbox_mib", vec!["0", "-1", "much", "1.5"], "a number from 1 on"),
        ("custody", vec!["Disk", "memory", "1"], "\"disk\" or \"ram\""),
        ("relay_registration", vec!["invite", "Open", "1"], "\"closed\", \"open\" or \"work\""),
        ("relay_work_bits", vec!["0", "31", "-1", "many", "1.5"], "a number from 1 to 30"),
        ("relay_domain", domains, "a domain in lower case, such as relay.example.org"),
        (
            "relay_places",
            vec!["relay", "relay:0", "relay:65536", ":5001", "a b:5001", "https://relay:5001", "[::1]"],
            "host:port, such as relay.example.org:5001 or [2001:db8::1]:5001",
        ),
        ("metrics_listen", addresses(), ADDRESS),
        ("relay_push", vec!["Public", "all", "1"], "\"public\", \"any\" or \"off\""),
        ("relay_packets", vec!["closed", "Open", "1"], "\"registered\", \"open\" or \"off\""),
        ("packet_relays", relays, "64 hex digits of the certificate's pin, an @, and host:port"),
        (
            "log",
            vec!["inof", "=", "debug debug", "qpqd=loud", "qpqd==debug"],
            "a level, or target=level separated by commas",
        ),
        ("log_format", vec!["xml", "JSON", "text,json"], "\"text\" or \"json\""),
    ]
}

#[test]
fn nonsense_in_a_setting_is_refused_from_every_source_with_what_would_do() {
    let listed: Vec<_> = nonsense().iter().map(|(name, ..)| *name).collect();
    assert_eq!(listed, Settings::KEYS.iter().map(|key| key.name).collect::<Vec<_>>());
    for (name, values, expected) in nonsense() {
        let (variable, flag) = (format!("QPQ_{}", name.to_uppercase()), name.replace('_', "-"));
        for value in values {
            let wrong = |place: &str| format!("{place}: `{name}` must be {expected}, not `{value}`");
            let file = load(&format!("\n{name} = '{value}'"), &[], &[]);
            assert_eq!(file.unwrap_err(), wrong("qpqd.toml, line 2"));
            // A comma separates entries there, each of which is judged.
            if !value.contains(',') {
                assert_eq!(load("", &[(&variable, value)], &[]).unwrap_err(), wrong(&variable));
                assert_eq!(load("", &[], &[(name, value)]).unwrap_err(), wrong(&format!("--{flag}")));
            }
        }
    }
}

#[test]
fn what_is_no_text_is_refused_in_every_setting_and_called_what_it_is() {
    for (name, _, expected) in nonsense() {
        for (toml, found) in [
            ("7", "7"),
            ("true", "true"),
            ("1.5", "a TOML float"),
            ("2026-11-21", "a TOML datetime"),
            ("{ a = 1 }", "a TOML table"),
        ] {
            let is_taken = match expected {
                "a path" => matches!(toml, "7" | "true"),
                "a number from 1 on" | "a number from 1 to 30" => toml == "7",
                _ => false,
            };
            let read = load(&format!("{name} = {toml}"), &[], &[]);
            if !is_taken {
                let wanted = format!("qpqd.toml, line 1: `{name}` must be {expected}, not `{found}`");
                let is_path = expected == "a path";
                assert!(is_path || read == Err(wanted.clone()), "{name} = {toml}: {read:?}");
            }
        }
        let empty = load(&format!("{name} = ''"), &[], &[]);
        assert_eq!(empty.unwrap_err(), format!("qpqd.toml, line 1: `{name}` must be {expected}, not ``"));
    }
}

#[test]
fn lists_are_judged_entry_by_entry_and_single_values_are_no_lists() {
    let wrong = load("listen = ['127.0.0.1:1', 'nonsense']", &[], &[]).unwrap_err();
    assert!(wrong.ends_with("not `nonsense`"), "{wrong}");
    assert_eq!(load("listen = []", &[], &[]).unwrap().listen.len(), 0);
    assert_eq!(load("listen = '127.0.0.1:1'", &[], &[]).unwrap().listen.len(), 1);
    for (name, _, expected) in nonsense() {
        if !matches!(name, "listen" | "static_peers" | "packet_relays" | "relay_places") {
            let read = load(&format!("{name} = ['a', 'b']"), &[], &[]);
            assert_eq!(
                read.unwrap_err(),
                format!("qpqd.toml, line 1: `{name}` must be {expected}, not `a list`")
            );
        }
    }
}

#[test]
fn a_name_that_is_almost_right_is_suggested() {
    for (name, suggestion) in [
        ("lissten", Some("listen")),
        ("listen_on", Some("listen")),
        ("datadir", Some("data_dir")),
        ("data-dir", Some("data_dir")),
        ("Socket", Some("socket")),
        ("sock", Some("socket")),
        ("keyfile", Some("key_file")),
        ("passphrase", Some("passphrase_file")),
        ("static_peer", Some("static_peers")),
        ("rpc_certificate", Some("rpc_certificate_file")),
        ("logformat", Some("log_format")),
        ("profil", Some("profile")),
        ("discover", Some("discovery")),
        ("zzz", None),
        ("x", None),
    ] {
        let hint = suggestion.map(|known| format!("; did you mean `{known}`?")).unwrap_or_default();
        let wanted = format!("qpqd.toml, line 1: unknown setting `{name}`{hint}");
        assert_eq!(load(&format!("{name} = 1"), &[], &[]).unwrap_err(), wanted);
    }
    // A table of that name is no setting either, nor is a quoted one.
    assert!(load("[network]\nlisten = []", &[], &[]).unwrap_err().contains("unknown setting `network`"));
    assert!(load("\"a b\" = 1", &[], &[]).unwrap_err().contains("unknown setting `a b`"));
    assert!(load("log.level = 'debug'", &[], &[]).unwrap_err().contains("`log` must be a level"));
}

#[test]
fn what_is_given_twice_in_the_file_is_refused() {
    let error = load("socket = '/a'\nsocket = '/b'", &[], &[]).unwrap_err();
    assert!(error.starts_with("qpqd.toml: TOML parse error at line 2"), "{error}");
}

#[test]
fn what_is_not_unicode_is_named() {
    use std::os::unix::ffi::OsStrExt;
    let broken = std::ffi::OsStr::from_bytes(b"/d\xff");
    let environment = Environment::from_iter([("QPQ_DATA_DIR", broken)]);
    let error = Settings::load(&Flags::default(), &environment).unwrap_err();
    assert_eq!(error.to_string(), "QPQ_DATA_DIR: not UTF-8");
    let error = Flags::default().set("rpc_listen", broken).unwrap_err();
    assert_eq!(error.to_string(), "--rpc-listen: not UTF-8");
}

#[test]
fn a_file_that_cannot_be_read_is_told_from_one_that_is_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let error = |path: &Path| {
        let flags = Flags::with_config(Some(path.to_owned()));
        Settings::load(&flags, &Environment::default()).unwrap_err()
    };
    let broken = directory.path().join("broken.toml");
    std::fs::write(&broken, b"socket = '\xff'").unwrap();
    assert!(matches!(error(&broken), SettingsError::Unreadable { .. }));
    assert!(matches!(error(directory.path()), SettingsError::Unreadable { .. }));
    assert!(matches!(error(&broken.join("below")), SettingsError::Unreadable { .. }));
    assert!(matches!(error(&directory.path().join("absent")), SettingsError::Missing { .. }));
}

/// Each source gives the setting or not; the strongest that does wins.
#[test]
fn every_order_of_sources_ends_with_the_strongest() {
    for (name, text, value) in samples() {
        let other = match name {
            "listen" => "127.0.0.1:9".to_owned(),
            "rpc_listen" => "127.0.0.1:9".to_owned(),
            "peers" => "on".to_owned(),
            "discovery" | "neighbours" => "open".to_owned(),
            "static_peers" => format!("{NODE}@127.0.0.1:9"),
            "profile" => "server".to_owned(),
            "connections_per_address" | "relay_mailbox_mib" => "9".to_owned(),
            "custody" => "disk".to_owned(),
            "relay_registration" => "closed".to_owned(),
            "relay_work_bits" => "9".to_owned(),
            "relay_domain" => "other.example".to_owned(),
            "relay_places" => "relay:9".to_owned(),
            "metrics_listen" => "127.0.0.1:9".to_owned(),
            "relay_push" => "public".to_owned(),
            "relay_packets" => "registered".to_owned(),
            "packet_relays" => format!("{NODE}@relay:9"),
            "log" => "error".to_owned(),
            "log_format" => "text".to_owned(),
            _ => "/other".to_owned(),
        };
        let variable = format!("QPQ_{}", name.to_uppercase());
        let shown = |file: bool, in_variable: &[&str], in_flag: &[&str]| {
            let file = if file { format!("{name} = '{other}'") } else { String::new() };
            let variables: Vec<_> = in_variable.iter().map(|value| (&*variable, *value)).collect();
            let flags: Vec<_> = in_flag.iter().map(|value| (name, *value)).collect();
            load(&file, &variables, &flags).unwrap().show(name)
        };
        let expected = Some(value);
        assert_eq!(shown(true, &[&text], &[]), expected, "{name}: the variable over the file");
        assert_eq!(shown(true, &[], &[&text]), expected, "{name}: the flag over the file");
        assert_eq!(shown(false, &[&other], &[&text]), expected, "{name}: the flag over the variable");
        assert_eq!(shown(true, &[&other], &[&text]), expected, "{name}: the flag over both");
        assert_ne!(shown(true, &[], &[]), expected, "{name}: the file alone");
    }
}

proptest! {
    /// Whatever a variable holds: it is refused, or written back it means the same.
    #[test]
    fn a_value_that_is_taken_means_the_same_when_it_is_written_back(
        index in 0..Settings::KEYS.len(),
        text in prop_oneof!["[ -~]{0,24}", "[0-9a-f.:@,\\[\\]]{0,30}", ".{0,12}"],
    ) {
        let name = Settings::KEYS[index].name;
        let mut settings = Settings::default();
        if settings.assign(name, &Raw::Text(text)).is_ok() && let Some(written) = settings.show(name) {
            let mut again = Settings::default();
            again.assign(name, &written).unwrap();
            prop_assert_eq!(again.show(name), Some(written));
        }
    }

    /// Whatever is in the file: it is read or refused, and nothing else happens.
    #[test]
    fn any_file_is_survived(
        lines in vec(prop_oneof!["[a-z_]{1,12} = ['\"0-9a-z:/.,\\[\\]]{0,20}", "[ -~]{0,30}", ".{0,20}"], 0..8),
    ) {
        let _ = load(&lines.join("\n"), &[], &[]);
    }
}
