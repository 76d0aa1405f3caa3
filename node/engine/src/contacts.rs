//! What the owner does with contacts.

use qpq_crypto::safety::SafetyNumber;
use qpq_proto::{
    Failure,
    ids::Identity,
    v1::{
        AcceptContactRequest, AcceptContactResponse, BlockContactRequest, BlockContactResponse,
        ListContactsResponse, RemoveContactRequest, RemoveContactResponse, RenameContactRequest,
        RenameContactResponse, VerifyAction, VerifyContactRequest, VerifyContactResponse,
    },
};

use crate::{
    context::Context,
    engine::Engine,
    identity::checked_name,
    input::EngineError,
    records::{Kind, PersonRecord, Standing, Verification},
    tables::{self, CONVERSATIONS, KEY_PACKAGES, PEOPLE},
};

mod adding;
pub(crate) use adding::{link_failure, parse_link};

/// Why what waited for a contact will not arrive.
const REMOVED: &str = "the contact was removed";

impl Engine {
    pub(crate) fn accept_contact(
        &mut self,
        cx: &mut Context<'_>,
        request: &AcceptContactRequest,
    ) -> Result<AcceptContactResponse, Failure> {
        let mut person = self.find_contact(cx, &request.name)?;
        if person.standing() != Standing::Pending {
            return Err(Failure::conflict(format!("@{} does not wait to be accepted", person.name)));
        }
        person.standing = Standing::Accepted.into();
        let token = std::mem::take(&mut person.token);
        let identity = person.identity.clone();
        self.establish(cx, person, &token, false)?;
        let person = self.person(cx, &identity)?.unwrap_or_default();
        Ok(AcceptContactResponse { contact: Some(self.contact_view(cx, &person)?) })
    }

    pub(crate) fn list_contacts(&self, cx: &Context<'_>) -> Result<ListContactsResponse, Failure> {
        let mut people: Vec<PersonRecord> = tables::all(cx.tx, PEOPLE)?;
        people.retain(PersonRecord::is_contact);
        people.sort_by(|a, b| a.name.cmp(&b.name));
        let contacts = people.iter().map(|person| self.contact_view(cx, person));
        Ok(ListContactsResponse { contacts: contacts.collect::<Result<_, EngineError>>()? })
    }

    pub(crate) fn rename_contact(
        &mut self,
        cx: &mut Context<'_>,
        request: &RenameContactRequest,
    ) -> Result<RenameContactResponse, Failure> {
        let mut person = self.find_contact(cx, &request.name)?;
        let bare = request.new_name.strip_prefix('@').unwrap_or(&request.new_name);
        let name = checked_name("new_name", bare)?;
        self.release_name(cx, '@', &person.name)?;
        if !self.name_is_free(cx, '@', &name)? {
            return Err(Failure::conflict(format!("another contact is named @{name} already")));
        }
        self.take_name(cx, '@', &name, &person.identity)?;
        person.name = name;
        self.save_person(cx, &person)?;
        self.log_contact(cx, &person.identity)?;
        Ok(RenameContactResponse { contact: Some(self.contact_view(cx, &person)?) })
    }

    pub(crate) fn verify_contact(
        &mut self,
        cx: &mut Context<'_>,
        request: &VerifyContactRequest,
    ) -> Result<VerifyContactResponse, Failure> {
        let mut person = self.find_contact(cx, &request.name)?;
        let identity = Identity::try_from(person.identity.as_slice())
            .map_err(|error| EngineError::Internal(error.to_string()))?;
        let number = SafetyNumber::of(&self.me()?.identity.public(), &identity);
        let outcome = match request.action() {
            VerifyAction::Show => None,
            VerifyAction::Match => Some(Verification::Verified),
            VerifyAction::Mismatch => Some(Verification::Mismatched),
            VerifyAction::Compare => {
                let given: SafetyNumber = request
                    .safety_number
                    .parse()
                    .map_err(|error| Failure::bad_request("safety_number", format!("{error}")))?;
                Some(if given == number { Verification::Verified } else { Verification::Mismatched })
            }
        };
        if let Some(outcome) = outcome {
            person.verification = outcome.into();
            person.verified_at_ms = cx.now.wall_ms;
            self.save_person(cx, &person)?;
            self.log_contact(cx, &person.identity)?;
        }
        let contact = Some(self.contact_view(cx, &person)?);
        Ok(VerifyContactResponse { safety_number: number.digits(), contact })
    }

