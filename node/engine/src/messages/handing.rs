//! Which nodes carry an own message: a weaker state than its delivery, and weaker still where they keep it in memory.

use qpq_mesh::wire::Durability;
use qpq_proto::ids::NodeKey;

use super::progress::state_word;
use crate::{
    context::Context,
    conversations::ConversationId,
    engine::Engine,
    input::EngineError,
    records::{MessageRecord, PlaceRecord},
    tables::{self, MESSAGES},
};

/// Carriers of a message that are told apart and counted.
const CARRIERS_MAX: usize = 64;

impl Engine {
    /// A node carries an own message. It is counted once, however often it says so and whoever gave it the bundle.
    pub(crate) fn message_handed(
        &mut self,
        cx: &mut Context<'_>,
        message_id: &[u8],
        node: NodeKey,
        durability: Durability,
    ) -> Result<(), EngineError> {
        let Some((place, before)) = self.own_message(cx, message_id)? else { return Ok(()) };
        let mut record = before.clone();
        note_carrier(&mut record, node, durability);
        if record.handed_at_ms == 0 {
            record.handed_at_ms = cx.now.wall_ms;
        }
        self.save_handing(cx, &place, &before, &record)
    }

    /// The lifetime of an own message's bundle has ended: nobody carries it any more.
    pub(crate) fn message_dropped(
        &mut self,
        cx: &mut Context<'_>,
        message_id: &[u8],
    ) -> Result<(), EngineError> {
        let Some((place, before)) = self.own_message(cx, message_id)? else { return Ok(()) };
        let (handed, handed_at_ms, carriers, handed_volatile) = Default::default();
        let record = MessageRecord { handed, handed_at_ms, carriers, handed_volatile, ..before.clone() };
        self.save_handing(cx, &place, &before, &record)
    }

    fn save_handing(
        &mut self,
        cx: &mut Context<'_>,
        place: &PlaceRecord,
        before: &MessageRecord,
        record: &MessageRecord,
    ) -> Result<(), EngineError> {
        if record == before {
            return Ok(());
        }
        tables::save(cx.tx, MESSAGES, tables::at(&place.conversation, place.cursor), record)?;
        if state_word(record) != state_word(before) || is_kept(record) != is_kept(before) {
            let conversation: ConversationId =
                self.conversation_of(cx, &place.conversation)?.conversation_id()?;
            self.log_message_state(cx, conversation, place.cursor)?;
        }
        Ok(())
    }
}

/// Whether another node keeps it on disk.
const fn is_kept(record: &MessageRecord) -> bool {
    record.handed > record.handed_volatile
}

fn note_carrier(record: &mut MessageRecord, node: NodeKey, durability: Durability) {
    let carrier = [&[u8::from(durability == Durability::Durable)], node.as_bytes().as_slice()].concat();
    match record.carriers.iter().position(|known| known.get(1..) == carrier.get(1..)) {
        Some(known) => record.carriers[known] = carrier,
        None if record.carriers.len() < CARRIERS_MAX => record.carriers.push(carrier),
        None => {}
    }
    let volatile = record.carriers.iter().filter(|carrier| carrier.first() == Some(&0)).count();
    record.handed = u32::try_from(record.carriers.len()).unwrap_or(u32::MAX);
    record.handed_volatile = u32::try_from(volatile).unwrap_or(u32::MAX);
}

/// Who carries a message, for its trace.
pub(super) fn carriers(record: &MessageRecord) -> String {
    let place = match (record.handed, record.handed_volatile) {
        (_, 0) => String::new(),
        (handed, volatile) if handed == volatile => ", in memory only".into(),
        (_, volatile) => format!(", {volatile} of them in memory only"),
    };
    match record.handed {
        1 => format!("another node carries it{place}"),
        nodes => format!("{nodes} other nodes carry it{place}; the first took it then"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: u8) -> NodeKey {
        NodeKey::from_bytes([number; 32])
    }

    #[test]
    fn a_carrier_is_counted_once_and_as_it_was_heard_of_last() {
        let mut record = MessageRecord::default();
        for (number, durability, expected, words) in [
            (1, Durability::Volatile, (1, 1), "another node carries it, in memory only"),
            (1, Durability::Volatile, (1, 1), "another node carries it, in memory only"),
            (
                2,
                Durability::Durable,
                (2, 1),
                "2 other nodes carry it, 1 of them in memory only; the first took it then",
            ),
            (1, Durability::Durable, (2, 0), "2 other nodes carry it; the first took it then"),
        ] {
            note_carrier(&mut record, node(number), durability);
            assert_eq!((record.handed, record.handed_volatile), expected);
            assert_eq!(carriers(&record), words);
        }
        (0..200).for_each(|number| note_carrier(&mut record, node(number), Durability::Durable));
        assert_eq!((record.carriers.len(), record.handed), (CARRIERS_MAX, 64));
    }
}
