//! What the slash commands do.

use qpq_proto::v1;

use super::line::{split_word, words};
use super::slash;
use super::{Flow, Session};
use crate::commands::identity::IdView;
use crate::context::required;
use crate::exit::Error;
use crate::printable::printable;
use crate::views::change::ChangeView;
use crate::views::contact::{ContactView, ContactsView, VerificationView};
use crate::views::conversation::{ConversationView, ConversationsView, GroupView};
use crate::views::invitation::LinkView;
use crate::views::message::MessageView;

impl Session {
    /// Carries out a slash command.
    pub(super) async fn execute(&mut self, command: &str, rest: &str) -> Result<Flow, Error> {
        match command {
            "quit" => return Ok(Flow::Quit),
            "help" => self.help(rest)?,
            "whoami" => self.whoami().await?,
            "dm" => return self.direct(rest).await,
            "switch" => return self.switch(&name_of(rest)?).await,
            "list" => self.list_conversations().await?,
            "history" => self.history(rest).await?,
            "add" => self.add_contact(rest).await?,
            "accept" => self.accept(name_of(rest)?).await?,
            "contacts" => self.list_contacts().await?,
            "rename" => self.rename(rest).await?,
            "verify" => self.verify(rest).await?,
            "block" => self.block(name_of(rest)?, false).await?,
            "unblock" => self.block(name_of(rest)?, true).await?,
            "create-group" => self.create_group(rest).await?,
            "invite" => self.invite(rest).await?,
            "join" => self.join(rest).await?,
            "leave" => self.leave(rest).await?,
            "remove" => self.remove(name_of(rest)?).await?,
            "members" | "group-info" => self.show_group(command == "members").await?,
            "mesh" => self.mesh(rest).await?,
            "update-key" => self.update_key().await?,
            other => return Err(unknown(other)),
        }
        Ok(Flow::Continue)
    }

    /// Sends plain text there from now on.
    pub(super) async fn switch(&mut self, name: &str) -> Result<Flow, Error> {
        self.refresh_names().await?;
        let Some(found) = ["", "@", "#"].iter().find_map(|sigil| self.names.find(&format!("{sigil}{name}")))
        else {
            return Err(Error::Negative(format!(
                "there is no {name}; /list and /contacts show what there is"
            )));
        };
        self.current = Some(found);
        Ok(Flow::Continue)
    }

    async fn direct(&mut self, rest: &str) -> Result<Flow, Error> {
        let (name, text) = split_word(rest);
        let name = format!("@{}", name.trim_start_matches('@'));
        if text.is_empty() { self.switch(&name_of(&name)?).await } else { self.say(&name, text).await }
    }

    fn help(&self, rest: &str) -> Result<(), Error> {
        match slash::help(rest) {
            Some(help) => self.screen.say(&help),
            None => Err(unknown(rest)),
        }
    }

    async fn whoami(&self) -> Result<(), Error> {
        let shown = self.daemon.show_identity(&v1::ShowIdentityRequest {}).await?;
        self.screen.show(&IdView::from(shown))
    }

    async fn list_conversations(&self) -> Result<(), Error> {
        let listed = self.daemon.list_conversations(&v1::ListConversationsRequest {}).await?;
        self.screen.show(&ConversationsView::new(listed.conversations, None))
    }

    async fn list_contacts(&self) -> Result<(), Error> {
        let listed = self.daemon.list_contacts(&v1::ListContactsRequest {}).await?;
        self.screen.show(&ContactsView::from(listed.contacts))
    }

    async fn history(&self, rest: &str) -> Result<(), Error> {
        let limit = match rest {
            "" => HISTORY_MESSAGES,
            count => {
                count.parse().map_err(|_| Error::Usage("/history COUNT: a number is wanted".to_owned()))?
            }
        };
        let conversation = self.current()?;
        let request = v1::ReadMessagesRequest { conversation, since: 0, limit, newest: true };
        for message in self.daemon.read_messages(&request).await?.messages {
            self.screen.show(&MessageView::from(message))?;
        }
        Ok(())
    }

    async fn add_contact(&self, link: &str) -> Result<(), Error> {
        let request = v1::AddContactRequest { link: link.to_owned(), name: String::new() };
        let answer = self.daemon.add_contact(&request).await?;
        self.screen.show(&ContactView::from(required(answer.contact, "the contact")?))
    }

    async fn accept(&self, name: String) -> Result<(), Error> {
        let answer = self.daemon.accept_contact(&v1::AcceptContactRequest { name }).await?;
        self.screen.show(&ContactView::from(required(answer.contact, "the contact")?))
    }

    async fn rename(&self, rest: &str) -> Result<(), Error> {
        let [name, new_name] =
            <[String; 2]>::try_from(words(rest)).map_err(|_| Error::Usage("/rename NAME NEW".to_owned()))?;
        let answer = self.daemon.rename_contact(&v1::RenameContactRequest { name, new_name }).await?;
        self.screen.show(&ContactView::from(required(answer.contact, "the contact")?))
    }

