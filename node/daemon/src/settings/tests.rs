use std::path::Path;

use super::value::Raw;
use super::*;
use crate::environment::Environment;

mod nonsense;

const NODE: &str = "2c8f0e4d91b7a35f6c1d8e20b94a7f3365d0c2e1f8a97b4410e3d5c6a7b8f901";

/// One value a setting takes, as text, and how it is written back.
fn samples() -> Vec<(&'static str, String, Raw)> {
    let one = |text: &str| Raw::One(text.to_owned());
    let path = |name, path: &str| (name, path.to_owned(), one(path));
    vec![
        path("data_dir", "/d"),
        path("socket", "/s"),
        path("key_file", "/k"),
        path("passphrase_file", "-"),
        ("peers", "off".into(), one("off")),
        ("listen", "127.0.0.1:0, [::1]:7".into(), Raw::Many(vec!["127.0.0.1:0".into(), "[::1]:7".into()])),
        ("rpc_listen", "127.0.0.1:5001".into(), one("127.0.0.1:5001")),
        path("rpc_certificate_file", "/c"),
        path("rpc_certificate_key_file", "/ck"),
        ("discovery", "off".into(), one("off")),
        ("neighbours", "contacts".into(), one("contacts")),
        ("static_peers", format!("{NODE}@127.0.0.1:1"), Raw::Many(vec![format!("{NODE}@127.0.0.1:1")])),
        ("profile", "router".into(), one("router")),
        ("connections_per_address", "7".into(), one("7")),
        ("relay_mailbox_mib", "7".into(), one("7")),
        ("custody", "ram".into(), one("ram")),
        ("relay_registration", "open".into(), one("open")),
        ("relay_work_bits", "26".into(), one("26")),
        ("relay_domain", "relay.example.org".into(), one("relay.example.org")),
        ("relay_places", "relay.example.org:5001".into(), Raw::Many(vec!["relay.example.org:5001".into()])),
        ("metrics_listen", "127.0.0.1:9464".into(), one("127.0.0.1:9464")),
        ("relay_push", "any".into(), one("any")),
        ("relay_packets", "open".into(), one("open")),
        ("packet_relays", format!("{NODE}@relay:5001"), Raw::Many(vec![format!("{NODE}@relay:5001")])),
        ("log", "debug".into(), one("debug")),
        ("log_format", "json".into(), one("json")),
    ]
}

/// Loads with a file of this text, these variables and these flags.
fn load(file: &str, variables: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Result<Settings, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("qpqd.toml");
    std::fs::write(&path, file).unwrap();
    let mut given = Flags::with_config(Some(path));
    for (name, value) in flags {
        given.set(name, value.as_ref()).unwrap();
    }
    let shorten = |text: String| text.replace(&format!("{}/", directory.path().display()), "");
    Settings::load(&given, &Environment::from_iter(variables.iter().copied()))
        .map(|loaded| loaded.settings)
        .map_err(|error| shorten(error.to_string()))
}

#[test]
fn every_setting_can_be_given_in_the_file_the_environment_and_a_flag() {
    let names: Vec<_> = samples().iter().map(|(name, ..)| *name).collect();
    assert_eq!(names, Settings::KEYS.iter().map(|key| key.name).collect::<Vec<_>>());
    for (name, text, expected) in samples() {
        let file = match &expected {
            Raw::Many(entries) => format!("{name} = {entries:?}"),
            _ => format!("{name} = {text:?}"),
        };
        let variable = format!("QPQ_{}", name.to_uppercase());
        let sources =
            [load(&file, &[], &[]), load("", &[(&variable, &text)], &[]), load("", &[], &[(name, &text)])];
        for settings in sources {
            assert_eq!(settings.unwrap().show(name), Some(expected.clone()), "{name}");
        }
    }
}

#[test]
fn a_flag_overrides_the_environment_which_overrides_the_file() {
    let file = "socket = '/file'\nkey_file = '/file'\ndata_dir = '/file'";
    let variables = [("QPQ_SOCKET", "/variable"), ("QPQ_KEY_FILE", "/variable")];
    let settings = load(file, &variables, &[("socket", "/flag")]).unwrap();
    let shown = ["socket", "key_file", "data_dir"].map(|name| settings.show(name).unwrap());
    assert_eq!(shown, ["/flag", "/variable", "/file"].map(|path| Raw::One(path.into())));
}

#[test]
fn an_empty_variable_clears_a_setting() {
    let settings = load(
        "rpc_listen = '127.0.0.1:1'\nlisten = ['127.0.0.1:1']",
        &[("QPQ_RPC_LISTEN", ""), ("QPQ_LISTEN", "")],
        &[],
    )
    .unwrap();
    assert_eq!((settings.rpc_listen, settings.listen.len()), (None, 0));
}

#[test]
fn variables_that_are_no_settings_are_told() {
    let told = |name: &str| Settings::unknown_variables(&Environment::from_iter([(name, "1")]));
    assert_eq!(told("QPQ_LISTNE"), ["QPQ_LISTNE: no such setting; did you mean `QPQ_LISTEN`?"]);
    assert_eq!(told("QPQ_ZZZ"), ["QPQ_ZZZ: no such setting"]);
    for known in ["QPQ_LISTEN", "QPQ_CONFIG", "QPQ_PASSPHRASE", "QPQ_TEST_SEED", "HOME"] {
        assert!(told(known).is_empty(), "{known}");
    }
}

