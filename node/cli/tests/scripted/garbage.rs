//! What `qpq` makes of a daemon that breaks the protocol, or is none.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;

use prost::Message;
use qpq_proto::frame::{Header, REQUEST_HEADER_BYTES, RequestHeader, ResponseHeader};
use qpq_proto::{Method, v1};

use crate::node::{Ended, Scripted, json, qpq, run};
use crate::script::Script;

fn response(status: u8, id: u32, payload: &[u8]) -> Vec<u8> {
    let header = ResponseHeader { status: Err(status), request_id: id, payload_bytes: payload.len() };
    [header.encode().as_slice(), payload].concat()
}

/// Reads a request; its number.
fn read_request(stream: &mut UnixStream) -> u32 {
    let mut header = [0; REQUEST_HEADER_BYTES];
    stream.read_exact(&mut header).unwrap();
    let header = RequestHeader::decode(&header).unwrap();
    stream.read_exact(&mut vec![0; header.payload_bytes]).unwrap();
    header.request_id
}

/// Runs `qpq id --json` against something that answers `Health` well and the next request as told, and then either
/// ends the connection or says nothing more.
fn id(answer: impl FnOnce(u32) -> Vec<u8> + Send + 'static, ends: bool) -> Ended {
    let health = v1::HealthResponse { wire_version_min: 1, wire_version_max: 1, ..Default::default() };
    against(move |stream| {
        let id = read_request(stream);
        stream.write_all(&response(0, id, &health.encode_to_vec())).unwrap();
        let id = read_request(stream);
        stream.write_all(&answer(id)).unwrap();
        if !ends {
            // Until the program has gone.
            let _ = stream.read(&mut [0; 1]);
        }
    })
}

fn against(play: impl FnOnce(&mut UnixStream) + Send + 'static) -> Ended {
    let home = tempfile::tempdir().unwrap();
    let socket = home.path().join("qpqd.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let playing = thread::spawn(move || play(&mut listener.accept().unwrap().0));
    let mut command = qpq(home.path());
    command.arg("--socket").arg(&socket).args(["id", "--json"]);
    let ended = run(command, "");
    playing.join().unwrap();
    ended
}

/// How it ended: the code, what is said and what is advised.
fn said(ended: &Ended) -> (i32, String, String) {
    assert_eq!(ended.stdout, "", "nothing of it is data");
    let error = json(&ended.stderr);
    assert_eq!(error["exit"], ended.code);
    let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
    (ended.code, text("message"), text("fix"))
}

fn expect(ended: &Ended, code: i32, message: &str, fix: &str) {
    let said = said(ended);
    assert_eq!((said.0, said.2.as_str()), (code, fix), "{said:?}");
    assert!(said.1.starts_with(message), "{said:?}");
}

#[test]
fn an_answer_to_no_request_ends_it_at_once() {
    let lost = "lost the daemon: the node answers request 999, which was not made";
    expect(&id(|_| response(0, 999, b""), false), 3, lost, "qpq doctor");
    let lost = "lost the daemon: the node answers no request";
    expect(&id(|_| response(0, 0, b""), false), 3, lost, "qpq doctor");
}

#[test]
fn a_connection_that_ends_is_a_lost_daemon() {
    let cut = "lost the daemon: the node ended the connection inside an answer";
    expect(&id(|_| Vec::new(), true), 3, "lost the daemon: the node ended the connection", "qpq doctor");
    expect(&id(|id| response(0, id, b"half")[..11].to_vec(), true), 3, cut, "qpq doctor");
}

#[test]
fn an_answer_that_cannot_be_read_is_a_defect() {
    let malformed = "malformed response to ShowIdentity: ";
    expect(&id(|id| response(0, id, b"\xff\xff\xff"), false), 70, malformed, "");
    expect(&id(|id| response(200, id, b""), false), 70, "unknown status 200", "");
    expect(&id(|id| response(10, id, b""), false), 70, "the daemon met a defect; its log says more", "");
}

#[test]
fn a_frame_longer_than_any_is_refused_before_it_is_read() {
    let endless = |id: u32| [&[0][..], &id.to_be_bytes(), &u32::MAX.to_be_bytes()].concat();
    let ended = id(endless, false);
    expect(&ended, 3, "lost the daemon: payload of 4294967295 bytes", "qpq doctor");
}

#[test]
fn something_else_that_listens_is_told_apart() {
    let http = |stream: &mut UnixStream| {
        stream.read_exact(&mut [0; REQUEST_HEADER_BYTES]).unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        let _ = stream.read(&mut [0; 64]);
    };
    expect(&against(http), 3, "lost the daemon: payload of ", "qpq doctor");
    let closes = |stream: &mut UnixStream| stream.read_exact(&mut [0; REQUEST_HEADER_BYTES]).unwrap();
    expect(&against(closes), 3, "lost the daemon: the node ended the connection", "qpq doctor");
}

#[test]
fn a_daemon_without_a_common_wire_version_is_named_with_its_version() {
    for (lowest, highest) in [(2, 9), (0, 0), (3, 1)] {
        let health = v1::HealthResponse {
            version: "9.9.9".into(),
            wire_version_min: lowest,
            wire_version_max: highest,
            ..Default::default()
        };
        let node = Scripted::start(Script::default().answering(Method::Health, &health));
        let ended = node.qpq(&["id", "--json"], "");
        expect(&ended, 3, "the daemon is qpqd 9.9.9, this is qpq ", "qpqd");
    }
    let wide = v1::HealthResponse { wire_version_min: 0, wire_version_max: 9, ..Default::default() };
    let node = Scripted::start(Script::default().answering(Method::Health, &wide));
    assert_eq!(node.qpq(&["id"], "").code, 0);
}

#[test]
fn an_answer_without_its_main_part_is_a_defect() {
    let id = "01".repeat(16);
    for (words, method, part) in [
        (&["contact", "add", "qpq:link"][..], Method::AddContact, "the contact"),
        (&["contact", "accept", "bob"], Method::AcceptContact, "the contact"),
        (&["contact", "rename", "bob", "b"], Method::RenameContact, "the contact"),
        (&["contact", "block", "bob"], Method::BlockContact, "the contact"),
        (&["contact", "verify", "bob"], Method::VerifyContact, "the contact"),
        (&["send", "@bob", "hi"], Method::SendMessage, "the message"),
        (&["trace", &id], Method::TraceMessage, "the message"),
        (&["group", "create", "picnic"], Method::CreateGroup, "the conversation"),
        (&["group", "join", "qpq:link"], Method::JoinGroup, "the conversation"),
        (&["group", "rotate", "#picnic"], Method::RotateGroup, "the change"),
        (&["group", "leave", "#picnic", "--yes"], Method::LeaveGroup, "the change"),
    ] {
        // Every message is empty when nothing is in it.
        let node = Scripted::start(Script::default().answering(method, &v1::ListContactsRequest {}));
        let ended = node.qpq(&[&["--json"], words].concat(), "");
        expect(&ended, 70, &format!("the daemon's answer lacks {part}"), "");
    }
}
