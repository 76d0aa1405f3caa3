//! Members that have gone: what is kept of them, and for how long.
//!
//! | of whoever | is kept | since |
//! |---|---|---|
//! | is a contact, or a member of an open group | everything | it is needed |
//! | has gone, and something is still on its way to | everything | the commit that removed it is, for one |
//! | has gone | identity and name | what it said, and to whom what was said went, is shown with its name |
//! | was in groups that are all deleted | nothing | nobody asks |
//!
//! What had arrived of its contents, and which epoch it had reached, ends with the membership. Each conversation lists
//! who has gone from it ([`ConversationRecord::departed`]), so that deleting it shows whose names nothing else needs.

use std::collections::BTreeSet;

use crate::{
    content::sender_key,
    context::Context,
    engine::Engine,
    input::EngineError,
    outbox::Stream,
    records::{ConversationRecord, Kind, PersonRecord, SenderRecord, Stage, Standing},
    tables::{self, CONVERSATIONS, KEY_PACKAGES, PEOPLE, SENDERS},
};

/// People who have gone that a conversation lists. From there on it keeps everybody's name.
const DEPARTED_MAX: usize = 4_096;

impl ConversationRecord {
    /// Whether its history may show the name of somebody who has gone.
    fn may_name(&self, identity: &[u8]) -> bool {
        self.departed.len() >= DEPARTED_MAX || self.departed.iter().any(|gone| gone == identity)
    }

    /// Lists somebody who has gone.
    fn lists(&mut self, identity: &[u8]) {
        if !self.may_name(identity) {
            self.departed.push(identity.to_vec());
        }
    }
}

impl PersonRecord {
    /// Whether nothing but common groups makes it known.
    fn is_mere_member(&self) -> bool {
        let is_asking = [&self.token, &self.joining, &self.crossing_token].iter().any(|it| !it.is_empty());
        self.standing() == Standing::Member && !is_asking
    }

    /// What a history needs.
    fn bare(&self) -> Self {
        Self { identity: self.identity.clone(), name: self.name.clone(), ..Self::default() }
    }
}

impl Engine {
    /// Members have gone from a conversation, which the caller saves before it forgets them
    /// ([`Engine::forget_departed`]).
    pub(crate) fn note_departed(
        &self,
        cx: &mut Context<'_>,
        conversation: &mut ConversationRecord,
        gone: &BTreeSet<Vec<u8>>,
    ) -> Result<(), EngineError> {
        for identity in gone {
            conversation.lists(identity);
            cx.tx.delete(SENDERS, tables::key(&sender_key(&conversation.id, identity)))?;
        }
        Ok(())
    }

    /// Forgets of people who have gone from a conversation what nothing needs any more.
    pub(crate) fn forget_departed(
        &mut self,
        cx: &mut Context<'_>,
        gone: &BTreeSet<Vec<u8>>,
    ) -> Result<(), EngineError> {
        let mut people = Vec::new();
        for identity in gone {
            people.extend(self.person(cx, identity)?.filter(PersonRecord::is_mere_member));
        }
        if people.is_empty() {
            return Ok(());
        }
        let Some(present) = self.present(cx)? else { return Ok(()) };
        let conversations: Vec<ConversationRecord> = tables::all(cx.tx, CONVERSATIONS)?;
        for person in people.iter().filter(|person| !present.contains(&person.identity)) {
            let is_named = conversations.iter().any(|conversation| conversation.may_name(&person.identity));
            self.forget_member(cx, person, is_named)?;
        }
        Ok(())
    }

    /// Looks at everybody: at those to whom something was on its way when they went, who were known before a version
    /// that forgets, and who asked to be added and were not.
    pub(crate) fn forget_all_departed(&mut self, cx: &mut Context<'_>) -> Result<(), EngineError> {
        let people: Vec<PersonRecord> = tables::all(cx.tx, PEOPLE)?;
        let known = people.iter().filter(|person| person.is_mere_member() && **person != person.bare());
        let mut known = known.peekable();
        if known.peek().is_none() {
            return Ok(());
        }
        let Some(present) = self.present(cx)? else { return Ok(()) };
        let mut conversations: Vec<ConversationRecord> = tables::all(cx.tx, CONVERSATIONS)?;
        conversations.retain(|conversation| conversation.kind() == Kind::Group);
        for person in known.filter(|person| !present.contains(&person.identity)) {
            let identity = &person.identity;
            if !conversations.iter().any(|conversation| conversation.may_name(identity)) {
                // Nobody knows from which it has gone.
                for conversation in &mut conversations {
                    conversation.lists(identity);
                    self.save_conversation(cx, conversation)?;
                }
            }
            self.forget_member(cx, person, !conversations.is_empty())?;
        }
        Ok(())
    }

    /// Drops what a group knows of the contents of those who are no longer in it and were heard once more.
    pub(crate) fn forget_late_senders(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
    ) -> Result<(), EngineError> {
        let members = self.other_members(cx, &conversation.group_id)?;
        let senders: Vec<SenderRecord> = tables::all(cx.tx, SENDERS)?;
        let of_group = senders.iter().filter(|sender| sender.conversation == conversation.id);
        for sender in of_group.filter(|sender| !members.contains(&sender.identity)) {
            cx.tx.delete(SENDERS, tables::key(&sender_key(&conversation.id, &sender.identity)))?;
        }
        Ok(())
    }

    fn forget_member(
        &mut self,
        cx: &mut Context<'_>,
        person: &PersonRecord,
        is_named: bool,
    ) -> Result<(), EngineError> {
        let identity = &person.identity;
        let waiting = self.stream_names(cx)?;
        let own = [Stream::Person(identity.clone()), Stream::introductions(identity)];
        if own.iter().any(|stream| waiting.contains(stream)) {
            return Ok(());
        }
        self.release(cx, person)?;
        cx.tx.delete(KEY_PACKAGES, tables::key(identity))?;
        self.save_person(cx, &person.bare())?;
        if !is_named {
            cx.tx.delete(PEOPLE, tables::key(identity))?;
        }
        Ok(())
    }

    /// The members of all open groups; `None` if nobody knows them all, as while a group is broken, or waited for again.
    fn present(&mut self, cx: &mut Context<'_>) -> Result<Option<BTreeSet<Vec<u8>>>, EngineError> {
        let conversations: Vec<ConversationRecord> = tables::all(cx.tx, CONVERSATIONS)?;
        let mut present = BTreeSet::new();
        for conversation in conversations {
            if conversation.kind() != Kind::Group || conversation.stage() == Stage::Ended {
                continue;
            }
            if conversation.interruption.is_some() {
                return Ok(None);
            }
            if conversation.stage() == Stage::Open {
                let members = self.other_members(cx, &conversation.group_id);
                let members = self.unless_broken(cx, &conversation.id, members)?;
                let Some(members) = members else { return Ok(None) };
                present.extend(members);
            }
        }
        Ok(Some(present))
    }
}
