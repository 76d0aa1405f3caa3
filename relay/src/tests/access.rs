//! Who may call what: the method table's word, for everybody who can connect.

use qpq_proto::ids::NodeKey;
use qpq_proto::v1::FetchRequest;
use qpq_proto::{CallerClass, Method, Status};

use super::world::{Device, STRANGER, World};
use crate::input::{Caller, ConnectionId, Peer};

const ALICE: Device = Device { person: 1, number: 1 };
const ROOT: Device = Device { person: 2, number: 1 };
const NODE: Caller = Caller {
    connection: ConnectionId(7),
    peer: Peer::Node(NodeKey::from_bytes([7; 32])),
    address: None,
    exporter: [0; 32],
};
const OWNER: Caller =
    Caller { connection: ConnectionId(8), peer: Peer::Owner, address: None, exporter: [0; 32] };

/// How an empty request is refused before anything of it is looked at; nothing if it is looked at.
fn refusal(world: &mut World, caller: Caller, method: Method) -> Option<Status> {
    let answer = world.try_call(caller, method, &FetchRequest::default())?;
    let failure = answer.err()?;
    let is_at_the_door =
        failure.message.ends_with("is not for this caller") || failure.message.ends_with("log in first");
    is_at_the_door.then_some(failure.status)
}

#[test]
fn every_method_is_open_to_the_classes_of_its_row_and_to_nobody_else() {
    let mut world = World::new();
    world.enrol(ALICE);
    world.enrol(ROOT);
    world.log_in(ROOT, true);
    for method in Method::ALL.iter().copied() {
        let access = method.access();
        let may_log_in = access.permits(CallerClass::Administrator);
        for (caller, class) in [
            (STRANGER, access.unauthenticated()),
            (ALICE.caller(), CallerClass::Session),
            (ROOT.caller(), CallerClass::Administrator),
            (NODE, CallerClass::Node),
            (OWNER, CallerClass::Owner),
        ] {
            let is_logged_in = matches!(class, CallerClass::Session | CallerClass::Administrator);
            let is_open = access.permits(class) || (is_logged_in && access.permits(access.unauthenticated()));
            let expected = match (is_open, is_logged_in) {
                (true, _) => None,
                (false, false) if may_log_in => Some(Status::Unauthorized),
                (false, _) => Some(Status::Forbidden),
            };
            assert_eq!(refusal(&mut world, caller, method), expected, "{} as {class:?}", method.name());
        }
    }
}

#[test]
fn a_session_that_has_ended_is_none() {
    let mut world = World::new();
    world.enrol(ALICE);
    world.relay.sessions.unbind(ALICE.connection());
    assert_eq!(refusal(&mut world, ALICE.caller(), Method::Fetch), Some(Status::Unauthorized));
}
