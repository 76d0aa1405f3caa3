//! What is about to go to relays, and what none of them takes: so that whoever ends a node soon knows when it may.

use qpq_proto::v1::ListMailboxRelaysResponse;

use super::{Stage, line::Line};
use crate::{
    context::Context,
    engine::Engine,
    input::{EngineError, RelayKey},
    records::{PersonRecord, ReceiptsRecord},
    tables::{self, RECEIPTS},
};

/// How many things are under way, and how many are held up.
#[derive(Debug, Default)]
struct Progress {
    under_way: u32,
    held_up: u32,
}

impl Progress {
    fn count(&mut self, is_under_way: bool) {
        match is_under_way {
            true => self.under_way += 1,
            false => self.held_up += 1,
        }
    }
}

impl Engine {
    /// Fills in how far it is with everything that goes to relays.
    pub(super) fn show_progress(
        &mut self,
        cx: &mut Context<'_>,
        response: &mut ListMailboxRelaysResponse,
    ) -> Result<(), EngineError> {
        let mut progress = Progress::default();
        self.count_own_relays(cx, &mut progress)?;
        self.count_people(cx, &mut progress)?;
        (response.under_way, response.held_up) = (progress.under_way, progress.held_up);
        Ok(())
    }

    /// Whether what a relay held when its connection began is here.
    pub(super) fn has_fetched(&self, relay: RelayKey) -> bool {
        let line = self.relays.lines.get(&relay);
        line.is_some_and(|line| {
            line.stage == Stage::Ready && line.is_caught_up() && !self.is_working_with(relay, line)
        })
    }

    fn is_working_with(&self, relay: RelayKey, line: &Line) -> bool {
        line.is_handling_mail() || self.peers.is_telling_relay(relay, line.round)
    }

    fn count_own_relays(&self, cx: &Context<'_>, progress: &mut Progress) -> Result<(), EngineError> {
        let mut is_served = false;
        for (relay, line) in &self.relays.lines {
            is_served |= line.stage == Stage::Ready;
            let is_busy = line.is_granting || self.is_working_with(*relay, line);
            progress.under_way += u32::from(is_busy || self.is_attempted(*relay));
        }
        progress.under_way += u32::from(is_served && self.relays.is_grant_planned);
        for relay in self.relays_of_untold(cx)? {
            let line = self.relays.lines.get(&relay);
            progress.count(line.is_some_and(|line| line.stage == Stage::Ready && !line.has_enough_tokens));
        }
        Ok(())
    }

    fn count_people(&mut self, cx: &mut Context<'_>, progress: &mut Progress) -> Result<(), EngineError> {
        let mut people = self.reachable_by_mail(cx)?.clone();
        let receipts: Vec<ReceiptsRecord> = tables::all(cx.tx, RECEIPTS)?;
        progress.under_way += u32::from(receipts.iter().any(|record| people.contains(&record.identity)));
        if !self.config.has_peers {
            people.extend(self.waiting_deliveries(cx)?.into_keys());
        }
        for identity in people {
            let Some(person) = self.person(cx, &identity)? else { continue };
            if !self.is_node_connected(&person)
                && let Some(is_under_way) = self.is_mail_under_way(cx, &person)?
            {
                progress.count(is_under_way);
            }
        }
        Ok(())
    }

    /// Whether something for a person is about to go to a relay, or is held up; `None` if there is nothing.
    fn is_mail_under_way(
        &mut self,
        cx: &mut Context<'_>,
        person: &PersonRecord,
    ) -> Result<Option<bool>, EngineError> {
        let identity = &person.identity;
        let mut is_waiting = person.is_unasked();
        for stream in self.streams_of(cx, identity)? {
            if self.peers.is_delivering(identity, &stream) {
                return Ok(Some(true));
            }
            is_waiting |= self.next_entry(cx, &stream, identity)?.is_some();
        }
        if !is_waiting {
            return Ok(None);
        }
        let record = self.mailboxes(cx, identity)?;
        let has_way = self.mailbox_now(cx, &record).is_some() || self.meeting_mailbox(cx, &record).is_some();
        let is_answerable = !person.is_asked_by_mail() || self.is_served_or_alone(cx)?;
        Ok(Some(has_way && is_answerable))
    }

    /// Whether a relay of this person's is reached, if it has any.
    fn is_served_or_alone(&self, cx: &Context<'_>) -> Result<bool, EngineError> {
        let is_served = self.relays.lines.values().any(|line| line.stage == Stage::Ready);
        Ok(is_served || self.relay_records(cx)?.is_empty())
    }
}
