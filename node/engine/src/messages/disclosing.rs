//! What is disclosed of a conversation when one of its messages is reported.

use prost::Message as _;
use qpq_crypto::report::REPORT_BYTES_MAX;
use qpq_proto::{
    Failure,
    v1::{DisclosedMessage, DisclosedReport},
};

use crate::{
    context::Context,
    engine::Engine,
    records::MessageRecord,
    storage::Direction,
    tables::{self, MESSAGES},
};

impl Engine {
    /// A message of somebody else's, and so many before it as were asked for and have room; and in which conversation.
    pub(crate) fn disclose(
        &self,
        cx: &Context<'_>,
        message: &[u8],
        reason: &str,
        before: usize,
    ) -> Result<(Vec<u8>, DisclosedReport), Failure> {
        let (place, record) = self.any_message(cx, message)?;
        if record.own {
            return Err(Failure::bad_request("message_id", "nobody reports itself"));
        }
        let mut report = DisclosedReport { reason: reason.to_owned(), messages: vec![disclosed(&record)] };
        cut(&mut report);
        let (conversation, range) = (&place.conversation, 0..place.cursor);
        let earlier: Vec<(u64, MessageRecord)> =
            tables::scan(cx.tx, MESSAGES, conversation, range, Direction::Backward, before)?;
        for (_, record) in earlier {
            report.messages.insert(0, disclosed(&record));
            if report.encoded_len() > REPORT_BYTES_MAX {
                report.messages.remove(0);
                break;
            }
        }
        Ok((place.conversation, report))
    }
}

fn disclosed(record: &MessageRecord) -> DisclosedMessage {
    DisclosedMessage {
        message_id: record.id.clone(),
        sender: record.from.clone(),
        sent_at_ms: record.sent_at_ms,
        text: record.text.clone(),
        cut: false,
    }
}

/// Cuts the text of the message until the report has room.
fn cut(report: &mut DisclosedReport) {
    let surplus = report.encoded_len().saturating_sub(REPORT_BYTES_MAX);
    let Some(message) = report.messages.last_mut().filter(|_| surplus > 0) else { return };
    let mut end = message.text.len().saturating_sub(surplus + CUT_FIELD_BYTES);
    while !message.text.is_char_boundary(end) {
        end -= 1;
    }
    message.text.truncate(end);
    message.cut = true;
}

/// What it takes to say that a text is cut.
const CUT_FIELD_BYTES: usize = 2;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_longest_message_has_room_and_keeps_its_beginning(reason in "\\PC{0,340}", text in "(\\PC{3000,4096})") {
            let message = DisclosedMessage {
                message_id: vec![1; 16],
                sender: vec![2; 32],
                sent_at_ms: u64::MAX,
                text: text.clone(),
                cut: false,
            };
            let mut report = DisclosedReport { reason, messages: vec![message] };
            let was_too_long = report.encoded_len() > REPORT_BYTES_MAX;
            cut(&mut report);
            prop_assert!(report.encoded_len() <= REPORT_BYTES_MAX);
            let message = &report.messages[0];
            prop_assert_eq!(message.cut, was_too_long);
            prop_assert!(text.starts_with(&message.text) && (was_too_long || message.text == text));
            prop_assert!(!was_too_long || report.encoded_len() + 8 > REPORT_BYTES_MAX);
        }
    }
}