    pub(crate) fn block_contact(
        &mut self,
        cx: &mut Context<'_>,
        request: &BlockContactRequest,
    ) -> Result<BlockContactResponse, Failure> {
        let mut person = self.find_contact(cx, &request.name)?;
        let is_blocked = person.standing() == Standing::Blocked;
        if request.unblock == is_blocked {
            if request.unblock {
                person.standing = person.standing_before_block;
                self.want(cx, &person);
            } else {
                person.standing_before_block = person.standing;
                person.standing = Standing::Blocked.into();
                self.drop_queue(cx, &person.identity, &person.conversation, "the contact was blocked")?;
                self.release(cx, &person)?;
            }
            self.save_person(cx, &person)?;
            self.log_contact(cx, &person.identity)?;
        }
        Ok(BlockContactResponse { contact: Some(self.contact_view(cx, &person)?) })
    }

    /// Forgets a contact: its conversation with its messages and keys, and what waits for it. If it shares a
    /// group, it stays known as a member.
    pub(crate) fn remove_contact(
        &mut self,
        cx: &mut Context<'_>,
        request: &RemoveContactRequest,
    ) -> Result<RemoveContactResponse, Failure> {
        let mut person = self.find_contact(cx, &request.name)?;
        self.end_requests(cx, &mut person)?;
        self.drop_queue(cx, &person.identity, &person.conversation, REMOVED)?;
        if let Some(conversation) = self.conversation(cx, &person.conversation)? {
            self.forget_conversation(cx, &conversation)?;
        }
        cx.tx.delete(KEY_PACKAGES, tables::key(&person.identity))?;
        self.forget_mailboxes(cx, &person.identity)?;
        self.release_name(cx, '@', &person.name)?;
        self.bundles_may_change(cx.now);
        if self.shares_group(cx, &person.identity)? {
            let member = PersonRecord {
                identity: person.identity.clone(),
                name: person.name.clone(),
                nodes: person.nodes.clone(),
                addresses: person.addresses.clone(),
                ..PersonRecord::default()
            };
            self.save_person(cx, &member)?;
        } else {
            self.release(cx, &person)?;
            self.assign_nodes(cx, &person.identity, &person.nodes, &[])?;
            cx.tx.delete(PEOPLE, tables::key(&person.identity))?;
        }
        Ok(RemoveContactResponse {})
    }

    /// What was asked of a contact need not be answered any more.
    fn end_requests(&mut self, cx: &mut Context<'_>, person: &mut PersonRecord) -> Result<(), Failure> {
        person.token.clear();
        let joining = std::mem::take(&mut person.joining);
        self.save_person(cx, person)?;
        // A request to become contacts belongs to no conversation, as none does that is named by no bytes.
        self.drop_queue(cx, &person.identity, &joining, REMOVED)?;
        match self.conversation(cx, &joining)? {
            Some(waiting) => self.end_conversation(cx, waiting, "refused"),
            None => Ok(()),
        }
    }

    fn shares_group(&mut self, cx: &mut Context<'_>, identity: &[u8]) -> Result<bool, Failure> {
        let conversations: Vec<crate::records::ConversationRecord> = tables::all(cx.tx, CONVERSATIONS)?;
        for conversation in conversations {
            let is_open_group =
                conversation.kind() == Kind::Group && conversation.stage() == crate::records::Stage::Open;
            if is_open_group {
                let group = self.group_view(cx, &conversation.group_id);
                let group = self.unless_broken(cx, &conversation.id, group)?;
                if group.is_some_and(|group| group.has(identity)) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}
