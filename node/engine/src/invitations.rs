//! Links by which people become contacts, or ask to be added to a group.
//!
//! A one-time link is used up by the first request that bears its token, and that request is accepted by itself;
//! requests through a reusable link wait for the owner. Lifetimes run in the node's own time.
//!
//! A one-time contact link of somebody who has a mailbox names it, with tokens for a few deliveries: the two need not be
//! there at the same time to become contacts.

use qpq_crypto::link::{self, Link, LinkMailbox};
use qpq_proto::{
    Failure,
    v1::{
        CreateInvitationRequest, CreateInvitationResponse, Invitation, ListInvitationsResponse,
        RevokeInvitationRequest, RevokeInvitationResponse,
    },
};

use crate::{
    context::Context,
    engine::Engine,
    input::EngineError,
    records::{ConversationRecord, InvitationRecord},
    tables::{self, INVITATIONS},
};

/// Lifetime of a one-time invitation where none is given: 7 days, s.
const LIFETIME_DEFAULT_S: u64 = 7 * 86_400;

/// What an invitation is made for.
pub(crate) struct Wanted<'a> {
    pub reusable: bool,
    /// 0 for the default.
    pub lifetime_s: u64,
    /// The group it leads to.
    pub group: Option<&'a ConversationRecord>,
}

impl Engine {
    pub(crate) fn create_invitation(
        &mut self,
        cx: &mut Context<'_>,
        request: &CreateInvitationRequest,
    ) -> Result<CreateInvitationResponse, Failure> {
        let wanted = Wanted { reusable: request.reusable, lifetime_s: request.lifetime_s, group: None };
        let record = self.make_invitation(cx, &wanted)?;
        Ok(CreateInvitationResponse {
            link: record.link,
            invitation: record.token,
            expires_at_ms: record.expires_at_ms,
        })
    }

    pub(crate) fn make_invitation(
        &mut self,
        cx: &mut Context<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<InvitationRecord, Failure> {
        let existing: Vec<InvitationRecord> = tables::all(cx.tx, INVITATIONS)?;
        for expired in existing.iter().filter(|record| is_expired(record, cx.node_ms)) {
            cx.tx.delete(INVITATIONS, tables::key(&expired.token))?;
        }
        let open = existing.iter().filter(|record| !is_expired(record, cx.node_ms)).count();
        if open >= self.limits.invitations_max {
            return Err(Failure::quota("there are too many open invitations: revoke some first"));
        }
        let token = cx.random::<16>();
        let mailbox = if wanted.reusable || wanted.group.is_some() { None } else { self.link_mailbox(cx)? };
        let is_untold = mailbox.is_some();
        let lifetime_s = match (wanted.lifetime_s, wanted.reusable) {
            (0, true) => 0,
            (0, false) => LIFETIME_DEFAULT_S,
            (given, _) => given,
        };
        let lifetime_ms = lifetime_s.saturating_mul(1_000);
        let ends = |start: u64| if lifetime_ms == 0 { 0 } else { start.saturating_add(lifetime_ms) };
        let record = InvitationRecord {
            token: token.to_vec(),
            reusable: wanted.reusable,
            created_at_ms: cx.now.wall_ms,
            expires_at_ms: ends(cx.now.wall_ms),
            expires_node_ms: ends(cx.node_ms),
            used: 0,
            conversation: wanted.group.map(|group| group.id.clone()).unwrap_or_default(),
            link: self.link(token, wanted, mailbox)?.to_string(),
            is_untold,
        };
        tables::save(cx.tx, INVITATIONS, tables::key(&token), &record)?;
        if is_untold {
            self.grant_soon(cx.now);
        }
        Ok(record)
    }

    fn link(
        &self,
        token: [u8; 16],
        wanted: &Wanted<'_>,
        mailbox: Option<LinkMailbox>,
    ) -> Result<Link, Failure> {
        let me = self.me()?;
        let invitation = link::Invitation {
            identity: me.identity.public(),
            node: self.config.node,
            token,
            reusable: wanted.reusable,
            name: me.name.clone(),
            addresses: self.addresses.iter().copied().take(crate::people::ADDRESSES_MAX).collect(),
            mailbox,
        };
        Ok(match wanted.group {
            None => Link::Contact(invitation),
            Some(group) => Link::Group { invitation, group: group.name.clone() },
        })
    }

    pub(crate) fn list_invitations(&self, cx: &Context<'_>) -> Result<ListInvitationsResponse, Failure> {
        let mut records: Vec<InvitationRecord> = tables::all(cx.tx, INVITATIONS)?;
        records.retain(|record| !is_expired(record, cx.node_ms));
        records.sort_by(|a, b| (a.created_at_ms, &a.token).cmp(&(b.created_at_ms, &b.token)));
        let views = records.into_iter().map(|record| {
            let group = match record.conversation.as_slice() {
                [] => String::new(),
                id => self.conversation_name(cx, id)?.unwrap_or_default(),
            };
            Ok(Invitation {
                invitation: record.token,
                reusable: record.reusable,
                created_at_ms: record.created_at_ms,
                expires_at_ms: record.expires_at_ms,
                used: record.used,
                group,
                link: record.link,
            })
        });
        Ok(ListInvitationsResponse { invitations: views.collect::<Result<_, EngineError>>()? })
    }

    pub(crate) fn revoke_invitation(
        &mut self,
        cx: &mut Context<'_>,
        request: &RevokeInvitationRequest,
    ) -> Result<RevokeInvitationResponse, Failure> {
        let key = tables::key(&request.invitation);
        let record: Option<InvitationRecord> = tables::load(cx.tx, INVITATIONS, key)?;
        let missing = "there is no such invitation: `qpq invite list` shows the open ones";
        let record = record.ok_or_else(|| Failure::not_found(missing))?;
        self.revoke_link_tokens(cx, &record)?;
        cx.tx.delete(INVITATIONS, key)?;
        Ok(RevokeInvitationResponse {})
    }

    /// Uses an invitation once.
    pub(crate) fn use_invitation(
        &self,
        cx: &mut Context<'_>,
        token: &[u8],
    ) -> Result<InvitationRecord, Failure> {
        let record: Option<InvitationRecord> = tables::load(cx.tx, INVITATIONS, tables::key(token))?;
        let usable = record.filter(|record| !is_expired(record, cx.node_ms));
        let mut record =
            usable.ok_or_else(|| Failure::not_found("the invitation was used, revoked, or has expired"))?;
        if record.reusable {
            record.used += 1;
            tables::save(cx.tx, INVITATIONS, tables::key(token), &record)?;
        } else {
            cx.tx.delete(INVITATIONS, tables::key(token))?;
        }
        Ok(record)
    }
}

fn is_expired(record: &InvitationRecord, node_ms: u64) -> bool {
    record.expires_node_ms > 0 && record.expires_node_ms <= node_ms
}

#[cfg(test)]
mod tests;
