//! What a running daemon answers.

use qpq_proto::v1::{
    AddContactRequest, CreateIdentityRequest, CreateInvitationRequest, DiagnoseRequest, HealthRequest,
    HealthStatus, NodeStatusRequest, PeerStatus, ReadEventsRequest, SendMessageRequest, WaitMessageRequest,
};
use qpq_proto::{CallError, Status};

use crate::daemon::{Daemon, Home};

#[tokio::test]
async fn health_tells_version_and_wire_versions() {
    let home = Home::new();
    let daemon = home.start();
    let health = daemon.client().await.health(&HealthRequest::default()).await.unwrap();
    assert_eq!(health.status(), HealthStatus::Serving);
    assert_eq!((health.wire_version_min, health.wire_version_max, health.draining), (1, 1, false));
    assert_eq!(health.version, env!("CARGO_PKG_VERSION"));
    daemon.stop();
}

#[tokio::test]
async fn status_joins_what_engine_network_and_daemon_know() {
    let home = Home::new();
    let daemon = home.start();
    let client = daemon.client().await;
    client.create_identity(&CreateIdentityRequest { name: "alice".to_owned() }).await.unwrap();
    let status = client.node_status(&NodeStatusRequest {}).await.unwrap();
    assert_eq!(status.identities[0].name, "alice");
    assert_eq!(status.addresses, [daemon.value("addresses")]);
    assert_eq!(status.discovery, "off");
    assert!(status.storage_bytes > 0);
    daemon.stop();
}

#[tokio::test]
async fn the_daemons_checks_come_before_the_engines() {
    let home = Home::new();
    let daemon = home.start();
    let diagnosis = daemon.client().await.diagnose(&DiagnoseRequest {}).await.unwrap();
    let names: Vec<_> = diagnosis.checks.iter().map(|check| check.name.as_str()).collect();
    let expected =
        ["clock", "disk", "data-directory", "key-file", "database", "listen", "discovery", "peers"];
    assert_eq!(names[..8], expected);
    assert!(
        diagnosis.checks.iter().all(|check| (check.outcome == "ok") == check.fix.is_empty()),
        "{diagnosis:?}"
    );
    daemon.stop();
}

#[tokio::test]
async fn a_wrong_clock_is_a_warning_and_no_obstacle() {
    let home = Home::new();
    let mut command = home.command();
    command.env("QPQ_TEST_CLOCK_OFFSET_S", "-99999999999");
    let daemon = Daemon::start(command);
    let diagnosis = daemon.client().await.diagnose(&DiagnoseRequest {}).await.unwrap();
    let clock = diagnosis.checks.iter().find(|check| check.name == "clock").unwrap();
    assert_eq!(clock.outcome, "warn");
    daemon.stop();
}

#[tokio::test]
async fn a_reader_of_events_is_woken_and_let_go_when_the_node_stops() {
    let home = Home::new();
    let daemon = home.start();
    let client = daemon.client().await;
    client.create_identity(&CreateIdentityRequest { name: "alice".to_owned() }).await.unwrap();
    let wait = ReadEventsRequest { timeout_ms: 60_000, ..ReadEventsRequest::default() };
    let too_long = ReadEventsRequest { timeout_ms: 60_001, ..wait };
    let Err(CallError::Failure(refused)) = client.read_events(&too_long).await else {
        panic!("it was taken")
    };
    assert_eq!((refused.status, refused.field.as_str()), (Status::BadRequest, "timeout_ms"));

    let reading = tokio::spawn({
        let reader = daemon.client().await;
        async move { reader.read_events(&wait).await }
    });
    // The status is answered only after the reader's call has got through, both being served in order.
    client.node_status(&NodeStatusRequest {}).await.unwrap();
    daemon.signal(rustix::process::Signal::TERM);
    let read = reading.await.unwrap();
    assert!(read.is_ok() || matches!(read, Err(CallError::Failure(_))), "{read:?}");
    let (status, said) = daemon.wait();
    assert_eq!(status.code(), Some(0), "{said:?}");
}

#[tokio::test]
async fn two_daemons_meet_through_a_link_and_a_message_is_delivered() {
    let (here, there) = (Home::new(), Home::new());
    let (alice, bob) = (here.start(), there.start());
    let (to_alice, to_bob) = (alice.client().await, bob.client().await);
    to_alice.create_identity(&CreateIdentityRequest { name: "alice".to_owned() }).await.unwrap();
    to_bob.create_identity(&CreateIdentityRequest { name: "bob".to_owned() }).await.unwrap();
    let link = to_alice.create_invitation(&CreateInvitationRequest::default()).await.unwrap().link;
    to_bob.add_contact(&AddContactRequest { link, name: String::new() }).await.unwrap();
    let text = SendMessageRequest {
        to: "@alice".to_owned(),
        text: "hello".to_owned(),
        ..SendMessageRequest::default()
    };
    let message = to_bob.send_message(&text).await.unwrap().message.unwrap();
    let wait = WaitMessageRequest { id: message.id, state: "delivered".to_owned(), timeout_ms: 30_000 };
    let waited = to_bob.wait_message(&wait).await.unwrap();
    assert!(waited.reached, "{waited:?}");

    let peers = to_bob.node_status(&NodeStatusRequest {}).await.unwrap().peers;
    let [peer] = &peers[..] else { panic!("{peers:?}") };
    let expected = PeerStatus {
        contact: peer.contact.clone(),
        path: "direct".to_owned(),
        address: alice.value("addresses").to_owned(),
        ..peer.clone()
    };
    assert_eq!(*peer, expected);
    assert!(peer.since_ms > 0 && peer.rtt_us > 0);
    alice.stop();
    bob.stop();
}
