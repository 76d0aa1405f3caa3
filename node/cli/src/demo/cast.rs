//! The people of the demo: what each of them does at their node, and what they wait to see.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use qpq_proto::v1;

use super::node::Node;
use crate::connect::Daemon;
use crate::context::required;
use crate::exit::Error;
use crate::follow::{Deadline, until};

/// Three people, each with a node.
#[derive(Debug)]
pub(super) struct Cast {
    /// Makes the group.
    pub(super) alice: Node,
    /// Stays in it.
    pub(super) bob: Node,
    /// Is away for a while, and is removed.
    pub(super) carol: Node,
}

impl Cast {
    /// Nobody's node runs yet.
    pub(super) fn new(directory: &Path) -> Result<Self, Error> {
        let node = |name| Node::new(name, directory);
        Ok(Self { alice: node("alice")?, bob: node("bob")?, carol: node("carol")? })
    }

    /// All three.
    pub(super) fn all(&self) -> [&Node; 3] {
        [&self.alice, &self.bob, &self.carol]
    }

    /// All three, to be started and stopped.
    pub(super) fn all_mut(&mut self) -> [&mut Node; 3] {
        [&mut self.alice, &mut self.bob, &mut self.carol]
    }

    /// Each node's name and log.
    pub(super) fn logs(&self) -> [(&'static str, PathBuf); 3] {
        self.all().map(|node| (node.name(), node.log()))
    }

    /// Ends every process.
    pub(super) async fn end(&mut self) {
        for node in self.all_mut() {
            // One that had to be killed is gone as well.
            let _ = node.stop().await;
        }
    }
}

/// The keys of the nodes that this node has discovered on the network.
pub(super) async fn discovered(node: &Node) -> Result<Vec<Vec<u8>>, Error> {
    let status = node.daemon()?.node_status(&v1::NodeStatusRequest {}).await?;
    Ok(status.peers.into_iter().filter(|peer| peer.discovered).map(|peer| peer.node).collect())
}

/// Makes two people contacts by a one-time link.
pub(super) async fn befriend(host: &Node, guest: &Node) -> Result<(), Error> {
    let request = v1::CreateInvitationRequest { reusable: false, lifetime_s: 600 };
    let link = host.daemon()?.create_invitation(&request).await?.link;
    guest.daemon()?.add_contact(&v1::AddContactRequest { link, name: String::new() }).await?;
    for (node, other) in [(guest, host), (host, guest)] {
        let name = other.name();
        let reason = format!("{} and {name} did not become contacts", node.name());
        expect(node.daemon()?, &reason, async |daemon| {
            let contacts = daemon.list_contacts(&v1::ListContactsRequest {}).await?.contacts;
            Ok(contacts.iter().any(|contact| contact.name == name && contact.state == "accepted"))
        })
        .await?;
    }
    Ok(())
}

/// Waits until the person's node has the group with so many members.
pub(super) async fn sees_members(node: &Node, group: &str, count: usize) -> Result<(), Error> {
    let reason = format!("{} does not see {group} with {count} members", node.name());
    expect(node.daemon()?, &reason, async |daemon| {
        let listed = daemon.list_conversations(&v1::ListConversationsRequest {}).await?.conversations;
        let is_open = listed.iter().any(|known| known.name == group && known.state == "open");
        if !is_open {
            return Ok(false);
        }
        let shown = daemon.show_group(&v1::ShowGroupRequest { group: group.to_owned() }).await?;
        Ok(shown.members.len() == count)
    })
    .await
}

/// Puts a message into the person's outbox.
pub(super) async fn write(node: &Node, to: &str, text: &str) -> Result<v1::Message, Error> {
    let request = v1::SendMessageRequest { to: to.to_owned(), text: text.to_owned(), ..Default::default() };
    required(node.daemon()?.send_message(&request).await?.message, "the message")
}

/// Waits until every recipient's device has decrypted and committed the message, and gives the time that took.
pub(super) async fn await_delivery(node: &Node, message: &v1::Message) -> Result<Duration, Error> {
    let started = Instant::now();
    let waited = wait_message(node, message, PATIENCE).await?;
    if waited.reached {
        return Ok(started.elapsed());
    }
    let missing = waited.waiting_for.join(", ");
    Err(Error::TimedOut(format!(
        "{}'s message has not reached {missing}: {}",
        node.name(),
        why(node, message).await
    )))
}

/// For whom the message still waits now.
pub(super) async fn waiting_for(node: &Node, message: &v1::Message) -> Result<Vec<String>, Error> {
    Ok(wait_message(node, message, Duration::ZERO).await?.waiting_for)
}

/// Waits until the person can read the text.
pub(super) async fn reads(node: &Node, conversation: &str, text: &str) -> Result<(), Error> {
    let reason = format!("{} does not see \"{text}\" in {conversation}", node.name());
    expect(node.daemon()?, &reason, async |daemon| {
        Ok(texts(daemon, conversation).await?.iter().any(|one| one == text))
    })
    .await
}

/// Everything that the person can read at this moment, in all conversations.
pub(super) async fn reads_now(node: &Node) -> Result<Vec<String>, Error> {
    texts(node.daemon()?, "").await
}

/// The first reason that the node gives for a message that is not there.
pub(super) async fn why(node: &Node, message: &v1::Message) -> String {
    let request = v1::TraceMessageRequest { id: message.id.clone() };
    let traced = match node.daemon() {
        Ok(daemon) => daemon.trace_message(&request).await.map_err(Error::from),
        Err(error) => Err(error),
    };
    match traced {
        Ok(traced) => {
            let waiting = traced.recipients.into_iter().find(|recipient| recipient.state != "delivered");
            waiting.map_or_else(|| "it arrived just now".to_owned(), |recipient| recipient.reason)
        }
        Err(error) => error.to_string(),
    }
}

/// Waits until something holds on a node; the reason is what is wrong if it never does.
pub(super) async fn expect(
    daemon: &Daemon,
    reason: &str,
    mut holds: impl AsyncFnMut(&Daemon) -> Result<bool, Error>,
) -> Result<(), Error> {
    let seen =
        until(daemon, Deadline::after(PATIENCE), async |daemon| Ok(holds(daemon).await?.then_some(())))
            .await?;
    seen.ok_or_else(|| Error::TimedOut(format!("{reason}, after {} seconds", PATIENCE.as_secs())))
}

async fn wait_message(
    node: &Node,
    message: &v1::Message,
    timeout: Duration,
) -> Result<v1::WaitMessageResponse, Error> {
    let request = v1::WaitMessageRequest {
        id: message.id.clone(),
        state: "delivered".to_owned(),
        timeout_ms: crate::durations::wire_ms(timeout),
    };
    Ok(node.daemon()?.wait_message(&request).await?)
}

async fn texts(daemon: &Daemon, conversation: &str) -> Result<Vec<String>, Error> {
    let request = v1::ReadMessagesRequest {
        conversation: conversation.to_owned(),
        since: 0,
        limit: 1_024,
        newest: true,
    };
    Ok(daemon.read_messages(&request).await?.messages.into_iter().map(|message| message.text).collect())
}

/// How long anything may take on one machine before it counts as not happening.
const PATIENCE: Duration = Duration::from_secs(30);
