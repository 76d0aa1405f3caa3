//! How a connection ends, and who is told.

use super::*;

#[tokio::test]
async fn the_end_of_a_connection_is_told_once_and_after_its_last_call() {
    let mut stage = Stage::new();
    let run = stage.run();
    let connection = stage.serving.server.caller().connection;
    let _waiting = stage.open(&request(Method::PublishEndpoint, b"")).await;
    stage.called(Method::PublishEndpoint, 1).await;
    assert!(stage.control.ended.try_recv().is_err(), "not while it lasts");
    stage.peer.close(code::DONE, "");
    soon(run).await.unwrap();
    let Stage { serving, mut control, .. } = stage;
    drop(serving);
    assert_eq!(soon(control.ended.recv()).await, Some(connection));
    assert_eq!(soon(control.ended.recv()).await, None, "and not again");
}

#[tokio::test]
async fn the_service_ends_a_connection_at_once_whatever_is_under_way() {
    let mut stage = Stage::new();
    let run = stage.run();
    let connection = stage.serving.server.caller().connection;
    let _waiting = stage.open(&request(Method::PublishEndpoint, b"")).await;
    stage.called(Method::PublishEndpoint, 1).await;
    assert!(stage.pushes.end(connection, "the device is revoked"));
    assert_eq!(soon(run).await.unwrap(), ServeError::Unwanted("the device is revoked".to_owned()));
}

#[tokio::test]
async fn a_connection_of_which_the_service_never_heard_ends_unheard() {
    let stage = Stage::new();
    let run = stage.run();
    let unknown = RequestHeader { method: Err(65_000), request_id: 1, payload_bytes: 0 }.encode();
    assert_eq!(stage.exchange(&unknown).await, Status::UnknownMethod);
    assert_eq!(stage.exchange(&request(Method::NodeStatus, b"")).await, Status::Forbidden);
    stage.peer.close(code::DONE, "");
    soon(run).await.unwrap();
    let Stage { serving, mut control, .. } = stage;
    drop(serving);
    assert_eq!(soon(control.ended.recv()).await, None);
}