#[test]
fn a_list_flag_can_be_repeated() {
    let settings = load("", &[], &[("listen", "127.0.0.1:1"), ("listen", "127.0.0.1:2")]).unwrap();
    assert_eq!(settings.listen.len(), 2);
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [(&'static str, &'a str)], &'a str);
    let cases: &[Case<'_>] = &[
        (
            "socket = '/s'\n\nlissten = []",
            &[],
            &[],
            "qpqd.toml, line 3: unknown setting `lissten`; did you mean `listen`?",
        ),
        ("zzz = 1", &[], &[], "qpqd.toml, line 1: unknown setting `zzz`"),
        (
            "[log]\nlevel = 'x'",
            &[],
            &[],
            "qpqd.toml, line 1: `log` must be a level, or target=level separated by commas, not `a TOML table`",
        ),
        ("profile = 3", &[], &[], "qpqd.toml, line 1: `profile` must be \"server\" or \"router\", not `3`"),
        (
            "profile = ['router']",
            &[],
            &[],
            "qpqd.toml, line 1: `profile` must be \"server\" or \"router\", not `a list`",
        ),
        (
            "",
            &[("QPQ_DISCOVERY", "yes")],
            &[],
            "QPQ_DISCOVERY: `discovery` must be \"open\" or \"off\", not `yes`",
        ),
        (
            "",
            &[("QPQ_PROFILE", "")],
            &[],
            "QPQ_PROFILE: `profile` must be \"server\" or \"router\", not `nothing`",
        ),
        (
            "",
            &[],
            &[("log", "inof")],
            "--log: `log` must be a level, or target=level separated by commas, not `inof`",
        ),
        (
            "",
            &[],
            &[("rpc_listen", "5001")],
            "--rpc-listen: `rpc_listen` must be address:port, such as 127.0.0.1:4433 or [::1]:4433, not `5001`",
        ),
        (
            "static_peers = ['ab@127.0.0.1:1']",
            &[],
            &[],
            "qpqd.toml, line 1: `static_peers` must be 64 hex digits of the node key, an @, and address:port, not `ab@127.0.0.1:1`",
        ),
    ];
    for (file, variables, flags, expected) in cases {
        assert_eq!(load(file, variables, flags).unwrap_err(), *expected);
    }
}

#[test]
fn a_file_that_is_not_toml_names_the_line() {
    let error = load("socket = '/s'\nlisten = [", &[], &[]).unwrap_err();
    assert!(error.starts_with("qpqd.toml: TOML parse error at line 2"), "{error}");
}

#[test]
fn a_file_that_was_named_must_exist_and_a_default_one_need_not() {
    let directory = tempfile::tempdir().unwrap();
    let flags = Flags::with_config(Some(directory.path().join("absent.toml")));
    let error = Settings::load(&flags, &Environment::default()).unwrap_err();
    assert!(matches!(error, SettingsError::Missing { .. }), "{error}");

    let environment = Environment::from_iter([("XDG_CONFIG_HOME", directory.path())]);
    assert_eq!(Settings::load(&Flags::default(), &environment).unwrap().file, None);
    std::fs::create_dir(directory.path().join("qpq")).unwrap();
    std::fs::write(directory.path().join("qpq/qpqd.toml"), "profile = 'router'").unwrap();
    let loaded = Settings::load(&Flags::default(), &environment).unwrap();
    assert_eq!(loaded.settings.profile, Profile::Router);
    assert_eq!(loaded.file.as_deref(), Some(directory.path().join("qpq/qpqd.toml")).as_deref());
}

#[test]
fn a_huge_file_is_refused_before_it_is_read() {
    let error = load(&"#".repeat(70_000), &[], &[]).unwrap_err();
    assert_eq!(error, "qpqd.toml: larger than 65536 bytes, not a settings file");
}

#[test]
fn the_default_document_holds_every_setting_and_its_lines_are_valid() {
    let document = Settings::default_document();
    let uncommented: String = document
        .lines()
        .filter(|line| line.starts_with('#') && !line.starts_with("# "))
        .map(|line| format!("{}\n", &line[1..]))
        .collect();
    assert_eq!(uncommented.lines().count(), Settings::KEYS.len(), "{uncommented}");
    let settings = load(&uncommented, &[], &[]).unwrap();
    for (key, default) in Settings::KEYS.iter().map(|key| (key, Settings::default().show(key.name))) {
        let expected = default.unwrap_or_else(|| Raw::One(key.example.to_owned()));
        assert_eq!(settings.show(key.name), Some(expected), "{}", key.name);
    }
    assert_eq!(load(&document, &[], &[]).unwrap(), Settings::default());
}

#[test]
fn changes_are_told_apart_by_when_they_take_effect() {
    let before = Settings::default();
    let after = load("log = 'debug'\nprofile = 'router'", &[], &[]).unwrap();
    let changed: Vec<_> = before.changed(&after).iter().map(|key| (key.name, key.effect)).collect();
    assert_eq!(changed, [("profile", Effect::Restart), ("log", Effect::Live)]);
    assert!(before.changed(&before).is_empty());
}

#[test]
fn relative_paths_stay_as_they_are() {
    let settings = load("", &[], &[("data_dir", "d")]).unwrap();
    assert_eq!(settings.data_dir.as_deref(), Some(Path::new("d")));
}
