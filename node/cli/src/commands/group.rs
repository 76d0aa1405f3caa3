//! `qpq group`: groups, their members and their keys.
//!
//! One member's node commits the changes of a group. Where that is not this one, a change is asked of it; the
//! command then says for whom it waits and ends with code 5, or waits with `--wait`.

use std::time::Duration;

use clap::Subcommand;
use qpq_proto::v1;

use super::WaitArgs;
use super::contact::{RemovedView, refusal};
use super::invite::{lifetime_s, show_link};
use crate::connect::Daemon;
use crate::context::{Context, required};
use crate::durations::{self, describe, wire_ms};
use crate::exit::{Error, Exit};
use crate::follow::{Cursor, Deadline, until};
use crate::printable::printable;
use crate::views::change::ChangeView;
use crate::views::conversation::{ConversationView, ConversationsView, GroupView};
use crate::views::invitation::LinkView;

/// What to do with groups.
#[derive(Debug, Subcommand)]
pub(crate) enum GroupCommand {
    /// Make a group of which you are the administrator.
    Create {
        /// Its name, 1 to 64 characters.
        name: String,
        /// Contacts to add at once.
        members: Vec<String>,
    },
    /// List the groups.
    List,
    /// Add contacts to a group, or make a link by which somebody joins it.
    Invite(InviteArgs),
    /// Ask the person behind a group link to be added.
    Join {
        /// The link, starting with qpq:
        link: String,
        #[command(flatten)]
        wait: WaitArgs,
    },
    /// Leave a group.
    Leave {
        /// The group.
        group: String,
        #[command(flatten)]
        wait: WaitArgs,
    },
    /// Delete a group that you have left, or were removed from, with its messages; its name is free again.
    Delete {
        /// The group.
        group: String,
    },
    /// Remove a member from a group; what is sent from then on it cannot read.
    Remove {
        /// The group.
        group: String,
        /// The member.
        member: String,
        #[command(flatten)]
        wait: WaitArgs,
    },
    /// Show a group's members, its encryption and the changes that wait.
    Members {
        /// The group.
        group: String,
    },
    /// Replace the group's keys, as far as they are yours to replace.
    Rotate {
        /// The group, or @name for the conversation with a contact.
        group: String,
        #[command(flatten)]
        wait: WaitArgs,
    },
}

/// Whom to invite, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct InviteArgs {
    /// The group.
    pub(crate) group: String,
    /// Contacts to add.
    #[arg(required_unless_present = "link", conflicts_with = "link")]
    pub(crate) members: Vec<String>,
    /// Make a link instead.
    #[arg(long)]
    pub(crate) link: bool,
    /// The link is for any number of people.
    #[arg(long, conflicts_with = "members")]
    pub(crate) reusable: bool,
    /// How long the link can be used, such as 12h or 7d (the default).
    #[arg(long, conflicts_with = "members", value_name = "TIME", value_parser = durations::parse)]
    pub(crate) expires: Option<Duration>,
    /// Draw the link as a QR code too.
    #[arg(long, conflicts_with = "members")]
    pub(crate) qr: bool,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

/// Does it.
pub(crate) async fn run(context: &Context, command: GroupCommand) -> Result<(), Error> {
    match command {
        GroupCommand::Create { name, members } => create(context, name, members).await,
        GroupCommand::List => list(context).await,
        GroupCommand::Invite(args) if args.link => link(context, args).await,
        GroupCommand::Invite(args) => invite(context, args).await,
        GroupCommand::Join { link, wait } => join(context, link, wait).await,
        GroupCommand::Leave { group, wait } => leave(context, group, wait).await,
        GroupCommand::Delete { group } => delete(context, group).await,
        GroupCommand::Remove { group, member, wait } => remove(context, group, member, wait).await,
        GroupCommand::Members { group } => members(context, group).await,
        GroupCommand::Rotate { group, wait } => rotate(context, group, wait).await,
    }
}

async fn create(context: &Context, name: String, members: Vec<String>) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let made = daemon.create_group(&v1::CreateGroupRequest { name, members }).await?;
    context.output.show(&ConversationView::from(required(made.conversation, "the conversation")?))
}

async fn list(context: &Context) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let listed = daemon.list_conversations(&v1::ListConversationsRequest {}).await?;
    context.output.show(&ConversationsView::new(listed.conversations, Some("group")))
}

async fn link(context: &Context, args: InviteArgs) -> Result<(), Error> {
    let lifetime_s = lifetime_s(args.expires)?;
    let daemon = context.daemon().await?;
    let request =
        v1::CreateGroupLinkRequest { group: args.group.clone(), lifetime_s, reusable: args.reusable };
    let view = LinkView::group(daemon.create_group_link(&request).await?, &args.group, args.reusable);
    show_link(context, view, args.qr)
}

async fn invite(context: &Context, args: InviteArgs) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let request = v1::AddGroupMembersRequest { group: args.group.clone(), members: args.members };
    let change = daemon.add_group_members(&request).await?.change;
    settle(context, &daemon, &args.group, change, args.wait).await
}

