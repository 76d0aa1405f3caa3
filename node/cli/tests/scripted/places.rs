//! Where the daemon is looked for, and what is said when nobody is there.

use std::fs;
use std::os::unix::net::UnixListener;

use crate::node::{Ended, json, qpq, run};

/// Runs `qpq id` in a home of its own with this environment and these words; `~` stands for the home.
fn id(prepare: impl FnOnce(&std::path::Path), variables: &[(&str, &str)], words: &[&str]) -> Ended {
    let home = tempfile::tempdir().unwrap();
    prepare(home.path());
    let here = home.path().display().to_string();
    let at_home = |text: &str| text.replace('~', &here);
    let mut command = qpq(home.path());
    command.args(words.iter().map(|word| at_home(word))).arg("id");
    command.envs(variables.iter().map(|(name, value)| (name, at_home(value))));
    let ended = run(command, "");
    Ended { stderr: ended.stderr.replace(&here, "~"), ..ended }
}

#[test]
fn the_daemon_is_looked_for_where_flags_variables_settings_and_the_home_say() {
    let settings = |home: &std::path::Path| {
        fs::create_dir(home.join("qpq")).unwrap();
        fs::write(home.join("qpq/qpqd.toml"), format!("data_dir = '{}/file'", home.display())).unwrap();
    };
    let nothing = |_: &std::path::Path| ();
    type Case<'a> = (bool, &'a [(&'a str, &'a str)], &'a [&'a str], &'a str, &'a str);
    let cases: &[Case<'_>] = &[
        (false, &[], &[], "~/.local/share/qpq/qpqd.sock", "qpqd"),
        (false, &[("XDG_DATA_HOME", "~/d")], &[], "~/d/qpq/qpqd.sock", "qpqd"),
        (true, &[], &[], "~/file/qpqd.sock", "qpqd"),
        (true, &[("QPQ_DATA_DIR", "~/var")], &[], "~/var/qpqd.sock", "qpqd --data-dir ~/var"),
        (
            true,
            &[("QPQ_DATA_DIR", "~/var")],
            &["--data-dir", "~/flag"],
            "~/flag/qpqd.sock",
            "qpqd --data-dir ~/flag",
        ),
        (true, &[("QPQ_SOCKET", "~/s")], &[], "~/s", "qpqd"),
        (true, &[("QPQ_SOCKET", "~/s")], &["--socket", "~/t"], "~/t", "qpqd"),
        (false, &[("STATE_DIRECTORY", "~/state")], &[], "~/state/qpqd.sock", "qpqd"),
        (
            false,
            &[("QPQ_DATA_DIR", "/var/lib/qpq")],
            &[],
            "/var/lib/qpq/qpqd.sock",
            "sudo systemctl start qpqd",
        ),
    ];
    for (has_settings, variables, words, socket, fix) in cases {
        let prepare: &dyn Fn(&std::path::Path) = if *has_settings { &settings } else { &nothing };
        let ended = id(prepare, variables, words);
        assert_eq!(ended.code, 3);
        let wanted =
            format!("qpq: the daemon is not running: there is no socket {socket}\n     try: {fix}\n");
        assert_eq!(ended.stderr, wanted, "{variables:?} {words:?}");
    }
}

#[test]
fn each_kind_of_absence_is_told_apart() {
    let stale = |home: &std::path::Path| drop(UnixListener::bind(home.join("s")).unwrap());
    let ended = id(stale, &[], &["--socket", "~/s"]);
    assert_eq!(ended.code, 3);
    let wanted =
        "qpq: the daemon is not running: nobody listens on ~/s, which it left behind\n     try: qpqd\n";
    assert_eq!(ended.stderr, wanted);

    let below_a_file = |home: &std::path::Path| fs::write(home.join("file"), "").unwrap();
    let ended = id(below_a_file, &[], &["--socket", "~/file/s"]);
    assert_eq!(ended.code, 3);
    assert!(ended.stderr.starts_with("qpq: the daemon cannot be reached at ~/file/s: "), "{}", ended.stderr);
    assert!(ended.stderr.ends_with("     try: qpq doctor\n"), "{}", ended.stderr);
}

