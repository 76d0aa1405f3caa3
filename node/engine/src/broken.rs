//! Groups whose state cannot be read or used: the rest of the node goes on without them.
//!
//! A group can be broken by a damaged file or by a fault in this program. It then fails whatever is done in it, and
//! nothing else may fail for that: what goes through all groups passes over it, and what is left undone in a group at a
//! start is taken up in a transaction of its own ([`Next::Resume`]), which alone is dropped. The owner is told once in a
//! run, and sees it in `status` and `doctor`. Failing storage is another matter: with that nothing goes on.

use qpq_proto::{
    Failure,
    v1::{Check, HealthItem},
};

use crate::{
    context::Context,
    engine::Engine,
    input::{Effect, EngineError, Next},
    records::{ConversationRecord, Kind, Stage},
    tables::{self, CONVERSATIONS},
};

impl Engine {
    /// Takes up the commits that the last run may have left undone.
    pub(crate) fn resume_all(&self, cx: &mut Context<'_>) -> Result<(), EngineError> {
        let conversations: Vec<ConversationRecord> = tables::all(cx.tx, CONVERSATIONS)?;
        for conversation in conversations {
            if conversation.stage() == Stage::Open && !self.pending_changes(cx, &conversation.id)?.is_empty()
            {
                cx.effects.push(Effect::Next(Next::Resume(conversation.id)));
            }
        }
        Ok(())
    }

    /// Makes the commits that were left undone in a conversation, unless it is gone by now.
    pub(crate) fn resume(&mut self, cx: &mut Context<'_>, conversation: &[u8]) -> Result<(), Failure> {
        match self.conversation(cx, conversation)? {
            Some(_) => self.commit_pending(cx, conversation),
            None => Ok(()),
        }
    }

    /// What came of looking into a conversation's group; `None`, and the owner is told, if the group is broken.
    ///
    /// # Errors
    /// If storage failed.
    pub(crate) fn unless_broken<T>(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &[u8],
        found: Result<T, impl Into<EngineError>>,
    ) -> Result<Option<T>, EngineError> {
        match found.map_err(Into::into) {
            Ok(found) => {
                self.broken.remove(conversation);
                Ok(Some(found))
            }
            Err(error @ EngineError::Storage(_)) => Err(error),
            Err(error) => {
                tracing::error!(%error, "a group is broken");
                self.note_broken(cx, conversation).map(|()| None)
            }
        }
    }

    /// Tells the owner of a broken group.
    pub(crate) fn note_broken(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &[u8],
    ) -> Result<(), EngineError> {
        let Some(record) = self.conversation(cx, conversation)? else { return Ok(()) };
        if self.broken.insert(conversation.to_vec()) {
            let name = self.name_of(cx, &record)?;
            self.log_alarm(
                cx,
                "group-broken",
                format!("the keys of {name} cannot be used: {}", help(&record)),
            )?;
        }
        Ok(())
    }

    /// The broken groups, for `status`.
    pub(crate) fn broken_health(&self, cx: &Context<'_>) -> Result<Vec<HealthItem>, EngineError> {
        let item = |(name, conversation): (String, ConversationRecord)| HealthItem {
            code: "group-broken".into(),
            title: format!("the keys of {name} cannot be used"),
            text: help(&conversation).into(),
            severity: "error".into(),
            fix: fix(&name, &conversation),
        };
        Ok(self.broken_groups(cx)?.into_iter().map(item).collect())
    }

    /// The broken groups, for `doctor`.
    pub(crate) fn broken_checks(&self, cx: &Context<'_>) -> Result<Vec<Check>, EngineError> {
        let check = |(name, conversation): (String, ConversationRecord)| Check {
            name: "groups".into(),
            outcome: "fail".into(),
            text: format!("the keys of {name} cannot be used: {}", help(&conversation)),
            fix: fix(&name, &conversation),
        };
        Ok(self.broken_groups(cx)?.into_iter().map(check).collect())
    }

    fn broken_groups(&self, cx: &Context<'_>) -> Result<Vec<(String, ConversationRecord)>, EngineError> {
        let mut groups = Vec::new();
        for id in &self.broken {
            if let Some(conversation) = self.conversation(cx, id)?
                && conversation.stage() == Stage::Open
            {
                groups.push((self.name_of(cx, &conversation)?, conversation));
            }
        }
        Ok(groups)
    }
}

fn help(conversation: &ConversationRecord) -> &'static str {
    match conversation.kind() {
        Kind::Direct => "ask the contact for a new link, which makes new ones",
        Kind::Group => "ask an administrator to remove you and to add you again, which makes new ones",
    }
}

fn fix(name: &str, conversation: &ConversationRecord) -> String {
    match conversation.kind() {
        Kind::Direct => "qpq contact add LINK".into(),
        Kind::Group => format!("qpq group members {name}"),
    }
}