async fn join(context: &Context, link: String, wait: WaitArgs) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let cursor = if wait.wait { Some(Cursor::newest(&daemon).await?) } else { None };
    let asked = daemon.join_group(&v1::JoinGroupRequest { link }).await?;
    let conversation = required(asked.conversation, "the conversation")?;
    let Some(cursor) = cursor.filter(|_| conversation.state == "waiting") else {
        return context.output.show(&ConversationView::from(conversation));
    };
    let joined = await_welcome(&daemon, &conversation, Deadline::after(wait.timeout)).await?;
    let state = joined.as_ref().map(|joined| joined.state.clone());
    context.output.show(&ConversationView::from(joined.unwrap_or(conversation)))?;
    match state.as_deref() {
        None => Err(Error::TimedOut("not let in yet; it happens when their node answers".to_owned())),
        Some("ended") => Err(refusal(&daemon, cursor).await),
        Some(_) => Ok(()),
    }
}

/// The conversation once its MLS group is there; `None` if that is not before the deadline.
pub(crate) async fn await_welcome(
    daemon: &Daemon,
    conversation: &v1::Conversation,
    deadline: Deadline,
) -> Result<Option<v1::Conversation>, Error> {
    until(daemon, deadline, async |daemon| {
        let listed = daemon.list_conversations(&v1::ListConversationsRequest {}).await?.conversations;
        Ok(listed.into_iter().find(|known| known.id == conversation.id && known.state != "waiting"))
    })
    .await
}

async fn leave(context: &Context, group: String, wait: WaitArgs) -> Result<(), Error> {
    context.confirm(&format!("Leave {}; only another member can let you in again", printable(&group)))?;
    let daemon = context.daemon().await?;
    let change = daemon.leave_group(&v1::LeaveGroupRequest { group: group.clone() }).await?.change;
    settle(context, &daemon, &group, change, wait).await
}

async fn delete(context: &Context, group: String) -> Result<(), Error> {
    context.confirm(&format!("Delete {} and all its messages from this node", printable(&group)))?;
    let daemon = context.daemon().await?;
    daemon.delete_group(&v1::DeleteGroupRequest { group: group.clone() }).await?;
    context.output.show(&RemovedView { name: group })
}

async fn remove(context: &Context, group: String, member: String, wait: WaitArgs) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let request = v1::RemoveGroupMemberRequest { group: group.clone(), member };
    let change = daemon.remove_group_member(&request).await?.change;
    settle(context, &daemon, &group, change, wait).await
}

async fn members(context: &Context, group: String) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let shown = daemon.show_group(&v1::ShowGroupRequest { group }).await?;
    context.output.show(&GroupView::from(shown))
}

async fn rotate(context: &Context, group: String, wait: WaitArgs) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let change = daemon.rotate_group(&v1::RotateGroupRequest { group: group.clone() }).await?.change;
    settle(context, &daemon, &group, change, wait).await
}

/// Shows how far the change got, after waiting for it where that was asked for.
async fn settle(
    context: &Context,
    daemon: &Daemon,
    group: &str,
    change: Option<v1::GroupChange>,
    wait: WaitArgs,
) -> Result<(), Error> {
    let mut change = required(change, "the change")?;
    let deadline = Deadline::after(wait.timeout);
    while wait.wait && is_open(&change) && !deadline.left().is_zero() {
        let timeout_ms = wire_ms(deadline.left().min(WAIT_PER_CALL));
        let request = v1::WaitChangeRequest { change: change.change.clone(), timeout_ms };
        change = required(daemon.wait_change(&request).await?.change, "the change")?;
    }
    context.output.show(&ChangeView::of(group, change.clone()))?;
    outcome(&change, wait)
}

/// What the change's state means for the exit code.
fn outcome(change: &v1::GroupChange, wait: WaitArgs) -> Result<(), Error> {
    if !change.failed.is_empty() {
        return Err(Error::Said(Exit::Negative));
    }
    if change.committed {
        return Ok(());
    }
    let committer = printable(&change.waiting_for);
    let committer = committer.trim_start_matches('@');
    Err(Error::TimedOut(if wait.wait {
        format!(
            "@{committer}'s node did not carry it out within {}; it will when it can",
            describe(wait.timeout)
        )
    } else {
        format!("only asked: @{committer}'s node carries it out when it can (--wait waits for that)")
    }))
}

fn is_open(change: &v1::GroupChange) -> bool {
    !change.committed && change.failed.is_empty()
}

const WAIT_PER_CALL: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes() {
        let wait = WaitArgs { wait: false, timeout: Duration::from_secs(30) };
        for (committed, waiting_for, failed, exit) in [
            (true, "", "", None),
            (false, "alice", "", Some(Exit::TimedOut)),
            (false, "", "not an administrator", Some(Exit::Negative)),
        ] {
            let change = v1::GroupChange {
                change: vec![1; 16],
                committed,
                waiting_for: waiting_for.into(),
                failed: failed.into(),
            };
            assert_eq!(outcome(&change, wait).err().map(|error| error.exit()), exit);
            assert_eq!(is_open(&change), exit == Some(Exit::TimedOut));
        }
    }

    #[test]
    fn the_committer_is_named() {
        let change = v1::GroupChange { waiting_for: "@alice".into(), ..Default::default() };
        let asked = outcome(&change, WaitArgs { wait: false, timeout: Duration::ZERO }).unwrap_err();
        assert!(asked.to_string().contains("@alice's node carries it out"), "{asked}");
        let waited = outcome(&change, WaitArgs { wait: true, timeout: Duration::from_secs(5) }).unwrap_err();
        assert!(waited.to_string().contains("within 5 s"), "{waited}");
    }
}
