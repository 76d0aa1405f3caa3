//! What there is on the scripted node: a contact, a group, what happened. Tests vary single fields.

use qpq_proto::v1;

/// 2026-11-21 10:31:05 in universal time.
pub(crate) const AT_MS: u64 = 1_795_257_065_120;

/// As hexadecimal digits.
pub(crate) fn hex(byte: &str, times: usize) -> String {
    byte.repeat(times)
}

/// A contact as good as any.
pub(crate) fn bob() -> v1::Contact {
    v1::Contact {
        identity: vec![0xbb; 32],
        name: "bob".into(),
        state: "accepted".into(),
        verification: "unverified".into(),
        verified_at_ms: 0,
        nodes: vec![vec![0xb0; 32]],
        added_at_ms: AT_MS,
        online: true,
        suite: 0x4f,
        met_at: String::new(),
    }
}

/// Bob in another state.
pub(crate) fn bob_is(state: &str) -> v1::Contact {
    v1::Contact { state: state.into(), online: false, ..bob() }
}

/// A group of three.
pub(crate) fn picnic() -> v1::Conversation {
    v1::Conversation {
        id: vec![7; 16],
        name: "#picnic".into(),
        kind: "group".into(),
        unread: 2,
        last_at_ms: AT_MS,
        members: 3,
        state: "open".into(),
    }
}

/// The group in another state.
pub(crate) fn picnic_is(state: &str) -> v1::Conversation {
    v1::Conversation { state: state.into(), unread: 0, ..picnic() }
}

/// The conversation with Bob.
pub(crate) fn with_bob() -> v1::Conversation {
    v1::Conversation { id: vec![8; 16], name: "@bob".into(), kind: "direct".into(), members: 2, ..picnic() }
}

/// The group as its members see it.
pub(crate) fn picnic_shown() -> v1::ShowGroupResponse {
    let member = |name: &str, verification: &str, leaf| v1::GroupMember {
        identity: vec![0xaa; 32],
        name: name.into(),
        administrator: leaf == 0,
        own: leaf == 0,
        verification: verification.into(),
        leaf,
    };
    v1::ShowGroupResponse {
        conversation: Some(picnic()),
        members: vec![member("alice", "", 0), member("bob", "verified", 1), member("carol", "unverified", 2)],
        epoch_id: vec![0xee; 32],
        epoch: 4,
        suite: 0x4f,
        changes: vec![asked_of("carol")],
        committer: "alice".into(),
    }
}

/// A change that is carried out.
pub(crate) fn committed() -> v1::GroupChange {
    v1::GroupChange { change: vec![5; 16], committed: true, ..Default::default() }
}

/// A change that somebody else's node has to carry out.
pub(crate) fn asked_of(committer: &str) -> v1::GroupChange {
    v1::GroupChange { committed: false, waiting_for: committer.into(), ..committed() }
}

/// A change that never will be.
pub(crate) fn refused(reason: &str) -> v1::GroupChange {
    v1::GroupChange { committed: false, failed: reason.into(), ..committed() }
}
