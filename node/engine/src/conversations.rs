//! Conversations: what the owner sees of a direct chat or a group, whatever MLS group is behind it at the moment.

use prost::Message as _;
use qpq_crypto::mls;
use qpq_proto::{
    Failure,
    v1::{Conversation, GroupRecord, ListConversationsResponse},
};

use crate::{
    context::Context,
    engine::Engine,
    input::EngineError,
    records::{ConversationRecord, Kind, NameRecord, RouteRecord, Stage},
    tables::{self, CONVERSATIONS, GROUPS},
};

/// Local id of a conversation: 16 random bytes that are never sent.
pub(crate) type ConversationId = [u8; 16];

/// How long a replaced routing secret is still recognised: 30 days, ms (MESH.md, section 1).
const OLD_ROUTE_MS: u64 = 30 * 86_400_000;

/// Most routing secrets of a conversation, old ones and those of retired groups included.
const ROUTES_MAX: usize = 64;

impl ConversationRecord {
    pub(crate) fn conversation_id(&self) -> Result<ConversationId, EngineError> {
        self.id.as_slice().try_into().map_err(|_| EngineError::Corrupt {
            table: CONVERSATIONS.0,
            reason: "a conversation id is not 16 bytes long".into(),
        })
    }

    /// Each removal leaves an old routing secret behind: of too many the oldest go before their time.
    fn forget_surplus_routes(&mut self) {
        let mut surplus = self.routes.len().saturating_sub(ROUTES_MAX);
        self.routes.retain(|route| {
            let is_surplus = surplus > 0 && route.until_node_ms != 0;
            surplus -= usize::from(is_surplus);
            !is_surplus
        });
    }

    /// The routing secret in use, if there is a group.
    pub(crate) fn current_route(&self) -> Option<&RouteRecord> {
        self.routes.iter().find(|route| route.until_node_ms == 0 && route.group_id == self.group_id)
    }
}

impl Engine {
    pub(crate) fn conversation(
        &self,
        cx: &Context<'_>,
        id: &[u8],
    ) -> Result<Option<ConversationRecord>, EngineError> {
        tables::load(cx.tx, CONVERSATIONS, tables::key(id))
    }

    /// A conversation that another record names and that must therefore exist.
    pub(crate) fn conversation_of(
        &self,
        cx: &Context<'_>,
        id: &[u8],
    ) -> Result<ConversationRecord, EngineError> {
        self.conversation(cx, id)?.ok_or_else(|| EngineError::Corrupt {
            table: CONVERSATIONS.0,
            reason: "a conversation that is referred to is absent".into(),
        })
    }

    pub(crate) fn save_conversation(
        &self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
    ) -> Result<(), EngineError> {
        tables::save(cx.tx, CONVERSATIONS, tables::key(&conversation.id), conversation)
    }

    /// Makes a conversation that has no MLS group yet.
    pub(crate) fn new_conversation(
        &self,
        cx: &mut Context<'_>,
        kind: Kind,
        contact: &[u8],
    ) -> Result<ConversationRecord, EngineError> {
        let conversation = ConversationRecord {
            id: cx.random::<16>().to_vec(),
            kind: kind.into(),
            stage: Stage::Waiting.into(),
            contact: contact.to_vec(),
            members: if kind == Kind::Direct { 2 } else { 1 },
            ..ConversationRecord::default()
        };
        self.save_conversation(cx, &conversation)?;
        Ok(conversation)
    }

    /// The conversation behind an MLS group.
    pub(crate) fn conversation_of_group(
        &self,
        cx: &Context<'_>,
        group_id: &[u8],
    ) -> Result<Option<ConversationRecord>, EngineError> {
        let found: Option<NameRecord> = tables::load(cx.tx, GROUPS, tables::key(group_id))?;
        found.map_or(Ok(None), |found| self.conversation(cx, &found.target))
    }

