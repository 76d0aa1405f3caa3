//! What goes wrong around a node: garbage, wrong permissions, two daemons, none.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{Read, Write};
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use chacha20::ChaCha20Rng;
use qpq_tests::{DEADLINE, Node, Options, Person, befriend, skip};
use rand_core::{Rng, SeedableRng};
use serde_json::Value;

#[test]
fn without_a_daemon_the_command_that_helps_is_named() {
    let node = Node::new("alice", Options::default());
    for words in [["status"].as_slice(), &["send", "@bob", "hello"], &["read"], &["id"]] {
        let refused = node.qpq_plain(words, b"").expect_status(3);
        assert!(refused.stderr.contains("qpqd"), "{words:?}: {}", refused.stderr);
        assert_eq!(refused.stdout, "", "{words:?}");
        let error: Value = serde_json::from_str(node.qpq(words).expect_status(3).stderr.trim()).unwrap();
        assert_eq!(error["exit"], 3);
    }
    assert_eq!(
        node.qpq(&["doctor"]).status,
        1,
        "doctor works without a daemon, and finds that there is none"
    );
}

#[test]
fn a_socket_left_behind_is_no_daemon() {
    let mut alice = Person::new("alice");
    alice.kill9();
    assert!(alice.socket().exists(), "a killed daemon cannot remove its socket");
    alice.qpq(&["status"]).expect_status(3);
    alice.run_again();
    alice.ok(&["status"]);
}

#[test]
fn a_second_daemon_is_refused_and_the_first_goes_on() {
    let alice = Person::new("alice");
    let second = alice.daemon_output(&[]);
    assert_ne!(second.status, 0);
    assert!(second.stderr.contains("another daemon"), "{}", second.stderr);
    assert!(!second.stderr.contains("panicked"), "{}", second.stderr);
    alice.ok(&["status"]);
}

#[test]
fn commands_before_init_say_what_to_do() {
    let node = Node::start("nobody");
    let refused = node.qpq_plain(&["send", "@bob", "hello"], b"").expect_status(1);
    assert!(refused.stderr.contains("qpq init"), "{}", refused.stderr);
    node.ok(&["status"]);
}

#[test]
fn garbage_on_the_socket_harms_nobody() {
    let alice = Person::new("alice");
    let mut random = ChaCha20Rng::seed_from_u64(1);
    for length in [0, 1, 9, 10, 11, 100, 5_000, 100_000] {
        let mut garbage = vec![0; length];
        random.fill_bytes(&mut garbage);
        shout(&alice, &garbage);
        alice.ok(&["status"]);
    }
}

#[test]
fn an_announced_length_over_the_limit_is_refused_before_it_is_read() {
    let alice = Person::new("alice");
    let before = resident_bytes(&alice);
    for length in [4_194_305, u32::MAX] {
        let mut frame = 1100_u16.to_be_bytes().to_vec();
        frame.extend(1_u32.to_be_bytes());
        frame.extend(length.to_be_bytes());
        let answer = shout(&alice, &frame);
        assert_eq!(answer.first(), Some(&1), "status BadRequest");
    }
    assert!(resident_bytes(&alice) < before + 4_000_000, "nothing was allocated for it");
}

