//! Conversations, and the members of groups.

use qpq_proto::v1;
use serde::Serialize;

use super::change::ChangeView;
use super::{count, hex, suite_name};
use crate::output::{Show, Style, columns};
use crate::printable::printable;

/// One conversation.
#[derive(Debug, Serialize)]
pub(crate) struct ConversationView {
    /// `@name` or `#name`.
    pub(crate) conversation: String,
    id: String,
    kind: String,
    /// `open`, `waiting` or `ended`.
    pub(crate) state: String,
    members: u32,
    unread: u64,
    last_at_ms: u64,
}

impl From<v1::Conversation> for ConversationView {
    fn from(conversation: v1::Conversation) -> Self {
        Self {
            id: hex(&conversation.id),
            conversation: conversation.name,
            kind: conversation.kind,
            state: conversation.state,
            members: conversation.members,
            unread: conversation.unread,
            last_at_ms: conversation.last_at_ms,
        }
    }
}

impl ConversationView {
    fn row(&self, style: &Style) -> [String; 4] {
        let state = match self.state.as_str() {
            "waiting" => "waits to be let in".to_owned(),
            "open" => count(self.members.into(), "member"),
            other => printable(other).into_owned(),
        };
        let unread = if self.unread == 0 { String::new() } else { format!("{} unread", self.unread) };
        [style.bold(&printable(&self.conversation)), state, style.zone.date_time(self.last_at_ms), unread]
    }
}

impl Show for ConversationView {
    const SCHEMA: &'static str = "qpq.conversation/1";

    fn human(&self, style: &Style) -> String {
        let [name, state, ..] = self.row(style);
        format!("{name}  {state}")
    }
}

/// Conversations, the latest first.
#[derive(Debug, Serialize)]
pub(crate) struct ConversationsView {
    conversations: Vec<ConversationView>,
}

impl ConversationsView {
    /// Those of the kind, or all.
    pub(crate) fn new(conversations: Vec<v1::Conversation>, kind: Option<&str>) -> Self {
        let wanted = |conversation: &v1::Conversation| kind.is_none_or(|kind| conversation.kind == kind);
        Self { conversations: conversations.into_iter().filter(wanted).map(ConversationView::from).collect() }
    }
}

impl Show for ConversationsView {
    const SCHEMA: &'static str = "qpq.conversations/1";

    fn human(&self, style: &Style) -> String {
        if self.conversations.is_empty() {
            return style.faint("none yet");
        }
        columns(&self.conversations.iter().map(|conversation| conversation.row(style)).collect::<Vec<_>>())
    }
}

/// A group with its members and open changes.
#[derive(Debug, Serialize)]
pub(crate) struct GroupView {
    conversation: String,
    id: String,
    state: String,
    members: Vec<MemberView>,
    epoch: u64,
    epoch_id: String,
    suite: u32,
    committer: String,
    changes: Vec<ChangeView>,
}

/// A member of a group.
#[derive(Debug, Serialize)]
pub(crate) struct MemberView {
    name: String,
    identity: String,
    administrator: bool,
    own: bool,
    verification: String,
    leaf: u32,
}

impl From<v1::ShowGroupResponse> for GroupView {
    fn from(group: v1::ShowGroupResponse) -> Self {
        let conversation = group.conversation.unwrap_or_default();
        Self {
            id: hex(&conversation.id),
            conversation: conversation.name,
            state: conversation.state,
            epoch: group.epoch,
            epoch_id: hex(&group.epoch_id),
            suite: group.suite,
            committer: group.committer,
            members: group.members.into_iter().map(MemberView::from).collect(),
            changes: group.changes.into_iter().map(ChangeView::from).collect(),
        }
    }
}

impl From<v1::GroupMember> for MemberView {
    fn from(member: v1::GroupMember) -> Self {
        Self {
            identity: hex(&member.identity),
            name: member.name,
            administrator: member.administrator,
            own: member.own,
            verification: member.verification,
            leaf: member.leaf,
        }
    }
}

