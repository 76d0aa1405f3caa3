//! People: a node with an identity, and what people do with each other.

use std::ops::{Deref, DerefMut};

use serde_json::Value;

use crate::{Node, Options};

/// A node with the identity of one person.
#[derive(Debug)]
pub struct Person {
    node: Node,
}

impl Person {
    /// Starts a node and makes an identity of this name.
    #[track_caller]
    pub fn new(name: &str) -> Self {
        Self::with(name, Options::default())
    }

    /// Starts an unusual node and makes an identity of this name.
    #[track_caller]
    pub fn with(name: &str, options: Options) -> Self {
        let node = Node::start_with(name, options);
        node.ok(&["init", "--name", name]);
        Self { node }
    }

    /// A link by which one other person can become a contact.
    #[track_caller]
    pub fn invitation(&self) -> String {
        text(&self.ok(&["invite"])["link"])
    }

    /// The texts of a conversation, in this node's order.
    #[track_caller]
    pub fn texts(&self, conversation: &str) -> Vec<String> {
        self.ok_lines(&["read", conversation, "--since", "0"])
            .iter()
            .map(|message| text(&message["text"]))
            .collect()
    }

    /// Sends, and waits until every recipient's device has decrypted and committed the message.
    #[track_caller]
    pub fn deliver(&self, to: &str, words: &str) -> Value {
        let sent = self.ok(&["send", to, words, "--wait", "delivered", "--timeout", "60s"]);
        assert_eq!(sent["state"], "delivered", "{sent}");
        sent
    }

    /// Puts a message into the outbox and gives its id.
    #[track_caller]
    pub fn queue(&self, to: &str, words: &str) -> String {
        text(&self.ok(&["send", to, words])["id"])
    }

    /// Waits until a conversation holds a text.
    #[track_caller]
    pub fn await_text(&self, conversation: &str, words: &str) {
        let what = format!("{conversation} holds \"{words}\"");
        self.until(&what, || self.texts(conversation).iter().any(|text| text == words).then_some(()));
    }

    /// Waits until everything this node carried is settled.
    #[track_caller]
    pub fn await_settled(&self) {
        self.until("everything carried is settled", || {
            (self.ok(&["mesh", "store"])["bundles"] == 0).then_some(())
        });
    }

    /// How this person sees a contact: "requested", "pending", "accepted", "blocked", or "" for a stranger.
    #[track_caller]
    pub fn state_of(&self, name: &str) -> String {
        let listed = self.ok(&["contact", "list"]);
        let contacts = listed["contacts"].as_array().expect("a list of contacts");
        contacts
            .iter()
            .find(|contact| contact["name"] == name)
            .map_or_else(String::new, |c| text(&c["state"]))
    }

    /// Waits until a contact is in a state.
    #[track_caller]
    pub fn await_contact(&self, name: &str, state: &str) {
        self.until(&format!("{name} is {state}"), || (self.state_of(name) == state).then_some(()));
    }

    /// The state of a group: "open", "waiting" or "ended"; none if there is none of this name.
    #[track_caller]
    pub fn group_state(&self, name: &str) -> Option<String> {
        let shown = self.qpq(&["group", "members", name]);
        (shown.status == 0).then(|| text(&shown.json()["state"]))
    }

    /// The names of a group's members as this person knows them, sorted.
    #[track_caller]
    pub fn members(&self, group: &str) -> Vec<String> {
        let shown = self.ok(&["group", "members", group]);
        let members = shown["members"].as_array().expect("a list of members");
        let mut names: Vec<String> = members.iter().map(|member| text(&member["name"])).collect();
        names.sort();
        names
    }

    /// Waits until a group has these members, named as this person knows them.
    #[track_caller]
    pub fn await_members(&self, group: &str, names: &[&str]) {
        let mut wanted: Vec<&str> = names.to_vec();
        wanted.sort_unstable();
        self.until(&format!("{group} has the members {wanted:?}"), || {
            let open = self.group_state(group)? == "open";
            (open && self.members(group) == wanted).then_some(())
        });
    }
}

impl Deref for Person {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}

impl DerefMut for Person {
    fn deref_mut(&mut self) -> &mut Node {
        &mut self.node
    }
}

/// Makes two people contacts: the first invites, the second uses the link.
#[track_caller]
pub fn befriend(inviter: &Person, invited: &Person) {
    invited.ok(&["contact", "add", &inviter.invitation()]);
    inviter.await_contact(invited.name(), "accepted");
    invited.await_contact(inviter.name(), "accepted");
}

/// Makes a group of the first person with the others, who must be its contacts, and waits until all are in.
#[track_caller]
pub fn group_of(name: &str, founder: &Person, others: &[&Person]) {
    founder.ok(&["group", "create", name]);
    let names: Vec<String> = others.iter().map(|other| format!("@{}", other.name())).collect();
    let mut words = vec!["group", "invite", name];
    words.extend(names.iter().map(String::as_str));
    founder.ok(&words);
    let group = format!("#{name}");
    for person in others {
        person.until(&format!("{} is in {group}", person.name()), || {
            let open = person.group_state(&group)? == "open";
            (open && person.members(&group).len() == others.len() + 1).then_some(())
        });
    }
}

#[track_caller]
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a string was expected, not {value}")).to_owned()
}
