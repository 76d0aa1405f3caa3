//! `qpq contact`: the people this node knows.

use std::time::Duration;

use clap::Subcommand;
use qpq_proto::v1;
use serde::Serialize;

use super::{WaitArgs, relay};
use crate::connect::Daemon;
use crate::context::{Context, required};
use crate::exit::Error;
use crate::follow::{Cursor, Deadline, until};
use crate::output::{Show, Style};
use crate::printable::printable;
use crate::views::contact::{ContactView, ContactsView, VerificationView};

/// What to do with contacts.
#[derive(Debug, Subcommand)]
pub(crate) enum ContactCommand {
    /// Add the person behind an invitation link, or behind a name at a relay of yours.
    Add {
        /// The link, starting with qpq: or NAME@RELAY.
        link: String,
        /// Call the contact so on this node, instead of by the name in the link.
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        wait: WaitArgs,
    },
    /// Accept a request that came through a reusable link, or from somebody who found you by name.
    Accept {
        /// The name under which the request is listed.
        name: String,
    },
    /// List the contacts and the requests.
    List,
    /// Call a contact by another name on this node.
    Rename {
        /// The present name.
        name: String,
        /// The name wanted.
        new_name: String,
    },
    /// Show the safety number shared with a contact, or record that it was compared.
    Verify(VerifyArgs),
    /// Stop receiving from a contact and sending to it.
    Block {
        /// The contact.
        name: String,
        /// Lift the block instead.
        #[arg(long)]
        undo: bool,
    },
    /// Forget a contact, its conversation and what waits for it.
    Remove {
        /// The contact.
        name: String,
    },
}

/// What was found when the safety number was compared.
#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    /// The contact.
    pub(crate) name: String,
    /// Record that both people see the same number.
    #[arg(long = "match", group = "outcome")]
    pub(crate) matches: bool,
    /// Record that they do not; nothing is sent to the contact then.
    #[arg(long, group = "outcome")]
    pub(crate) mismatch: bool,
    /// Compare the number that the other person reads out, and record the outcome.
    #[arg(long, group = "outcome", value_name = "DIGITS")]
    pub(crate) number: Option<String>,
}

/// Does it.
pub(crate) async fn run(context: &Context, command: ContactCommand) -> Result<(), Error> {
    match command {
        ContactCommand::Add { link, name, wait } => add(context, link, name, wait).await,
        ContactCommand::Accept { name } => accept(context, name).await,
        ContactCommand::List => list(context).await,
        ContactCommand::Rename { name, new_name } => rename(context, name, new_name).await,
        ContactCommand::Verify(args) => verify(context, args).await,
        ContactCommand::Block { name, undo } => block(context, name, undo).await,
        ContactCommand::Remove { name } => remove(context, name).await,
    }
}

async fn add(context: &Context, link: String, name: Option<String>, wait: WaitArgs) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    // Taken before the request, so that the reason of a refusal comes after it.
    let cursor = if wait.wait { Some(Cursor::newest(&daemon).await?) } else { None };
    // A link to a person starts with `qpq:` and has no other `@` in it than one of a name.
    let is_address = link.split_once('@').is_some_and(|(name, _)| !name.is_empty() && !name.contains(':'));
    if is_address {
        let found = relay::names::ask(&daemon, link.clone(), String::new(), wait.timeout).await?;
        if found.state == "nobody" {
            let message = "nobody has this name there, as the relay's log proves".to_owned();
            return Err(Error::Negative(message));
        }
    }
    let request = v1::AddContactRequest { link, name: name.unwrap_or_default() };
    let contact = required(daemon.add_contact(&request).await?.contact, "the contact")?;
    let Some(cursor) = cursor.filter(|_| contact.state == "requested") else {
        return context.output.show(&ContactView::from(contact));
    };
    let answered = await_answer(&daemon, &contact, Deadline::after(wait.timeout)).await?;
    let state = answered.as_ref().map(|answered| answered.state.clone());
    context.output.show(&ContactView::from(answered.unwrap_or(contact)))?;
    match state.as_deref() {
        None => Err(Error::TimedOut("no answer yet; it comes when both nodes are reachable".to_owned())),
        Some("refused") => Err(refusal(&daemon, cursor).await),
        Some(_) => Ok(()),
    }
}

/// Why a request came to nothing, as the alarm after the cursor tells it.
pub(crate) async fn refusal(daemon: &Daemon, mut cursor: Cursor) -> Error {
    let told = match cursor.poll(daemon, Duration::ZERO).await {
        Ok(answer) => answer.events.into_iter().rev().find_map(reason_of_refusal),
        Err(error) => return error,
    };
    Error::Negative(told.unwrap_or_else(|| "the request was refused: ask for a new link".to_owned()))
}

fn reason_of_refusal(event: v1::Event) -> Option<String> {
    match event.kind {
        Some(v1::event::Kind::Alarm(alarm)) if alarm.code == REQUEST_FAILED => Some(alarm.text),
        _ => None,
    }
}

/// The contact once it is no longer merely asked; `None` if that is not before the deadline.
pub(crate) async fn await_answer(
    daemon: &Daemon,
    contact: &v1::Contact,
    deadline: Deadline,
) -> Result<Option<v1::Contact>, Error> {
    until(daemon, deadline, async |daemon| {
        let contacts = daemon.list_contacts(&v1::ListContactsRequest {}).await?.contacts;
        Ok(contacts
            .into_iter()
            .find(|known| known.identity == contact.identity && known.state != "requested"))
    })
    .await
}