#[test]
fn an_unknown_method_is_answered_and_the_connection_goes_on() {
    let alice = Person::new("alice");
    let mut stream = UnixStream::connect(alice.socket()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    for (method, status) in [(9_999_u16, 11), (1100, 0), (9_998, 11), (1102, 0)] {
        let request_id = u32::from(method);
        let head = [&method.to_be_bytes()[..], &request_id.to_be_bytes(), &[0; 4]].concat();
        stream.write_all(&head).unwrap();
        let mut answer = [0; 9];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!((answer[0], &answer[1..5]), (status, &request_id.to_be_bytes()[..]), "method {method}");
        let length = u32::from_be_bytes(answer[5..].try_into().unwrap());
        stream.read_exact(&mut vec![0; length.try_into().unwrap()]).unwrap();
    }
}

#[test]
fn garbage_on_the_wire_harms_nobody() {
    let (alice, bob) = (Person::new("alice"), Person::new("bob"));
    let status = alice.ok(&["status"]);
    let addresses = status["addresses"].as_array().unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut random = ChaCha20Rng::seed_from_u64(2);
    for address in addresses.iter().filter_map(Value::as_str) {
        for length in (0..1_400).step_by(50) {
            let mut datagram = vec![0; length];
            random.fill_bytes(&mut datagram);
            // A full buffer is fine: this is garbage.
            let _ = socket.send_to(&datagram, address);
        }
    }
    befriend(&alice, &bob);
    alice.deliver("@bob", "still here");
}

#[test]
fn an_exposed_key_file_is_refused() {
    let mut alice = Person::new("alice");
    assert!(alice.terminate().success());
    fs::set_permissions(alice.key_file(), PermissionsExt::from_mode(0o644)).unwrap();
    assert_refused(&alice, "chmod 600");
    fs::set_permissions(alice.key_file(), PermissionsExt::from_mode(0o600)).unwrap();
    alice.run_again();
}

#[test]
fn a_lost_or_foreign_key_file_is_refused() {
    let mut alice = Person::new("alice");
    assert!(alice.terminate().success());
    let kept = fs::read(alice.key_file()).unwrap();

    fs::remove_file(alice.key_file()).unwrap();
    assert_refused(&alice, "missing");
    for foreign in [vec![7; 32], vec![7; 31], Vec::new()] {
        fs::write(alice.key_file(), foreign).unwrap();
        fs::set_permissions(alice.key_file(), PermissionsExt::from_mode(0o600)).unwrap();
        assert_refused(&alice, "key");
    }
    fs::write(alice.key_file(), kept).unwrap();
    alice.run_again();
    assert_eq!(alice.ok(&["id"])["name"], "alice");
}

#[test]
fn a_database_that_is_none_is_refused() {
    let mut alice = Person::new("alice");
    assert!(alice.terminate().success());
    fs::write(alice.data_dir().join("node.redb"), [0x55; 10_000]).unwrap();
    assert_refused(&alice, "node.redb");
}

#[test]
fn wrong_settings_are_refused_with_a_suggestion() {
    let options =
        Options { environment: vec![("QPQ_DISCOVERY".into(), "maybe".into())], ..Options::default() };
    let node = Node::new("alice", options);
    assert_refused(&node, "QPQ_DISCOVERY");
    let node = Node::new("alice", Options::default());
    let file = node.folder().join("qpqd.toml");
    fs::write(&file, "lissten = []\n").unwrap();
    let refused = node.daemon_output(&["--config", file.to_str().unwrap()]);
    assert_ne!(refused.status, 0);
    assert!(refused.stderr.contains("did you mean `listen`?"), "{}", refused.stderr);
}

#[test]
fn another_user_is_kept_out() {
    let alice = Person::new("alice");
    if !rustix::process::geteuid().is_root() {
        return skip("another_user_is_kept_out", "only root can become another user");
    }
    let socket = alice.socket();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&socket), 0o600);
    // Even with the doors open the daemon looks at who comes in.
    for folder in [alice.folder(), &alice.data_dir()] {
        fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).unwrap();
    }
    fs::set_permissions(&socket, PermissionsExt::from_mode(0o666)).unwrap();
    let program = "import socket,sys;s=socket.socket(socket.AF_UNIX);s.connect(sys.argv[1]);\
        s.sendall(bytes.fromhex('044c0000000100000000'));s.settimeout(10);sys.exit(1 if s.recv(9)[:1]==b'\\0' else 0)";
    let mut command = std::process::Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "python3", "-c", program]).arg(&socket);
    match command.output() {
        Ok(output) if output.status.code() == Some(127) => skip("another_user_is_kept_out", "no python3"),
        Ok(output) => assert_ne!(output.status.code(), Some(1), "another user was served"),
        Err(error) => skip("another_user_is_kept_out", &format!("no setpriv: {error}")),
    }
    alice.ok(&["status"]);
}

#[track_caller]
fn assert_refused(node: &Node, reason: &str) {
    let refused = node.daemon_output(&[]);
    assert_ne!(refused.status, 0, "{refused:?}");
    assert!(refused.stderr.contains(reason), "no \"{reason}\" in: {}", refused.stderr);
    assert!(!refused.stderr.contains("panicked"), "{}", refused.stderr);
}

/// Writes bytes to the owner's socket and gives what comes back until the daemon closes or has no more to say.
fn shout(person: &Person, bytes: &[u8]) -> Vec<u8> {
    let mut stream = UnixStream::connect(person.socket()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    // The daemon may close before it has read everything: that is what it should do with garbage.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

/// How much memory the daemon holds.
fn resident_bytes(node: &Node) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", node.process_id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
