//! What the people of a world do and see.

use qpq_proto::{
    Failure, Method,
    v1::{self, Message as Text},
};

use super::{Memory, World};

impl World {
    /// People of whom the first two are contacts.
    pub(in crate::tests) fn friends(names: &[&'static str]) -> Self {
        let mut world = Self::of(names);
        world.befriend(0, 1);
        world
    }

    /// A further person, at the place where it is expected.
    pub(in crate::tests) fn add_person(&mut self, index: usize, name: &str) -> usize {
        assert_eq!(self.add_with_identity(1, name), index);
        index
    }

    pub(in crate::tests) fn add_with_identity(&mut self, seed: u64, name: &str) -> usize {
        let index = self.add(seed, Memory::default());
        let request = v1::CreateIdentityRequest { name: name.into() };
        self.owner::<v1::CreateIdentityResponse>(index, Method::CreateIdentity, &request).unwrap();
        index
    }

    /// Makes two people contacts by a one-time invitation.
    pub(in crate::tests) fn befriend(&mut self, one: usize, other: usize) {
        let link = self.invite(one, false);
        self.follow(other, &link).unwrap();
        self.settle();
    }

    pub(in crate::tests) fn invite(&mut self, node: usize, reusable: bool) -> String {
        let request = v1::CreateInvitationRequest { reusable, lifetime_s: 0 };
        self.owner::<v1::CreateInvitationResponse>(node, Method::CreateInvitation, &request).unwrap().link
    }

    pub(in crate::tests) fn follow(
        &mut self,
        node: usize,
        link: &str,
    ) -> Result<v1::AddContactResponse, Failure> {
        let request = v1::AddContactRequest { link: link.into(), name: String::new() };
        self.owner(node, Method::AddContact, &request)
    }

    pub(in crate::tests) fn send(&mut self, node: usize, to: &str, text: &str) -> Result<Text, Failure> {
        let request =
            v1::SendMessageRequest { to: to.into(), text: text.into(), id: Vec::new(), carried: false };
        let response: v1::SendMessageResponse = self.owner(node, Method::SendMessage, &request)?;
        Ok(response.message.unwrap())
    }

    /// Every message a node holds, in its order.
    pub(in crate::tests) fn history(&mut self, node: usize) -> Vec<Text> {
        let request = v1::ReadMessagesRequest { limit: 1_024, ..Default::default() };
        self.owner::<v1::ReadMessagesResponse>(node, Method::ReadMessages, &request).unwrap().messages
    }

    /// The texts a node has received, as `name: text`.
    pub(in crate::tests) fn received(&mut self, node: usize) -> Vec<String> {
        let history = self.history(node);
        history.iter().filter(|m| !m.own).map(|m| format!("{}: {}", m.from, m.text)).collect()
    }

    pub(in crate::tests) fn state_of(&mut self, node: usize, id: &[u8]) -> String {
        self.history(node).into_iter().find(|message| message.id == id).unwrap().state
    }

    pub(in crate::tests) fn conversations(&mut self, node: usize) -> Vec<v1::Conversation> {
        let request = v1::ListConversationsRequest {};
        let listed: v1::ListConversationsResponse =
            self.owner(node, Method::ListConversations, &request).unwrap();
        listed.conversations
    }

    pub(in crate::tests) fn show(
        &mut self,
        node: usize,
        group: &str,
    ) -> Result<v1::ShowGroupResponse, Failure> {
        self.owner(node, Method::ShowGroup, &v1::ShowGroupRequest { group: group.into() })
    }

    pub(in crate::tests) fn events(&mut self, node: usize) -> Vec<v1::Event> {
        let request = v1::ReadEventsRequest { limit: 1_024, ..Default::default() };
        self.owner::<v1::ReadEventsResponse>(node, Method::ReadEvents, &request).unwrap().events
    }
}
