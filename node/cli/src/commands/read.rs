//! `qpq read`: the messages of a conversation, or of all.

use std::collections::BTreeMap;

use qpq_proto::v1;

use super::{parse_count, parse_cursor};
use crate::connect::Daemon;
use crate::context::Context;
use crate::exit::Error;
use crate::follow::{self, Feed};
use crate::views::message::MessageView;

/// Which messages.
#[derive(Debug, clap::Args)]
pub(crate) struct ReadArgs {
    /// @name of a contact or '#name' of a group; all conversations if left out.
    pub(crate) conversation: Option<String>,
    /// Go on printing messages as they come.
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Only messages after this cursor, as an earlier `read --json` printed it.
    #[arg(long, value_name = "CURSOR", value_parser = parse_cursor, conflicts_with = "last")]
    pub(crate) since: Option<u64>,
    /// Only the newest so many.
    #[arg(long, value_name = "COUNT", value_parser = parse_count)]
    pub(crate) last: Option<u32>,
    /// Leave unread what was unread.
    #[arg(long)]
    pub(crate) peek: bool,
}

/// Prints the messages, one a line.
pub(crate) async fn run(context: &Context, args: ReadArgs) -> Result<(), Error> {
    let reader = Reader {
        conversation: args.conversation.unwrap_or_default(),
        since: args.since.unwrap_or(0),
        newest: args.last,
        marks: !args.peek,
        unmarked: BTreeMap::new(),
    };
    follow::print(context, reader, args.follow).await
}

/// Where the reading of a conversation stands.
struct Reader {
    conversation: String,
    since: u64,
    /// Begin with the newest so many.
    newest: Option<u32>,
    marks: bool,
    /// Printed, and not marked as read yet.
    unmarked: BTreeMap<String, u64>,
}

impl Feed for Reader {
    fn grows_by(event: &v1::event::Kind) -> bool {
        matches!(event, v1::event::Kind::Message(_))
    }

    /// Prints what there is after the cursor, and marks it as read once it is printed.
    async fn print(&mut self, context: &Context, daemon: &Daemon) -> Result<(), Error> {
        loop {
            let newest = self.newest;
            let request = v1::ReadMessagesRequest {
                conversation: self.conversation.clone(),
                since: self.since,
                limit: newest.unwrap_or(MESSAGES_PER_CALL),
                newest: newest.is_some(),
            };
            let answer = daemon.read_messages(&request).await?;
            self.newest = None;
            if self.marks {
                self.unmarked.append(&mut last_cursors(&answer.messages));
            }
            let count = answer.messages.len();
            for message in answer.messages {
                context.output.show(&MessageView::from(message))?;
            }
            self.since = self.since.max(answer.next);
            self.mark_read(daemon).await?;
            if count == 0 || newest.is_some() {
                return Ok(());
            }
        }
    }
}

impl Reader {
    async fn mark_read(&mut self, daemon: &Daemon) -> Result<(), Error> {
        while let Some((conversation, cursor)) = self.unmarked.first_key_value() {
            let request = v1::MarkReadRequest { conversation: conversation.clone(), cursor: *cursor };
            daemon.mark_read(&request).await?;
            self.unmarked.pop_first();
        }
        Ok(())
    }
}

/// The last cursor in each conversation with messages of others.
fn last_cursors(messages: &[v1::Message]) -> BTreeMap<String, u64> {
    let foreign = messages.iter().filter(|message| !message.own);
    foreign.fold(BTreeMap::new(), |mut cursors, message| {
        let cursor: &mut u64 = cursors.entry(message.conversation.clone()).or_default();
        *cursor = message.cursor.max(*cursor);
        cursors
    })
}

const MESSAGES_PER_CALL: u32 = 1_024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::message::sample_message;

    #[test]
    fn each_conversation_is_read_up_to_its_last_foreign_message() {
        let message = |conversation: &str, cursor, own| v1::Message {
            conversation: conversation.into(),
            cursor,
            own,
            ..sample_message()
        };
        let messages = [message("@bob", 1, false), message("#picnic", 2, false), message("@bob", 3, false)];
        let own = [message("@bob", 9, true), message("@carol", 10, true)];
        let cursors = last_cursors(&[&messages[..], &own[..]].concat());
        assert_eq!(cursors, BTreeMap::from([("@bob".to_owned(), 3), ("#picnic".to_owned(), 2)]));
    }
}
