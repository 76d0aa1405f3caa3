//! How messages travel between nodes, and what happens when somebody does not keep to the rules.

use qpq_proto::v1::{self, content::Kind};

use super::world::World;
use crate::{records::ConversationRecord, sealing::Audience};

mod deliveries;
mod faults;
mod late_answers;
mod parcels;
mod plans;
mod resends;
mod revoked;
mod waiting;
mod welcomes;

fn conversation(world: &mut World, node: usize, name: &str) -> ConversationRecord {
    let id = world.conversations(node).into_iter().find(|c| c.name == name).unwrap().id;
    world.act(node, |engine, cx| engine.conversation_of(cx, &id).unwrap())
}

/// Seals any content into a conversation, as it is, and sends it to every other member.
fn say(world: &mut World, node: usize, to: &str, kind: Kind) {
    let conversation = conversation(world, node, to);
    world.act(node, |engine, cx| {
        let content = engine.unnumbered(cx, kind);
        engine.seal_content(cx, &conversation, &content, Audience::Everybody).unwrap();
    });
}

/// How far an own message of a node got with each of its recipients.
fn progress(world: &mut World, node: usize, id: &[u8]) -> Vec<(String, String)> {
    let request = v1::TraceMessageRequest { id: id.to_vec() };
    let traced: v1::TraceMessageResponse =
        world.owner(node, qpq_proto::Method::TraceMessage, &request).unwrap();
    traced.recipients.into_iter().map(|recipient| (recipient.name, recipient.state)).collect()
}
