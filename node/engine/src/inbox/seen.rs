//! What was answered to deliveries, so that a repetition is answered as the first time.

use qpq_proto::{Failure, Status, v1::Disposition};

use crate::{
    context::Context,
    engine::Engine,
    input::EngineError,
    records::{RefusalRecord, SeenRecord},
    tables::{self, SEEN, SEEN_ORDER, SINGLE},
};

/// Deliveries that are remembered.
const SEEN_MAX: u64 = 65_536;

impl Engine {
    /// What was answered to a delivery; `None` if it is new.
    pub(crate) fn seen(
        &self,
        cx: &Context<'_>,
        delivery: &[u8],
    ) -> Result<Option<Result<Disposition, Failure>>, EngineError> {
        let seen: Option<SeenRecord> = tables::load(cx.tx, SEEN, tables::key(delivery))?;
        Ok(seen.map(|seen| match seen.refusal {
            Some(refusal) => Err(refusal.into()),
            None => Ok(Disposition::try_from(seen.disposition).unwrap_or_default()),
        }))
    }

    /// Who sent a delivery that was here before.
    pub(crate) fn sender_of_seen(
        &self,
        cx: &Context<'_>,
        delivery: &[u8],
    ) -> Result<Option<Vec<u8>>, EngineError> {
        let seen: Option<SeenRecord> = tables::load(cx.tx, SEEN, tables::key(delivery))?;
        Ok(seen.map(|seen| seen.sender).filter(|sender| !sender.is_empty()))
    }

    /// The answer to a delivery that is offered again has changed.
    pub(super) fn answer_from_now_on(
        &self,
        cx: &mut Context<'_>,
        delivery: &[u8],
        answer: Result<Disposition, &Failure>,
    ) -> Result<(), EngineError> {
        let Some(mut seen) = tables::load::<SeenRecord>(cx.tx, SEEN, tables::key(delivery))? else {
            return Ok(());
        };
        match answer {
            Ok(disposition) => seen.disposition = disposition.into(),
            Err(refusal) => seen.refusal = Some(refusal.into()),
        }
        tables::save(cx.tx, SEEN, tables::key(delivery), &seen)
    }

    /// Remembers the answer to a delivery, and forgets the oldest one.
    pub(crate) fn remember(
        &self,
        cx: &mut Context<'_>,
        delivery: &[u8; 16],
        disposition: Disposition,
    ) -> Result<(), EngineError> {
        let (disposition, delivery_id) = (disposition.into(), delivery.to_vec());
        let sender = self.relays.opened_sender();
        let record = SeenRecord { disposition, delivery: delivery_id, refusal: None, sender };
        tables::save(cx.tx, SEEN, tables::key(delivery), &record)?;
        let ordinal = tables::next_ordinal(cx.tx, SEEN_ORDER, SINGLE)?;
        let in_order = SeenRecord { sender: Vec::new(), ..record };
        tables::save(cx.tx, SEEN_ORDER, tables::at(SINGLE, ordinal), &in_order)?;
        let Some(old) = ordinal.checked_sub(SEEN_MAX) else { return Ok(()) };
        if let Some(oldest) = tables::load::<SeenRecord>(cx.tx, SEEN_ORDER, tables::at(SINGLE, old))? {
            cx.tx.delete(SEEN, tables::key(&oldest.delivery))?;
            cx.tx.delete(SEEN_ORDER, tables::at(SINGLE, old))?;
        }
        Ok(())
    }
}

impl From<&Failure> for RefusalRecord {
    fn from(failure: &Failure) -> Self {
        let (field, message) = (failure.field.clone(), failure.message.clone());
        Self { status: failure.status.number().into(), field, message }
    }
}

impl From<RefusalRecord> for Failure {
    fn from(record: RefusalRecord) -> Self {
        let status = u8::try_from(record.status).ok().and_then(Status::from_u8);
        let status = status.unwrap_or(Status::Conflict);
        Self { status, message: record.message, field: record.field, retry_after_ms: 0, work: None }
    }
}

#[cfg(test)]
mod tests;
