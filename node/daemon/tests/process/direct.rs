//! The direct listener for programs and light clients.

use qpq_net::direct::{DirectClient, Pin, Trust};
use qpq_proto::limits::Limits;
use qpq_proto::v1::{HealthRequest, HealthStatus, NodeStatusRequest};
use qpq_proto::{CallError, Client, Status};

use crate::daemon::{Daemon, Home};

fn pin_of(daemon: &Daemon) -> Pin {
    let digits = daemon.value("pin");
    let byte = |at: usize| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).expect("hex digits");
    Pin(std::array::from_fn(byte))
}

#[tokio::test]
async fn a_stranger_who_pins_the_certificate_is_answered_as_a_stranger() {
    let home = Home::new();
    let start = || {
        let mut command = home.command();
        command.env("QPQ_RPC_LISTEN", "127.0.0.1:0");
        Daemon::start(command)
    };
    let daemon = start();
    let pin = pin_of(&daemon);
    let address = daemon.value("rpc").parse().unwrap();
    let client = DirectClient::connect(address, &Trust::Pin(pin), &Limits::ROUTER).await.unwrap();
    let client = Client::new(client);
    let health = client.health(&HealthRequest::default()).await.unwrap();
    assert_eq!(health.status(), HealthStatus::Serving);
    let Err(CallError::Failure(refused)) = client.node_status(&NodeStatusRequest {}).await else {
        panic!("a stranger was told the status");
    };
    assert_eq!(refused.status, Status::Forbidden);
    daemon.stop();
    let daemon = start();
    assert_eq!(pin_of(&daemon), pin, "the certificate stays the same");
    daemon.stop();
}

#[test]
fn half_a_certificate_is_refused() {
    let home = Home::new();
    let mut command = home.command();
    command.env("QPQ_RPC_LISTEN", "127.0.0.1:0").args(["--rpc-certificate-file", "/etc/qpq/certificate.pem"]);
    let (code, said) = home.run(&mut command);
    assert_eq!(code, 1);
    assert!(said.contains("set both or none"), "{said}");
}
