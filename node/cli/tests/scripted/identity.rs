//! `qpq init` and `qpq id`.

use qpq_proto::{Failure, Method, v1};

use crate::node::{Scripted, both, json};
use crate::people::{AT_MS, hex};
use crate::script::Script;

fn made() -> Script {
    let made = v1::CreateIdentityResponse {
        identity: vec![0xaa; 32],
        name: "alice".into(),
        device: vec![0xad; 32],
        node: vec![0xa0; 32],
    };
    Script::default().answering(Method::CreateIdentity, &made)
}

#[test]
fn an_identity_is_made_and_a_backup_advised() {
    let node = Scripted::start(made());
    let ended = node.qpq(&["init", "--name", "alice"], "");
    let (identity, key) = (hex("aa", 32), hex("a0", 32));
    assert_eq!(ended.stdout, format!("You are alice.\nidentity  {identity}\nnode      {key}\n"));
    assert_eq!(ended.stderr, "Nobody can restore this identity but you: qpq backup create FILE\n");
    assert_eq!(node.request::<v1::CreateIdentityRequest>(Method::CreateIdentity).name, "alice");
    let (_, for_programs) = both(&made(), &["init", "--name", "alice"]);
    let wanted = format!(r#"{{"schema":"qpq.init/1","identity":"{identity}","node":"{key}","name":"alice","#)
        + &format!(r#""device":"{}"}}"#, hex("ad", 32));
    assert_eq!(for_programs, wanted);
}

#[test]
fn a_second_identity_is_refused() {
    let taken = Failure::conflict("this node has an identity already");
    let node = Scripted::start(Script::default().failing(Method::CreateIdentity, taken));
    let ended = node.qpq(&["init", "--name", "alice"], "");
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""));
    assert_eq!(ended.stderr, "qpq: this node has an identity already\n");
}

#[test]
fn the_identity_is_shown() {
    let shown = v1::ShowIdentityResponse {
        identity: vec![0xaa; 32],
        name: "alice".into(),
        device: vec![0xad; 32],
        node: vec![0xa0; 32],
        created_at_ms: AT_MS,
        device_list_sequence: 3,
        suites: vec![0x4f, 1],
    };
    let script = Script::default().answering(Method::ShowIdentity, &shown);
    let (for_people, for_programs) = both(&script, &["id"]);
    let [identity, device, key] = ["aa", "ad", "a0"].map(|byte| hex(byte, 32));
    assert_eq!(
        for_people,
        format!(
            "name        alice
identity    {identity}
device      {device}
node        {key}
made        2026-11-21 10:31:05
encryption  X25519 + ML-KEM-768 (post-quantum hybrid), X25519 (classical)"
        )
    );
    let wanted = format!(r#"{{"schema":"qpq.id/1","identity":"{identity}","node":"{key}","name":"alice","#)
        + &format!(r#""device":"{device}","created_at_ms":1795257065120,"device_list_sequence":3,"#)
        + r#""suites":[79,1]}"#;
    assert_eq!(for_programs, wanted);
}

#[test]
fn without_an_identity_the_answer_is_no() {
    let nobody = Failure::not_found("there is no identity yet: qpq init --name NAME");
    let node = Scripted::start(Script::default().failing(Method::ShowIdentity, nobody));
    for words in [&["id"][..], &["chat"]] {
        let ended = node.qpq(words, "");
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{words:?}");
        assert_eq!(ended.stderr, "qpq: there is no identity yet: qpq init --name NAME\n");
    }
    let error = json(&node.qpq(&["id", "--json"], "").stderr);
    assert_eq!((&error["exit"], &error["fix"]), (&1.into(), &serde_json::Value::Null));
}