async fn accept(context: &Context, name: String) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let answer = daemon.accept_contact(&v1::AcceptContactRequest { name }).await?;
    context.output.show(&ContactView::from(required(answer.contact, "the contact")?))
}

async fn list(context: &Context) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let listed = daemon.list_contacts(&v1::ListContactsRequest {}).await?;
    context.output.show(&ContactsView::from(listed.contacts))
}

async fn rename(context: &Context, name: String, new_name: String) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let answer = daemon.rename_contact(&v1::RenameContactRequest { name, new_name }).await?;
    context.output.show(&ContactView::from(required(answer.contact, "the contact")?))
}

async fn verify(context: &Context, args: VerifyArgs) -> Result<(), Error> {
    let compares = args.number.is_some();
    let request = verify_request(args)?;
    let daemon = context.daemon().await?;
    let answer = daemon.verify_contact(&request).await?;
    let view = VerificationView::new(answer.safety_number, required(answer.contact, "the contact")?);
    context.output.show(&view)?;
    // Recording a mismatch is what was asked for; finding one is bad news.
    if !compares || view.verification != "mismatched" {
        return Ok(());
    }
    Err(Error::Untrusted {
        reason: "the safety number does not match: somebody may stand between you".to_owned(),
        fix: "qpq invite".to_owned(),
    })
}

/// The call for what was given; the number of digits is checked here, so that a slip is not taken for an attack.
fn verify_request(args: VerifyArgs) -> Result<v1::VerifyContactRequest, Error> {
    let number = args.number.unwrap_or_default();
    let action = match (args.matches, args.mismatch, number.is_empty()) {
        (true, ..) => v1::VerifyAction::Match,
        (_, true, _) => v1::VerifyAction::Mismatch,
        (.., false) => v1::VerifyAction::Compare,
        _ => v1::VerifyAction::Show,
    };
    let digits: String =
        number.chars().filter(|character| !character.is_whitespace() && *character != '-').collect();
    let is_number =
        digits.len() == SAFETY_NUMBER_DIGITS && digits.chars().all(|digit| digit.is_ascii_digit());
    if action == v1::VerifyAction::Compare && !is_number {
        return Err(Error::Usage(format!("a safety number has {SAFETY_NUMBER_DIGITS} digits")));
    }
    Ok(v1::VerifyContactRequest { name: args.name, action: action.into(), safety_number: digits })
}

async fn block(context: &Context, name: String, undo: bool) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let answer = daemon.block_contact(&v1::BlockContactRequest { name, unblock: undo }).await?;
    context.output.show(&ContactView::from(required(answer.contact, "the contact")?))
}

async fn remove(context: &Context, name: String) -> Result<(), Error> {
    let shown = printable(&name).into_owned();
    context.confirm(&format!("Forget {shown}, all messages with them, and what waits for them"))?;
    let daemon = context.daemon().await?;
    daemon.remove_contact(&v1::RemoveContactRequest { name: name.clone() }).await?;
    context.output.show(&RemovedView { name })
}

/// A contact or group that is forgotten.
#[derive(Debug, Serialize)]
pub(super) struct RemovedView {
    /// As it was given.
    pub(super) name: String,
}

impl Show for RemovedView {
    const SCHEMA: &'static str = "qpq.removed/1";

    fn human(&self, _style: &Style) -> String {
        format!("{} is forgotten", printable(&self.name))
    }
}

/// Code of the alarm that says why a request was refused.
const REQUEST_FAILED: &str = "contact-request-failed";
const SAFETY_NUMBER_DIGITS: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    fn args(matches: bool, mismatch: bool, number: Option<String>) -> VerifyArgs {
        VerifyArgs { name: "@bob".into(), matches, mismatch, number }
    }

    #[test]
    fn what_verify_asks_of_the_daemon() {
        let number = "12345 ".repeat(12);
        for (args, action, digits) in [
            (args(false, false, None), v1::VerifyAction::Show, 0),
            (args(true, false, None), v1::VerifyAction::Match, 0),
            (args(false, true, None), v1::VerifyAction::Mismatch, 0),
            (args(false, false, Some(number)), v1::VerifyAction::Compare, 60),
        ] {
            let request = verify_request(args).unwrap();
            assert_eq!((request.action(), request.safety_number.len()), (action, digits));
            assert_eq!(request.name, "@bob");
        }
    }

    #[test]
    fn the_alarm_says_why_a_request_was_refused() {
        let event = |code: &str| {
            let alarm = v1::AlarmEvent { code: code.into(), text: "the link was used".into() };
            v1::Event { kind: Some(v1::event::Kind::Alarm(alarm)), ..Default::default() }
        };
        assert_eq!(reason_of_refusal(event(REQUEST_FAILED)).as_deref(), Some("the link was used"));
        assert_eq!(reason_of_refusal(event("device-list-fork")), None);
        assert_eq!(reason_of_refusal(v1::Event::default()), None);
    }

    #[test]
    fn a_slip_is_no_mismatch() {
        for number in ["1", &"1".repeat(59), &"1".repeat(61), &"x".repeat(60)] {
            assert_eq!(
                verify_request(args(false, false, Some(number.to_owned()))).unwrap_err().exit(),
                Exit::Usage
            );
        }
    }
}
