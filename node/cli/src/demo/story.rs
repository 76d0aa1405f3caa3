//! What happens in the demo, step by step.

use std::time::{Duration, Instant};

use qpq_proto::v1;
use tokio::time::{interval, timeout};

use super::cast::{
    Cast, await_delivery, befriend, discovered, expect, reads, reads_now, sees_members, waiting_for, why,
    write,
};
use super::node::Node;
use super::report::{Report, Seen};
use crate::context::required;
use crate::exit::Error;
use crate::views::short;

/// Plays the story from the beginning to the end, or up to the first thing that does not happen.
pub(super) async fn play(cast: &mut Cast, report: &mut Report) -> Result<(), Error> {
    report.step("Start three nodes", LIMIT, start(cast)).await?;
    report.step("Make an identity on each", LIMIT, introduce(cast)).await?;
    report.step("Find each other on the network", LIMIT, discover(cast)).await?;
    report.step("Become contacts by one-time links", LIMIT, become_contacts(cast)).await?;
    report.step("Make a group of three", LIMIT, make_group(cast)).await?;
    report.step("Talk, in the group and in private", LIMIT, talk(cast)).await?;
    let mut late = None;
    report.step("Stop Carol's node, and write to her", LIMIT, write_to_the_absent(cast, &mut late)).await?;
    report.step("Start it again: the messages arrive late", LIMIT, arrive_late(cast, late)).await?;
    report.step("Remove Carol from the group: she cannot read on", LIMIT, remove(cast)).await?;
    report.step("Stop the nodes in order", LIMIT, stop(cast)).await
}

async fn start(cast: &mut Cast) -> Result<Seen, Error> {
    let mut lines = Vec::new();
    for node in cast.all_mut() {
        let pid = node.start().await?;
        let status = node.daemon()?.node_status(&v1::NodeStatusRequest {}).await?;
        let addresses = status.addresses.join(", ");
        lines.push(format!(
            "{}'s node is process {pid}, key {}, at {addresses}",
            node.name(),
            short(&status.node)
        ));
    }
    Ok(Seen::ok(lines.join("\n")))
}

async fn introduce(cast: &Cast) -> Result<Seen, Error> {
    let mut lines = Vec::new();
    for node in cast.all() {
        let request = v1::CreateIdentityRequest { name: node.name().to_owned() };
        let made = node.daemon()?.create_identity(&request).await?;
        lines.push(format!("{} is {}", made.name, short(&made.identity)));
    }
    Ok(Seen::ok(lines.join("\n")))
}

/// Each node must discover the two others by multicast. Where a network filters that, links lead them together.
async fn discover(cast: &Cast) -> Result<Seen, Error> {
    let mut keys = Vec::new();
    for node in cast.all() {
        keys.push(node.daemon()?.node_status(&v1::NodeStatusRequest {}).await?.node);
    }
    let everybody = timeout(DISCOVERY_LIMIT, async {
        let mut look_again = interval(DISCOVERY_INTERVAL);
        loop {
            look_again.tick().await;
            if all_discovered(cast, &keys).await? {
                return Ok::<(), Error>(());
            }
        }
    });
    match everybody.await {
        Ok(seen) => seen
            .map(|()| Seen::ok("each node sees the two others by multicast DNS; nobody was told an address")),
        Err(_) => Ok(Seen::otherwise(format!(
            "not within {} seconds: this network, or this machine's firewall, filters multicast.\nThe addresses in \
             the invitation links lead the nodes together instead.",
            DISCOVERY_LIMIT.as_secs()
        ))),
    }
}