    /// Notes what the group's present epoch says: its routing secret, its members, its suite.
    pub(crate) fn follow_group(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &mut ConversationRecord,
        group: &GroupView,
    ) -> Result<(), EngineError> {
        let owner = NameRecord { target: conversation.id.clone() };
        tables::save(cx.tx, GROUPS, tables::key(&group.id), &owner)?;
        let node_ms = cx.node_ms;
        conversation.routes.retain(|route| route.until_node_ms == 0 || route.until_node_ms > node_ms);
        let is_known = conversation.routes.iter().any(|route| {
            route.until_node_ms == 0
                && route.secret == group.record.routing_secret
                && route.group_id == group.id
        });
        if !is_known {
            for route in &mut conversation.routes {
                if route.until_node_ms == 0 && route.group_id == group.id {
                    route.until_node_ms = node_ms + OLD_ROUTE_MS;
                }
            }
            let mut route = RouteRecord::default();
            route.secret.clone_from(&group.record.routing_secret);
            route.group_id.clone_from(&group.id);
            conversation.routes.push(route);
            conversation.forget_surplus_routes();
            self.routes = None;
        }
        self.outbox.members_changed(&conversation.id);
        conversation.members = u32::try_from(group.members.len()).unwrap_or(u32::MAX);
        conversation.suite = group.suite.code_point().into();
        conversation.leaving.retain(|gone| group.has(gone));
        let has_device = |device: &Vec<u8>| {
            group.members.iter().any(|member| member.certificate.device.as_bytes() == device.as_slice())
        };
        conversation.revoked.retain(has_device);
        Ok(())
    }

    /// Name with sigil; `None` if the conversation is gone.
    pub(crate) fn conversation_name(
        &self,
        cx: &Context<'_>,
        id: &[u8],
    ) -> Result<Option<String>, EngineError> {
        let Some(conversation) = self.conversation(cx, id)? else { return Ok(None) };
        self.name_of(cx, &conversation).map(Some)
    }

    pub(crate) fn name_of(
        &self,
        cx: &Context<'_>,
        conversation: &ConversationRecord,
    ) -> Result<String, EngineError> {
        Ok(match conversation.kind() {
            Kind::Direct => format!("@{}", self.display_name(cx, &conversation.contact)?),
            Kind::Group => format!("#{}", conversation.name),
        })
    }

    pub(crate) fn conversation_view(
        &self,
        cx: &Context<'_>,
        conversation: &ConversationRecord,
    ) -> Result<Conversation, EngineError> {
        Ok(Conversation {
            id: conversation.id.clone(),
            name: self.name_of(cx, conversation)?,
            kind: match conversation.kind() {
                Kind::Direct => "direct",
                Kind::Group => "group",
            }
            .into(),
            unread: conversation.unread,
            last_at_ms: conversation.last_at_ms,
            members: conversation.members,
            state: match conversation.stage() {
                Stage::Waiting => "waiting",
                Stage::Open => "open",
                Stage::Ended => "ended",
            }
            .into(),
        })
    }

    pub(crate) fn list_conversations(&self, cx: &Context<'_>) -> Result<ListConversationsResponse, Failure> {
        let mut records: Vec<ConversationRecord> = tables::all(cx.tx, CONVERSATIONS)?;
        records.sort_by(|a, b| b.last_at_ms.cmp(&a.last_at_ms).then_with(|| a.id.cmp(&b.id)));
        let conversations = records.iter().map(|record| self.conversation_view(cx, record));
        Ok(ListConversationsResponse { conversations: conversations.collect::<Result<_, EngineError>>()? })
    }
}

/// What the engine needs to know of a group's present epoch.
#[derive(Debug, Clone)]
pub(crate) struct GroupView {
    pub id: Vec<u8>,
    pub suite: mls::Suite,
    pub epoch: mls::EpochId,
    pub epoch_number: u64,
    pub own_leaf: u32,
    pub members: Vec<mls::Member>,
    pub record: GroupRecord,
}

impl GroupView {
    pub(crate) fn of(group: &mls::Group) -> Result<Self, EngineError> {
        let record = GroupRecord::decode(group.record())
            .map_err(|error| EngineError::Internal(format!("group record: {error}")))?;
        Ok(Self {
            id: group.id().0.to_vec(),
            suite: group.suite(),
            epoch: group.epoch_id(),
            epoch_number: group.epoch_number(),
            own_leaf: group.own_leaf(),
            members: group.members(),
            record,
        })
    }

    pub(crate) fn has(&self, identity: &[u8]) -> bool {
        self.member(identity).is_some()
    }

    pub(crate) fn member(&self, identity: &[u8]) -> Option<&mls::Member> {
        self.members.iter().find(|member| member.certificate.identity.as_bytes() == identity)
    }
}

#[cfg(test)]
mod tests;