#[test]
fn settings_that_cannot_be_used_are_wrong_usage() {
    let broken = |home: &std::path::Path| {
        fs::create_dir(home.join("qpq")).unwrap();
        fs::write(home.join("qpq/qpqd.toml"), "\nsockett = '/s'").unwrap();
    };
    let ended = id(broken, &[], &[]);
    let wanted = "qpq: ~/qpq/qpqd.toml, line 2: unknown setting `sockett`; did you mean `socket`?\n";
    assert_eq!((ended.code, ended.stderr.as_str()), (2, wanted));

    let long = "x".repeat(120);
    let ended = id(|_| (), &[], &["--socket", &long]);
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("choose a shorter one with --socket"), "{}", ended.stderr);
    let ended = id(|_| (), &[("QPQ_SOCKET", "")], &[]);
    assert_eq!(ended.code, 3, "a variable that is empty is none: {}", ended.stderr);
}

#[test]
fn a_command_that_needs_no_daemon_needs_no_settings_either() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("qpq")).unwrap();
    fs::write(home.path().join("qpq/qpqd.toml"), "nonsense").unwrap();
    for (words, part) in [
        (&["completions", "bash"][..], "complete -F"),
        (&["completions", "fish"], "complete -c qpq"),
        (&["man"], "Exit codes"),
        (&["--help"], "Options of every command"),
        (&["--version"], "qpq "),
        (&["help", "contact"], "verify"),
    ] {
        let mut command = qpq(home.path());
        command.args(words);
        let ended = run(command, "");
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{words:?}");
        assert!(ended.stdout.contains(part), "{words:?}: {}", ended.stdout);
    }
    let pages = home.path().join("man/man1");
    let mut command = qpq(home.path());
    command.arg("man").arg(&pages);
    assert_eq!(run(command, "").code, 0);
    assert!(pages.join("qpq-contact-verify.1").is_file());
}

#[test]
fn wrong_usage_is_told_on_standard_error() {
    for (words, part) in [
        (&[][..], "Usage: qpq"),
        (&["nonsense"], "unrecognized subcommand 'nonsense'"),
        (&["contcat", "list"], "contact"),
        (&["send", "@bob", "hi", "--wait", "read"], "possible values: sent, delivered"),
        (&["send", "@bob", "hi", "--wait", "sent", "--timeout", "30"], "the unit is missing: write 30s"),
        (&["read", "--last", "0"], "a number from 1 to 1024 is wanted"),
        (&["read", "--since", "x"], "a cursor is a number"),
        (&["trace", "xyz"], "an id is written in hexadecimal digits"),
        (&["trace", "00"], "an id has 32 hexadecimal digits"),
        (&["invite", "revoke", "12"], "an id has 32 hexadecimal digits"),
        (&["contact", "verify", "@bob", "--match", "--mismatch"], "cannot be used with"),
    ] {
        let home = tempfile::tempdir().unwrap();
        let mut command = qpq(home.path());
        command.args(words);
        let ended = run(command, "");
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{words:?}");
        assert!(ended.stderr.contains(part), "{words:?}: {}", ended.stderr);
    }
}

#[test]
fn the_doctor_needs_no_daemon() {
    let home = tempfile::tempdir().unwrap();
    let mut command = qpq(home.path());
    command.args(["--json", "doctor"]);
    let ended = run(command, "");
    assert_eq!(ended.code, 1);
    let report = json(&ended.stdout);
    let found: Vec<_> = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| (check["name"].as_str().unwrap(), check["outcome"].as_str().unwrap()))
        .collect();
    assert_eq!(found[0], ("data-directory", "warn"));
    assert_eq!(found[1].0, "disk");
    assert_eq!(found[2..], [("socket", "fail"), ("daemon", "fail")]);
    assert_eq!((&report["schema"], &report["outcome"]), (&"qpq.doctor/1".into(), &"fail".into()));
}
