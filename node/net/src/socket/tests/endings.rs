//! How connections end, from either side, and what becomes of the calls on them.

use super::*;

#[tokio::test]
async fn requests_are_answered_after_the_program_has_shut_its_side_down() {
    let mut node = node(Limits::ROUTER).await;
    let mut stream = node.raw().await;
    let requests = [frame(Method::ReadEvents, 1, b"later"), frame(Method::SendMessage, 2, b"now")].concat();
    stream.write_all(&requests).await.unwrap();
    stream.shutdown().await.unwrap();
    let now = read_response(&mut stream).await;
    assert_eq!((now.header.request_id, now.payload.as_ref()), (2, &b"now"[..]));
    for _ in 0..2 {
        soon(node.control.calls.recv()).await.unwrap();
    }
    node.control.gate.send_replace(true);
    let later = read_response(&mut stream).await;
    assert_eq!((later.header.request_id, later.payload.as_ref()), (1, &b"later"[..]));
    assert!(is_ended(&mut stream).await);
}

#[tokio::test]
async fn the_calls_of_a_program_that_has_gone_are_given_up() {
    for shuts_down_first in [false, true] {
        let limits = Limits { socket_connections_max: 1, ..Limits::ROUTER };
        let mut node = node(limits).await;
        let mut stream = node.raw().await;
        stream.write_all(&frame(Method::ReadEvents, 1, b"")).await.unwrap();
        soon(node.control.calls.recv()).await.unwrap();
        if shuts_down_first {
            stream.shutdown().await.unwrap();
        }
        drop(stream);
        // The only place becomes free, although the call would wait for ever.
        soon(async { while node.client().await.call(Method::SendMessage, Bytes::new()).await.is_err() {} })
            .await;
    }
}

#[tokio::test]
async fn the_node_stops_although_a_program_waits_that_sends_no_more() {
    let mut node = node(impatient()).await;
    let mut stream = node.raw().await;
    stream.write_all(&frame(Method::ReadEvents, 1, b"")).await.unwrap();
    stream.shutdown().await.unwrap();
    soon(node.control.calls.recv()).await.unwrap();
    soon(node.server.shutdown()).await;
    assert!(is_ended(&mut stream).await);
}

#[tokio::test]
async fn shutdown_lets_calls_in_flight_finish() {
    let mut node = node(Limits::ROUTER).await;
    let client = node.client().await;
    let waiting =
        tokio::spawn(async move { client.call(Method::ReadEvents, Bytes::from_static(b"bye")).await });
    soon(node.control.calls.recv()).await.unwrap();
    let shutdown = tokio::spawn(node.server.shutdown());
    node.control.gate.send_replace(true);
    assert_eq!(soon(waiting).await.unwrap().unwrap(), "bye");
    soon(shutdown).await.unwrap();
}

#[tokio::test]
async fn the_end_of_the_node_fails_the_calls_that_wait() {
    let mut node = node(impatient()).await;
    let client = node.client().await;
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.call(Method::ReadEvents, Bytes::new()).await }
    });
    soon(node.control.calls.recv()).await.unwrap();
    soon(node.server.shutdown()).await;
    assert_eq!(kind(soon(waiting).await.unwrap().unwrap_err()), TransportErrorKind::ConnectionLost);
    let error = soon(client.call(Method::SendMessage, Bytes::new())).await.unwrap_err();
    assert_eq!(kind(error), TransportErrorKind::ConnectionLost);
}
