//! What makes a daemon start, or say why it does not.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::daemon::{Daemon, Home};

#[test]
fn it_says_once_that_it_is_ready_and_nothing_else() {
    let home = Home::new();
    let daemon = home.start();
    assert_eq!(daemon.before, Vec::<String>::new());
    assert_eq!(daemon.value("node").len(), 64);
    assert!(daemon.value("addresses").starts_with("127.0.0.1:"));
    assert_eq!(daemon.value("socket"), home.data_dir().join("qpqd.sock").to_str().unwrap());
    daemon.signal(Signal::TERM);
    let (status, said) = daemon.wait();
    assert_eq!((status.code(), said), (Some(0), Vec::new()));
}

#[test]
fn what_it_makes_is_closed_to_others() {
    let home = Home::new();
    let daemon = home.start();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&home.data_dir()), 0o700);
    for entry in fs::read_dir(home.data_dir()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    let keys = home.path(".config/qpq/keys");
    assert_eq!(mode(&keys), 0o700);
    for entry in fs::read_dir(keys).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    daemon.stop();
}

#[test]
fn the_node_stays_the_same_when_it_is_killed() {
    let home = Home::new();
    let daemon = home.start();
    let node = daemon.value("node").to_owned();
    daemon.signal(Signal::KILL);
    daemon.wait();
    assert!(home.data_dir().join("qpqd.sock").exists(), "a killed daemon leaves its socket");
    let daemon = home.start();
    assert_eq!(daemon.value("node"), node);
    daemon.stop();
    assert!(!home.data_dir().join("qpqd.sock").exists());
}

#[test]
fn a_second_daemon_in_one_directory_is_refused() {
    let home = Home::new();
    let first = home.start();
    let (code, said) = home.run(&mut home.command());
    let expected = "qpqd: another daemon uses ~/data: stop it, or choose another directory with --data-dir\n";
    assert_eq!((code, said.as_str()), (1, expected));
    first.stop();
}

#[test]
fn settings_that_cannot_be_used_end_it_with_2() {
    let home = Home::new();
    let file = home.path("qpqd.toml");
    fs::write(&file, "lissten = []").unwrap();
    let cases = [
        (
            ["--config", file.to_str().unwrap()],
            "qpqd: ~/qpqd.toml, line 1: unknown setting `lissten`; did you mean `listen`?\n",
        ),
        (["--config", "/nonexistent.toml"], "qpqd: /nonexistent.toml: no such settings file\n"),
        (
            ["--discovery", "maybe"],
            "qpqd: --discovery: `discovery` must be \"open\" or \"off\", not `maybe`\n",
        ),
    ];
    for (flags, expected) in cases {
        for check in [&["--check-config"][..], &[]] {
            assert_eq!(
                home.run(home.command().args(flags).args(check)),
                (2, expected.to_owned()),
                "{flags:?}"
            );
        }
    }
    let long = "s".repeat(120);
    let (code, said) = home.run(home.command().args(["--socket", &long]));
    assert_eq!(code, 2);
    assert!(said.contains("choose a shorter one with --socket"), "{said}");
    let (code, said) = home.run(home.command().arg("--check-config"));
    assert_eq!((code, said.as_str()), (0, "qpqd: the settings can be used (no settings file)\n"));
}

#[test]
fn a_place_that_cannot_be_used_is_named() {
    let home = Home::new();
    fs::write(home.path("file"), b"").unwrap();
    let cases = [
        ("--data-dir", "file", "qpqd: ~/file: "),
        ("--socket", "nowhere/qpqd.sock", "qpqd: cannot listen on ~/nowhere/qpqd.sock: "),
        ("--key-file", "data/node.key", "qpqd: the key file ~/data/node.key lies inside the data directory"),
        ("--passphrase-file", "nowhere", "qpqd: ~/nowhere: no such file"),
    ];
    for (flag, path, expected) in cases {
        let mut command = Command::new(env!("CARGO_BIN_EXE_qpqd"));
        command.env_clear().env("HOME", home.path("")).env("QPQ_DATA_DIR", home.data_dir());
        command.env("QPQ_LISTEN", "127.0.0.1:0").env("QPQ_DISCOVERY", "off").arg(flag).arg(home.path(path));
        let (code, said) = home.run(&mut command);
        assert!(code == 1 && said.starts_with(expected), "{flag}: {code} {said}");
        let _ = fs::remove_dir_all(home.data_dir());
    }
}

#[test]
fn a_lost_key_and_a_wrong_passphrase_are_told_apart() {
    let home = Home::new();
    home.start().stop();
    fs::remove_dir_all(home.path(".config")).unwrap();
    let (code, said) = home.run(&mut home.command());
    assert!(
        code == 1 && said.starts_with("qpqd: the key file of this database is missing: ~/.config/"),
        "{said}"
    );

    let home = Home::new();
    let passphrase = home.path("passphrase");
    let write = |text: &str| {
        fs::write(&passphrase, text).unwrap();
        fs::set_permissions(&passphrase, fs::Permissions::from_mode(0o600)).unwrap();
        let mut command = home.command();
        command.arg("--passphrase-file").arg(&passphrase);
        command
    };
    Daemon::start(write("correct horse\n")).stop();
    let (code, said) = home.run(&mut write("correct house\n"));
    let expected = "qpqd: the passphrase is not the one the database in ~/data was made with\n";
    assert_eq!((code, said.as_str()), (1, expected));
    Daemon::start(write("correct horse")).stop();
}

#[test]
fn a_service_keeps_everything_where_its_manager_says() {
    let home = Home::new();
    let state = format!("{}:{}", home.path("state").display(), home.path("keys").display());
    let credentials = home.path("credentials");
    let service = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_qpqd"));
        command.env_clear().env("STATE_DIRECTORY", &state).env("QPQ_LISTEN", "127.0.0.1:0");
        command.env("QPQ_DISCOVERY", "off").env("QPQ_PROFILE", "router").stderr(Stdio::piped());
        command
    };
    let daemon = Daemon::start(service());
    assert_eq!(daemon.value("socket"), home.path("state/qpqd.sock").to_str().unwrap());
    daemon.stop();
    assert_eq!(fs::read_dir(home.path("keys")).unwrap().count(), 2, "the key, and the count of openings");

    fs::remove_dir_all(home.path("state")).unwrap();
    fs::remove_dir_all(home.path("keys")).unwrap();
    fs::create_dir(&credentials).unwrap();
    fs::write(credentials.join("qpq-passphrase"), "correct horse").unwrap();
    let with_credential = || {
        let mut command = service();
        command.env("CREDENTIALS_DIRECTORY", &credentials);
        command
    };
    Daemon::start(with_credential()).stop();
    Daemon::start(with_credential()).stop();
    let (code, said) = home.run(&mut service());
    assert!(code == 1 && said.starts_with("qpqd: this database is sealed with a passphrase"), "{said}");
}

#[test]
fn an_address_that_is_taken_is_said() {
    let home = Home::new();
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, said) = home.run(home.command().env("QPQ_LISTEN", &address));
    assert_eq!(code, 1);
    assert!(said.starts_with("qpqd: connections with peers cannot be started: "), "{said}");
}

#[test]
fn it_prints_a_settings_file_that_it_can_read() {
    let home = Home::new();
    let output = home.command().arg("--print-default-config").output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
    let file = home.path("printed.toml");
    fs::write(&file, output.stdout).unwrap();
    let (code, said) = home.run(home.command().arg("--check-config").arg("--config").arg(file));
    assert_eq!((code, said.as_str()), (0, "qpqd: the settings can be used (~/printed.toml)\n"));
}