impl MemberView {
    fn row(&self, style: &Style) -> [String; 3] {
        let about = match (self.own, self.administrator) {
            (true, true) => "you, administrator",
            (true, false) => "you",
            (false, true) => "administrator",
            (false, false) => "",
        };
        [
            format!("  @{}", style.bold(&printable(&self.name))),
            about.to_owned(),
            printable(&self.verification).into_owned(),
        ]
    }
}

impl GroupView {
    /// The members, one a line.
    pub(crate) fn list_members(&self, style: &Style) -> String {
        columns(&self.members.iter().map(|member| member.row(style)).collect::<Vec<_>>())
    }
}

impl Show for GroupView {
    const SCHEMA: &'static str = "qpq.group/1";

    fn human(&self, style: &Style) -> String {
        let mut text = style.bold(&printable(&self.conversation));
        if self.state != "open" {
            text.push_str(&format!("  {}", printable(&self.state)));
        }
        text.push('\n');
        text.push_str(&self.list_members(style));
        let encryption = suite_name(self.suite);
        let committer = printable(&self.committer);
        text.push_str(&format!(
            "\nepoch {}, {encryption}; changes are committed by @{committer}",
            self.epoch
        ));
        for change in &self.changes {
            text.push('\n');
            text.push_str(&change.human(style));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{PLAIN, to_json};

    fn sample_conversation() -> v1::Conversation {
        v1::Conversation {
            id: vec![2; 16],
            name: "#picnic".into(),
            kind: "group".into(),
            unread: 2,
            last_at_ms: 1_795_257_065_120,
            members: 3,
            state: "open".into(),
        }
    }

    fn sample_group() -> v1::ShowGroupResponse {
        let member = v1::GroupMember {
            identity: vec![0xab; 32],
            name: "alice".into(),
            administrator: true,
            own: true,
            verification: String::new(),
            leaf: 0,
        };
        let other = v1::GroupMember {
            name: "bob".into(),
            own: false,
            administrator: false,
            verification: "verified".into(),
            leaf: 1,
            ..member.clone()
        };
        v1::ShowGroupResponse {
            conversation: Some(sample_conversation()),
            members: vec![member, other],
            epoch_id: vec![3; 32],
            epoch: 4,
            suite: 0x4f,
            changes: Vec::new(),
            committer: "alice".into(),
        }
    }

    #[test]
    fn json_of_conversations() {
        let view = ConversationsView::new(vec![sample_conversation()], None);
        assert_eq!(
            to_json(&view).unwrap(),
            r##"{"schema":"qpq.conversations/1","conversations":[{"conversation":"#picnic","##.to_owned()
                + r#""id":"02020202020202020202020202020202","kind":"group","state":"open","members":3,"unread":2,"#
                + r#""last_at_ms":1795257065120}]}"#
        );
    }

    #[test]
    fn only_the_kind_asked_for() {
        assert_eq!(
            ConversationsView::new(vec![sample_conversation()], Some("direct")).human(&PLAIN),
            "none yet"
        );
    }

    #[test]
    fn json_of_a_group() {
        let json: serde_json::Value =
            serde_json::from_str(&to_json(&GroupView::from(sample_group())).unwrap()).unwrap();
        assert_eq!(json["schema"], "qpq.group/1");
        assert_eq!(json["conversation"], "#picnic");
        assert_eq!(json["members"][1]["name"], "bob");
        assert_eq!(json["members"][1]["verification"], "verified");
        assert_eq!(json["committer"], "alice");
    }

    #[test]
    fn a_group_for_people() {
        assert_eq!(
            GroupView::from(sample_group()).human(&PLAIN),
            "#picnic\n  @alice  you, administrator\n  @bob                        verified\nepoch 4, X25519 + \
             ML-KEM-768 (post-quantum hybrid); changes are committed by @alice"
        );
    }
}