async fn all_discovered(cast: &Cast, keys: &[Vec<u8>]) -> Result<bool, Error> {
    for (node, own) in cast.all().into_iter().zip(keys) {
        let seen = discovered(node).await?;
        if !keys.iter().filter(|key| *key != own).all(|key| seen.contains(key)) {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn become_contacts(cast: &Cast) -> Result<Seen, Error> {
    let mut lines = Vec::new();
    for (host, guest) in [(&cast.alice, &cast.bob), (&cast.alice, &cast.carol), (&cast.bob, &cast.carol)] {
        let started = Instant::now();
        befriend(host, guest).await?;
        let took = milliseconds(started.elapsed());
        lines.push(format!(
            "{} took {}'s link, and both know each other now   ({took})",
            guest.name(),
            host.name()
        ));
    }
    Ok(Seen::ok(lines.join("\n")))
}

async fn make_group(cast: &Cast) -> Result<Seen, Error> {
    let members = vec!["@bob".to_owned(), "@carol".to_owned()];
    let request = v1::CreateGroupRequest { name: GROUP.trim_start_matches('#').to_owned(), members };
    cast.alice.daemon()?.create_group(&request).await?;
    for node in cast.all() {
        sees_members(node, GROUP, 3).await?;
    }
    let shown = cast.bob.daemon()?.show_group(&v1::ShowGroupRequest { group: GROUP.to_owned() }).await?;
    let encryption = crate::views::suite_name(shown.suite);
    Ok(Seen::ok(format!(
        "alice made {GROUP} with bob and carol; all three see three members\nencryption: {encryption}"
    )))
}

async fn talk(cast: &Cast) -> Result<Seen, Error> {
    let mut lines = Vec::new();
    for (speaker, text) in
        [(&cast.alice, "Who brings cake?"), (&cast.bob, "I do!"), (&cast.carol, "Lemonade from me.")]
    {
        let took = await_delivery(speaker, &write(speaker, GROUP, text).await?).await?;
        for listener in cast.all() {
            reads(listener, GROUP, text).await?;
        }
        lines.push(format!(
            "{:<6} {GROUP}: {text}   (on every device after {})",
            speaker.name(),
            milliseconds(took)
        ));
    }
    let took = await_delivery(&cast.carol, &write(&cast.carol, "@alice", SECRET).await?).await?;
    reads(&cast.alice, "@carol", SECRET).await?;
    lines.push(format!("carol  to alice alone: {SECRET}   ({})", milliseconds(took)));
    forbid(&cast.bob, SECRET).await?;
    lines.push("bob has read the first three, and not the last".to_owned());
    Ok(Seen::ok(lines.join("\n")))
}

/// What alice wrote while carol's node did not run.
struct Late {
    messages: [v1::Message; 2],
    written: Instant,
}

async fn write_to_the_absent(cast: &mut Cast, late: &mut Option<Late>) -> Result<Seen, Error> {
    cast.carol.stop().await?;
    let in_group = write(&cast.alice, GROUP, "We meet at four.").await?;
    let in_private = write(&cast.alice, "@carol", "Did you get that?").await?;
    let written = Instant::now();
    reads(&cast.bob, GROUP, "We meet at four.").await?;
    for message in [&in_group, &in_private] {
        let missing = waiting_for(&cast.alice, message).await?;
        if !missing.iter().any(|name| name.trim_start_matches('@') == cast.carol.name()) {
            let text = &message.text;
            return Err(Error::Negative(format!(
                "\"{text}\" does not wait for carol, whose node does not run"
            )));
        }
    }
    let reason = why(&cast.alice, &in_private).await;
    *late = Some(Late { messages: [in_group, in_private], written });
    Ok(Seen::ok(format!(
        "carol's node has ended; alice writes to {GROUP} and to carol\nbob has the first already; both wait for carol \
         in alice's outbox: {reason}"
    )))
}

async fn arrive_late(cast: &mut Cast, late: Option<Late>) -> Result<Seen, Error> {
    let late = required(late, "messages written before")?;
    cast.carol.start().await?;
    for message in &late.messages {
        await_delivery(&cast.alice, message).await?;
    }
    let took = milliseconds(late.written.elapsed());
    reads(&cast.carol, GROUP, "We meet at four.").await?;
    reads(&cast.carol, "@alice", "Did you get that?").await?;
    Ok(Seen::ok(format!("carol is back and has both, {took} after they were written")))
}

async fn remove(cast: &Cast) -> Result<Seen, Error> {
    let request = v1::RemoveGroupMemberRequest { group: GROUP.to_owned(), member: "@carol".to_owned() };
    let change = required(cast.alice.daemon()?.remove_group_member(&request).await?.change, "the change")?;
    await_commit(&cast.alice, change).await?;
    sees_members(&cast.alice, GROUP, 2).await?;
    sees_members(&cast.bob, GROUP, 2).await?;
    await_delivery(&cast.bob, &write(&cast.bob, GROUP, SURPRISE).await?).await?;
    reads(&cast.alice, GROUP, SURPRISE).await?;
    // Sent afterwards, to a node that is up: when this has arrived, the other would have as well.
    await_delivery(&cast.alice, &write(&cast.alice, "@carol", "Sorry, the picnic is full.").await?).await?;
    reads(&cast.carol, "@alice", "Sorry, the picnic is full.").await?;
    expect(cast.carol.daemon()?, "carol's node does not know that she was removed", async |daemon| {
        let listed = daemon.list_conversations(&v1::ListConversationsRequest {}).await?.conversations;
        Ok(listed.iter().any(|known| known.name == GROUP && known.state == "ended"))
    })
    .await?;
    forbid(&cast.carol, SURPRISE).await?;
    if write(&cast.carol, GROUP, "Hello?").await.is_ok() {
        return Err(Error::Negative("carol can still write to the group".to_owned()));
    }
    Ok(Seen::ok(format!(
        "alice removed carol; bob wrote \"{SURPRISE}\" and alice has it\ncarol's node got alice's private word after \
         that, but nothing of the group,\nand refuses to write to it: she has left what she had read, and no key to more"
    )))
}

async fn stop(cast: &mut Cast) -> Result<Seen, Error> {
    for node in cast.all_mut() {
        node.stop().await?;
    }
    Ok(Seen::ok("each node ended when it was asked to"))
}

async fn await_commit(node: &Node, change: v1::GroupChange) -> Result<(), Error> {
    let request = v1::WaitChangeRequest { change: change.change.clone(), timeout_ms: COMMIT_TIMEOUT_MS };
    let change = if change.committed {
        change
    } else {
        required(node.daemon()?.wait_change(&request).await?.change, "the change")?
    };
    match (change.committed, change.failed.is_empty()) {
        (true, _) => Ok(()),
        (false, true) => Err(Error::TimedOut(format!("the change still waits for {}", change.waiting_for))),
        (false, false) => Err(Error::Negative(change.failed)),
    }
}

/// Makes sure that the person cannot read the text.
async fn forbid(node: &Node, text: &str) -> Result<(), Error> {
    if reads_now(node).await?.iter().any(|one| one == text) {
        return Err(Error::Negative(format!("{} can read \"{text}\"", node.name())));
    }
    Ok(())
}

fn milliseconds(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}

const GROUP: &str = "#picnic";
const SECRET: &str = "Bob's birthday is on Friday, psst.";
const SURPRISE: &str = "Let us meet at five instead.";
/// What any step may take; each names a clearer reason long before.
const LIMIT: Duration = Duration::from_secs(180);
const DISCOVERY_LIMIT: Duration = Duration::from_secs(8);
const DISCOVERY_INTERVAL: Duration = Duration::from_millis(20);
const COMMIT_TIMEOUT_MS: u32 = 30_000;
