//! `qpq backup`: what is asked of the daemon, and that passphrases come from where they should.

use std::fs;

use qpq_proto::{Failure, Method, v1};

use crate::node::{Ended, Scripted, json, run};
use crate::people::{AT_MS, hex};
use crate::script::Script;

const PASSPHRASE: &str = "correct horse";

fn script() -> Script {
    Script::default()
        .answering(Method::CreateBackup, &v1::CreateBackupResponse { bytes: 4_096, contacts: 1, messages: 3 })
        .answering(
            Method::VerifyBackup,
            &v1::VerifyBackupResponse {
                identity: vec![0xaa; 32],
                name: "alice".into(),
                created_at_ms: AT_MS,
                contacts: 2,
                messages: 1,
            },
        )
        .answering(
            Method::RestoreBackup,
            &v1::RestoreBackupResponse {
                identity: vec![0xaa; 32],
                name: "alice".into(),
                contacts: 2,
                messages: 0,
            },
        )
}

/// Runs a command on a backup with the passphrase in the environment.
fn backup(node: &Scripted, words: &[&str]) -> Ended {
    let mut command = node.command(&[&["backup"], words].concat());
    command.env("QPQ_PASSPHRASE", PASSPHRASE);
    run(command, "")
}

#[test]
fn each_command_says_what_it_did_to_people_and_programs() {
    let identity = hex("aa", 32);
    for (words, for_people, for_programs, advice) in [
        (
            &["create", "/tmp/a b"][..],
            "/tmp/a b: 4096 bytes with 1 contact and 3 messages\n",
            r#"{"schema":"qpq.backup/1","path":"/tmp/a b","bytes":4096,"contacts":1,"messages":3}"#
                .to_owned(),
            "Without the passphrase nobody can open it, you neither. Check it: qpq backup verify '/tmp/a b'\n",
        ),
        (
            &["verify", "/tmp/b"],
            "/tmp/b: a good backup of alice, made 2026-11-21 10:31:05, with 2 contacts and 1 message\n",
            format!(
                r#"{{"schema":"qpq.backup-content/1","path":"/tmp/b","identity":"{identity}","name":"alice","#
            ) + r#""created_at_ms":1795257065120,"contacts":2,"messages":1}"#,
            "",
        ),
        (
            &["restore", "/tmp/b"],
            "You are alice again, on a new device, with 2 contacts and 0 messages.\n",
            format!(r#"{{"schema":"qpq.restored/1","identity":"{identity}","name":"alice","#)
                + r#""contacts":2,"messages":0}"#,
            "",
        ),
    ] {
        let node = Scripted::start(script());
        let ended = backup(&node, words);
        assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (0, for_people, advice));
        let ended = backup(&node, &[&["--json"], words].concat());
        assert_eq!(ended.stdout.trim_end(), for_programs);
    }
}

#[test]
fn the_path_is_made_absolute_for_a_daemon_that_lives_elsewhere() {
    let (node, here) = (Scripted::start(script()), tempfile::tempdir().unwrap());
    let mut command = node.command(&["backup", "verify", "b/../backup"]);
    command.env("QPQ_PASSPHRASE", PASSPHRASE).current_dir(here.path());
    assert_eq!(run(command, "").code, 0);
    let asked: v1::VerifyBackupRequest = node.request(Method::VerifyBackup);
    assert_eq!(asked.path, here.path().canonicalize().unwrap().join("b/../backup").to_str().unwrap());
    assert_eq!(asked.passphrase, PASSPHRASE.as_bytes());
}

#[test]
fn a_file_with_the_passphrase_goes_before_the_environment() {
    let (node, here) = (Scripted::start(script()), tempfile::tempdir().unwrap());
    let file = here.path().join("passphrase");
    fs::write(&file, "from the file\r\nsecond line\n").unwrap();
    backup(&node, &["create", "/tmp/b", "--passphrase-file", file.to_str().unwrap()]);
    let asked: v1::CreateBackupRequest = node.request(Method::CreateBackup);
    assert_eq!(asked.passphrase, b"from the file");
    let absent = here.path().join("absent");
    let ended = backup(&node, &["verify", "/tmp/b", "--passphrase-file", absent.to_str().unwrap()]);
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.starts_with(&format!("qpq: {}: ", absent.display())), "{}", ended.stderr);
}

#[test]
fn a_new_passphrase_may_not_be_short_and_a_known_one_may() {
    let node = Scripted::start(script());
    for (words, code) in [(["create", "/tmp/b"], 2), (["verify", "/tmp/b"], 0), (["restore", "/tmp/b"], 0)] {
        let mut command = node.command(&[&["backup"], &words[..]].concat());
        command.env("QPQ_PASSPHRASE", "short");
        let ended = run(command, "");
        assert_eq!(ended.code, code, "{words:?}: {}", ended.stderr);
    }
    assert!(node.requests::<v1::CreateBackupRequest>(Method::CreateBackup).is_empty());
}

#[test]
fn a_passphrase_is_not_asked_for_without_a_terminal() {
    let node = Scripted::start(script());
    for words in [["create", "/tmp/b"], ["verify", "/tmp/b"], ["restore", "/tmp/b"]] {
        let ended = node.qpq(&[&["--json", "backup"], &words[..]].concat(), "correct horse\n");
        assert_eq!(ended.code, 2, "{words:?}");
        let message = json(&ended.stderr)["message"].as_str().unwrap().to_owned();
        assert!(message.contains("--passphrase-file") && message.contains("QPQ_PASSPHRASE"), "{message}");
    }
}

#[test]
fn a_refusal_of_the_daemon_s_is_passed_on() {
    for (failure, code) in [
        (Failure { field: "passphrase".into(), ..Failure::conflict("the passphrase is wrong") }, 1),
        (Failure::not_found("/tmp/b: no such file"), 1),
        (Failure::forbidden("/tmp/b: Permission denied"), 6),
        (Failure::bad_request("path", "the path must be absolute"), 2),
    ] {
        let node = Scripted::start(Script::default().failing(Method::VerifyBackup, failure.clone()));
        let ended = backup(&node, &["verify", "/tmp/b"]);
        assert_eq!((ended.code, ended.stdout.as_str()), (code, ""));
        assert_eq!(ended.stderr, format!("qpq: {}\n", failure.message));
    }
}