    async fn verify(&self, rest: &str) -> Result<(), Error> {
        let (name, outcome) = split_word(rest);
        let (action, safety_number) = match outcome {
            "" => (v1::VerifyAction::Show, String::new()),
            "match" => (v1::VerifyAction::Match, String::new()),
            "mismatch" => (v1::VerifyAction::Mismatch, String::new()),
            digits => (v1::VerifyAction::Compare, digits.split_whitespace().collect()),
        };
        let request = v1::VerifyContactRequest { name: name_of(name)?, action: action.into(), safety_number };
        let answer = self.daemon.verify_contact(&request).await?;
        let contact = required(answer.contact, "the contact")?;
        self.screen.show(&VerificationView::new(answer.safety_number, contact))
    }

    async fn block(&self, name: String, unblock: bool) -> Result<(), Error> {
        let answer = self.daemon.block_contact(&v1::BlockContactRequest { name, unblock }).await?;
        self.screen.show(&ContactView::from(required(answer.contact, "the contact")?))
    }

    async fn create_group(&mut self, rest: &str) -> Result<(), Error> {
        let (name, members) = split_word(rest);
        let request = v1::CreateGroupRequest { name: name_of(name)?, members: words(members) };
        let made = required(self.daemon.create_group(&request).await?.conversation, "the conversation")?;
        self.current = Some(made.name.clone());
        self.screen.show(&ConversationView::from(made))
    }

    async fn invite(&self, rest: &str) -> Result<(), Error> {
        if rest.is_empty() {
            let request = v1::CreateInvitationRequest { reusable: false, lifetime_s: 0 };
            return self
                .screen
                .show(&LinkView::contact(self.daemon.create_invitation(&request).await?, false));
        }
        let group = self.current_group()?;
        let request = v1::AddGroupMembersRequest { group: group.clone(), members: words(rest) };
        self.show_change(&group, self.daemon.add_group_members(&request).await?.change)
    }

    async fn join(&self, link: &str) -> Result<(), Error> {
        let asked = self.daemon.join_group(&v1::JoinGroupRequest { link: link.to_owned() }).await?;
        self.screen.show(&ConversationView::from(required(asked.conversation, "the conversation")?))
    }

    async fn leave(&mut self, rest: &str) -> Result<(), Error> {
        let group = match rest {
            "" => {
                return Err(Error::Usage(
                    "/leave #GROUP: name the group, so that nobody leaves by a slip".to_owned(),
                ));
            }
            name => format!("#{}", name_of(name)?.trim_start_matches('#')),
        };
        let change = self.daemon.leave_group(&v1::LeaveGroupRequest { group: group.clone() }).await?.change;
        if self.current.as_ref() == Some(&group) {
            self.current = None;
        }
        self.show_change(&group, change)
    }

    async fn remove(&self, member: String) -> Result<(), Error> {
        let group = self.current_group()?;
        let request = v1::RemoveGroupMemberRequest { group: group.clone(), member };
        self.show_change(&group, self.daemon.remove_group_member(&request).await?.change)
    }

    async fn show_group(&self, members_only: bool) -> Result<(), Error> {
        let view =
            GroupView::from(self.daemon.show_group(&v1::ShowGroupRequest { group: self.current()? }).await?);
        if members_only && !self.screen.is_json() {
            return self.screen.say(&view.list_members(self.screen.style()));
        }
        self.screen.show(&view)
    }

    async fn update_key(&self) -> Result<(), Error> {
        let group = self.current()?;
        let change = self.daemon.rotate_group(&v1::RotateGroupRequest { group: group.clone() }).await?.change;
        self.show_change(&group, change)
    }

    fn show_change(&self, group: &str, change: Option<v1::GroupChange>) -> Result<(), Error> {
        self.screen.show(&ChangeView::of(group, required(change, "the change")?))
    }

    fn current(&self) -> Result<String, Error> {
        self.current.clone().ok_or_else(|| Error::Usage("which conversation? /switch NAME first".to_owned()))
    }

    fn current_group(&self) -> Result<String, Error> {
        let group = self.current.clone().filter(|name| name.starts_with('#'));
        group.ok_or_else(|| Error::Usage("which group? /switch #GROUP first".to_owned()))
    }
}

/// The one name that a command takes.
fn name_of(rest: &str) -> Result<String, Error> {
    let (name, tail) = split_word(rest);
    match (name.trim_start_matches(['@', '#']).is_empty(), tail.is_empty()) {
        (false, true) => Ok(name.to_owned()),
        (true, _) => Err(Error::Usage("a name is wanted".to_owned())),
        (_, false) => Err(Error::Usage("one name is wanted".to_owned())),
    }
}

/// What is not there yet is told from what never was.
fn unknown(command: &str) -> Error {
    match slash::find(command) {
        Some(_) => Error::Negative(format!("/{command} is not there yet")),
        None => Error::Usage(format!("there is no command /{}; /help lists them", printable(command))),
    }
}

const HISTORY_MESSAGES: u32 = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn one_name() {
        assert_eq!(name_of("@bob").unwrap(), "@bob");
        for rest in ["", "@", "a b"] {
            assert_eq!(name_of(rest).unwrap_err().exit(), Exit::Usage, "{rest:?}");
        }
    }

    #[test]
    fn not_yet_is_not_unknown() {
        assert_eq!(unknown("search").to_string(), "/search is not there yet");
        assert!(unknown("nonsense").to_string().starts_with("there is no command /nonsense"));
    }
}
