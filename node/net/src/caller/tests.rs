use qpq_proto::Status;

use super::*;

fn caller(peer: Peer) -> Caller {
    Caller { connection: ConnectionId(7), peer, address: None, exporter: Exporter([7; EXPORTER_BYTES]) }
}

fn node() -> Caller {
    caller(Peer::Node(NodeKey::from_bytes([7; 32])))
}

/// How a caller fares at the door and without a session.
fn statuses(caller: Caller, method: Method) -> (Option<Status>, Option<Status>) {
    let status = |result: Result<(), Failure>| result.err().map(|failure| failure.status);
    (status(caller.check(method)), status(caller.check_without_session(method)))
}

#[test]
fn the_table_decides_who_may_call_and_who_might_by_logging_in() {
    use Status::{Forbidden, Unauthorized};
    let (owner, anyone) = (caller(Peer::Owner), caller(Peer::Anyone));
    for (who, method, at_the_door, without_session) in [
        (owner, Method::Health, None, None),
        (node(), Method::Health, None, None),
        (anyone, Method::Health, None, None),
        (owner, Method::NodeStatus, None, None),
        (node(), Method::NodeStatus, Some(Forbidden), Some(Forbidden)),
        (anyone, Method::NodeStatus, Some(Forbidden), Some(Forbidden)),
        (owner, Method::Fetch, None, Some(Forbidden)),
        (node(), Method::Fetch, None, Some(Forbidden)),
        (anyone, Method::Fetch, None, Some(Unauthorized)),
        (node(), Method::BanUser, None, Some(Forbidden)),
        (anyone, Method::BanUser, None, Some(Forbidden)),
        (node(), Method::Enqueue, None, None),
        (anyone, Method::Enqueue, None, None),
        (node(), Method::MeshFetch, None, None),
        (anyone, Method::MeshFetch, Some(Forbidden), Some(Forbidden)),
        (node(), Method::RelayEnqueue, Some(Forbidden), Some(Forbidden)),
    ] {
        assert_eq!(statuses(who, method), (at_the_door, without_session), "{who:?} {method:?}");
    }
    assert_eq!(anyone.class(Method::Enqueue), CallerClass::Token);
}

#[test]
fn no_two_connections_have_one_number() {
    let threads =
        (0..4).map(|_| std::thread::spawn(|| (0..100).map(|_| ConnectionId::next()).collect::<Vec<_>>()));
    let threads: Vec<_> = threads.collect();
    let mut ids: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 400);
}

#[test]
fn what_is_logged_of_a_caller_tells_nobody_how_to_sign_for_it() {
    let logged = format!("{:?}", caller(Peer::Anyone));
    assert!(logged.contains("Anyone") && logged.ends_with("exporter: Exporter }"), "{logged}");
}
