//! Reports: taken from anybody who is logged in, read by administrators.

use prost::Message;
use qpq_proto::Failure;
use qpq_proto::ids::{ChannelId, Identity, MessageId};
use qpq_proto::limits::{FRAME_PAYLOAD_BYTES_MAX, FRANKING_PROOF_BYTES_MAX, METADATA_BYTES_MAX};
use qpq_proto::v1::{
    ListReportsRequest, ListReportsResponse, Report, ReportMessageRequest, ReportMessageResponse,
};

use crate::context::Context;
use crate::input::RelayError;
use crate::moderation::records::{ReportRecord, ReporterRecord};
use crate::moderation::{administrators, after, cursor, page_items};
use crate::relay::Relay;
use crate::storage::Transaction;
use crate::tables::{self, REPORTERS, REPORTS, at, key};

impl Relay {
    pub(crate) fn report_message(
        &mut self,
        cx: &mut Context<'_>,
        request: &ReportMessageRequest,
    ) -> Result<ReportMessageResponse, Failure> {
        let identity = cx.identity()?;
        check(request)?;
        self.report_rates.take(identity, 1, cx.now.monotonic_ms)?;
        let place = tables::next_ordinal(cx.tx, REPORTS, b"")?;
        let first: Vec<(u64, ReportRecord)> = tables::scan(cx.tx, REPORTS, b"", 0..u64::MAX, 1)?;
        let held = first.first().map_or(0, |(first, _)| place - first);
        if held >= self.limits.reports_max {
            return Err(Failure::quota("this relay holds as many reports as it may hold"));
        }
        let mut reporter: ReporterRecord =
            tables::load(cx.tx, REPORTERS, key(identity.as_bytes()))?.unwrap_or_default();
        if reporter.places.len() >= self.limits.reports_per_account_max {
            return Err(Failure::quota("the account has reported as much as it may"));
        }
        reporter.places.push(place);
        tables::save(cx.tx, REPORTERS, key(identity.as_bytes()), &reporter)?;
        let mut report_id = vec![0; REPORT_ID_BYTES];
        cx.rng.fill_bytes(&mut report_id);
        let ReportMessageRequest { channel_id, message_id, report, franking_proof } = request.clone();
        let record = ReportRecord {
            report_id: report_id.clone(),
            reporter: identity.to_vec(),
            channel_id,
            message_id,
            report,
            franking_proof,
            reported_at_ms: cx.now.wall_ms,
        };
        tables::save(cx.tx, REPORTS, at(b"", place), &record)?;
        Ok(ReportMessageResponse { report_id })
    }

    pub(crate) fn list_reports(
        &self,
        cx: &Context<'_>,
        request: &ListReportsRequest,
    ) -> Result<ListReportsResponse, Failure> {
        let limit = page_items(request.limit)?;
        let from = after(&request.cursor)?;
        let found: Vec<(u64, ReportRecord)> = tables::scan(cx.tx, REPORTS, b"", from..u64::MAX, limit + 1)?;
        let is_more = found.len() > limit;
        let mut page = ListReportsResponse::default();
        let mut bytes = 0;
        for (place, record) in found.into_iter().take(limit) {
            let report = Report::from(record);
            bytes += report.encoded_len() + PAGE_FIELDS_BYTES;
            if bytes > FRAME_PAYLOAD_BYTES_MAX {
                return Ok(page);
            }
            page.reports.push(report);
            page.next = cursor(place);
        }
        if !is_more {
            page.next.clear();
        }
        Ok(page)
    }

    /// Removes reports that were kept long enough. Returns whether there may be more.
    pub(crate) fn expire_reports(&self, cx: &mut Context<'_>) -> Result<bool, RelayError> {
        let limit = self.limits.removals_per_step_max;
        let found: Vec<(u64, ReportRecord)> = tables::scan(cx.tx, REPORTS, b"", 0..u64::MAX, limit)?;
        let lifetime_ms = self.limits.report_ttl_s * 1_000;
        let is_over =
            |record: &ReportRecord| cx.now.is_past(record.reported_at_ms.saturating_add(lifetime_ms));
        let ended: Vec<_> = found.into_iter().take_while(|(_, record)| is_over(record)).collect();
        for (place, record) in &ended {
            cx.tx.delete(REPORTS, at(b"", *place))?;
            let mut reporter = reporter(cx.tx, &record.reporter)?;
            reporter.places.retain(|other| other != place);
            match reporter.places.is_empty() {
                true => cx.tx.delete(REPORTERS, key(&record.reporter))?,
                false => tables::save(cx.tx, REPORTERS, key(&record.reporter), &reporter)?,
            }
        }
        Ok(ended.len() == limit)
    }
}

impl From<ReportRecord> for Report {
    fn from(record: ReportRecord) -> Self {
        let ReportRecord {
            report_id,
            reporter,
            channel_id,
            message_id,
            report,
            franking_proof,
            reported_at_ms,
        } = record;
        Self { report_id, reporter, channel_id, message_id, report, franking_proof, reported_at_ms }
    }
}

/// Takes a person's name off its reports, which stay for the administrators, of whom it is none any more.
pub(crate) fn forget_account(tx: &mut dyn Transaction, identity: Identity) -> Result<(), RelayError> {
    for place in reporter(tx, identity.as_bytes())?.places {
        if let Some(mut record) = tables::load::<ReportRecord>(tx, REPORTS, at(b"", place))? {
            record.reporter.clear();
            tables::save(tx, REPORTS, at(b"", place), &record)?;
        }
    }
    administrators::forget(tx, identity)?;
    Ok(tx.delete(REPORTERS, key(identity.as_bytes()))?)
}

fn reporter(tx: &dyn Transaction, identity: &[u8]) -> Result<ReporterRecord, RelayError> {
    Ok(tables::load(tx, REPORTERS, key(identity))?.unwrap_or_default())
}

fn check(request: &ReportMessageRequest) -> Result<(), Failure> {
    let ReportMessageRequest { channel_id, message_id, report, franking_proof } = request;
    ChannelId::try_from(channel_id.as_slice()).map_err(|error| error.in_field("channel_id"))?;
    let message = MessageId::try_from(message_id.as_slice()).map_err(|error| error.in_field("message_id"))?;
    let refused = |field: &str, message: String| Err(Failure::bad_request(field, message));
    if !message.is_uuid_v7() {
        return refused("message_id", "a message id is a UUIDv7".to_owned());
    }
    if !(1..=METADATA_BYTES_MAX).contains(&report.len()) {
        return refused("report", format!("a report has 1 to {METADATA_BYTES_MAX} bytes"));
    }
    if franking_proof.len() > FRANKING_PROOF_BYTES_MAX {
        return refused("franking_proof", format!("it has at most {FRANKING_PROOF_BYTES_MAX} bytes"));
    }
    Ok(())
}

const REPORT_ID_BYTES: usize = 16;
/// What a page holds of a report besides itself: a tag and a length; and its share of the cursor.
const PAGE_FIELDS_BYTES: usize = 16;
