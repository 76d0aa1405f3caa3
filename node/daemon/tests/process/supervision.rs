//! Signals, reload and the service manager.

use std::fs;
use std::os::unix::net::UnixDatagram;

use qpq_proto::v1::{DiagnoseRequest, NodeStatusRequest};
use rustix::process::Signal;

use crate::daemon::{Daemon, Home};

const SOMEBODY: &str = "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29";

#[test]
fn every_polite_signal_ends_it_well() {
    for signal in [Signal::TERM, Signal::INT] {
        let home = Home::new();
        let daemon = home.start();
        daemon.signal(signal);
        assert_eq!(daemon.wait().0.code(), Some(0), "{signal:?}");
        assert!(!home.data_dir().join("qpqd.sock").exists());
    }
}

#[tokio::test]
async fn a_reload_takes_up_what_it_can_and_names_what_it_cannot() {
    let home = Home::new();
    let file = home.path("qpqd.toml");
    fs::write(&file, "").unwrap();
    let mut command = home.command();
    command.arg("--config").arg(&file).env_remove("QPQ_PROFILE");
    let mut daemon = Daemon::start(command);
    let peers = async |daemon: &Daemon| {
        let status = daemon.client().await.node_status(&NodeStatusRequest {}).await.unwrap();
        status.peers.iter().map(|peer| (peer.path.clone(), peer.node.len())).collect::<Vec<_>>()
    };
    assert_eq!(peers(&daemon).await, []);

    fs::write(&file, format!("profile = 'router'\nstatic_peers = ['{SOMEBODY}@127.0.0.1:9']")).unwrap();
    daemon.signal(Signal::HUP);
    let said = [daemon.wait_for_line("setting="), daemon.wait_for_line("setting=")];
    assert!(said[0].contains("changed") && said[0].contains("static_peers"), "{said:?}");
    assert!(said[1].contains("changes at the next start") && said[1].contains("profile"), "{said:?}");
    while peers(&daemon).await != [("offline".to_owned(), 32)] {
        tokio::task::yield_now().await;
    }

    fs::write(&file, "profil = 'router'").unwrap();
    daemon.signal(Signal::HUP);
    let said = daemon.wait_for_line("the settings stay as they are");
    assert!(said.contains("did you mean `profile`?"), "{said}");
    daemon.stop();
}

/// Whatever multicast is like here: the state of discovery is that of the settings.
#[tokio::test]
async fn a_reload_switches_discovery_on_and_off() {
    let home = Home::new();
    let file = home.path("qpqd.toml");
    fs::write(&file, "discovery = 'off'").unwrap();
    let mut command = home.command();
    command.arg("--config").arg(&file).env_remove("QPQ_DISCOVERY");
    let mut daemon = Daemon::start(command);
    let client = daemon.client().await;
    for wanted in ["open", "off"] {
        fs::write(&file, format!("discovery = '{wanted}'")).unwrap();
        daemon.signal(Signal::HUP);
        assert!(daemon.wait_for_line("setting=").contains("changed"));
        loop {
            let diagnosed = client.diagnose(&DiagnoseRequest {}).await.unwrap();
            let check = diagnosed.checks.iter().find(|check| check.name == "discovery").unwrap();
            if (check.text == "switched off by the settings") == (wanted == "off") {
                let status = client.node_status(&NodeStatusRequest {}).await.unwrap();
                assert_eq!(status.discovery, wanted);
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    daemon.stop();
}

#[test]
fn a_reload_takes_up_nothing_that_a_start_would_refuse() {
    let home = Home::new();
    let file = home.path("qpqd.toml");
    fs::write(&file, "").unwrap();
    let mut command = home.command();
    command.arg("--config").arg(&file);
    let mut daemon = Daemon::start(command);
    let places = (1..=5).map(|number| format!("'192.0.2.{number}:5001'")).collect::<Vec<_>>();
    fs::write(&file, format!("relay_places = [{}]", places.join(", "))).unwrap();
    daemon.signal(Signal::HUP);
    let said = daemon.wait_for_line("the settings stay as they are");
    assert!(said.contains("`relay_places` names 5 places"), "{said}");
    daemon.stop();
}

/// A dial under way must not keep the node from closing its connections, nor be cut off.
#[test]
fn stopping_while_a_peer_is_dialled_is_nothing_to_complain_about() {
    let home = Home::new();
    let mut command = home.command();
    command.env("QPQ_STATIC_PEERS", format!("{SOMEBODY}@127.0.0.1:9")).env("QPQ_LOG", "warn");
    let daemon = Daemon::start(command);
    daemon.signal(Signal::TERM);
    let (status, said) = daemon.wait();
    assert_eq!((status.code(), said), (Some(0), Vec::new()));
}

#[test]
fn a_start_that_fails_late_closes_what_it_has_opened() {
    let home = Home::new();
    let mut command = home.command();
    let file = home.path("notes.txt");
    fs::write(&file, "precious").unwrap();
    command.arg("--socket").arg(&file).env("QPQ_LOG", "warn");
    let (_, said) = home.run(&mut command);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("is not a socket"), "{said}");
}

#[test]
fn the_service_manager_is_told() {
    let home = Home::new();
    let path = home.path("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    let hear = || {
        let mut buffer = [0; 256];
        let length = manager.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).trim().to_owned()
    };
    let mut command = home.command();
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000");
    let daemon = Daemon::start(command);
    assert_eq!(hear(), "READY=1");
    assert_eq!(hear(), "WATCHDOG=1");
    daemon.signal(Signal::HUP);
    let mut heard = hear();
    while heard == "WATCHDOG=1" {
        heard = hear();
    }
    assert!(heard.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{heard}");
    assert_eq!(hear(), "READY=1");
    daemon.stop();
    let mut heard = hear();
    while heard == "WATCHDOG=1" {
        heard = hear();
    }
    assert_eq!(heard, "STOPPING=1");
}

#[test]
fn journald_gets_priorities() {
    let home = Home::new();
    let file = home.path("qpqd.toml");
    fs::write(&file, "").unwrap();
    let mut command = home.command();
    command.env("JOURNAL_STREAM", "8:1").arg("--config").arg(&file);
    let mut daemon = Daemon::start(command);
    fs::write(&file, "socket = '/elsewhere'").unwrap();
    daemon.signal(Signal::HUP);
    let said = daemon.wait_for_line("setting=");
    assert!(said.starts_with("<4> WARN qpqd::supervise: "), "{said}");
    daemon.stop();
}

/// Whoever is in a hurry gets their way, and the code says that something was broken off.
#[tokio::test]
async fn a_second_signal_does_not_wait_for_calls_under_way() {
    let home = Home::new();
    let daemon = home.start();
    let client = daemon.client().await;
    client.health(&qpq_proto::v1::HealthRequest::default()).await.unwrap();
    for _ in 0..2 {
        daemon.signal(Signal::TERM);
    }
    let (status, said) = daemon.wait();
    assert!(matches!(status.code(), Some(0 | 1)), "{status:?} {said:?}");
    let again = home.start();
    again.stop();
}

#[test]
fn a_signal_to_reload_that_comes_again_and_again_does_no_harm() {
    let home = Home::new();
    let mut command = home.command();
    command.env("QPQ_LOG", "warn");
    let daemon = Daemon::start(command);
    for _ in 0..50 {
        daemon.signal(Signal::HUP);
    }
    daemon.signal(Signal::TERM);
    let (status, said) = daemon.wait();
    assert_eq!((status.code(), said), (Some(0), Vec::new()));
}
