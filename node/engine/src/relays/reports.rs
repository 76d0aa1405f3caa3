//! Reports of messages to the administrators of a relay, and what administrators read of them.
//!
//! ```text
//!  ReportToRelay ─► ListAdministrators ─► sealed to each whose key is signed ─► ReportMessage ─► report id
//!  FetchReports  ─► ListReports ─► each opened with the own key
//! ```
//!
//! Who administers the relay is the relay's word: it could name somebody else, and the report would be read there. The keys
//! are their people's own. What the relay is told besides who reports is the id of the message and a hash that is the same
//! for all reports of one conversation.

use bytes::Bytes;
use prost::Message as _;
use qpq_crypto::{
    digest::sha256,
    hybrid::HybridPublic,
    report::{About, open_report, seal_report},
};
use qpq_proto::{
    Failure, Method,
    ids::Identity,
    limits::{OPENED_REPORTS_MAX, REASON_BYTES_MAX, REPORT_KEYS_MAX, REPORT_MESSAGES_BEFORE_MAX},
    v1::{
        AdministratorKey, DisclosedReport, FetchHybridKeyResponse, FetchReportsRequest, FetchReportsResponse,
        ListAdministratorsRequest, ListAdministratorsResponse, ListReportsRequest, ListReportsResponse,
        OpenReportsRequest, OpenReportsResponse, OpenedReport, Report, ReportMessageRequest,
        ReportMessageResponse, ReportToRelayRequest, ReportToRelayResponse, WaitRelayErrandResponse,
    },
};

use super::{
    RelayStep, decoded,
    errands::{State, in_words},
    key_of, request,
};
use crate::{
    context::Context, engine::Engine, identity::Me, input::RelayKey, introductions::is_hybrid_key_of,
    records::RelayRecord,
};

/// Reports that are asked for at once: they are held in memory until the owner has them.
const FETCHED_REPORTS: u32 = 8;

/// A report that is not sealed yet.
#[derive(Clone)]
pub(super) struct Draft {
    /// Channel that the relay is told, 16 bytes.
    channel: Vec<u8>,
    /// Message, 16 bytes.
    message: Vec<u8>,
    /// What is disclosed, encoded.
    report: Vec<u8>,
}

impl std::fmt::Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Draft").finish_non_exhaustive()
    }
}

impl Engine {
    pub(crate) fn report_to_relay(
        &mut self,
        cx: &mut Context<'_>,
        asked: &ReportToRelayRequest,
    ) -> Result<ReportToRelayResponse, Failure> {
        self.me()?;
        if asked.reason.len() > REASON_BYTES_MAX {
            let message = format!("a reason has at most {REASON_BYTES_MAX} bytes");
            return Err(Failure::bad_request("reason", message));
        }
        let before = usize::try_from(asked.before).unwrap_or(usize::MAX);
        if before > REPORT_MESSAGES_BEFORE_MAX {
            let message = format!("at most {REPORT_MESSAGES_BEFORE_MAX} messages before it are disclosed");
            return Err(Failure::bad_request("before", message));
        }
        let relay = self.relay_of(cx, &asked.relay)?;
        let (conversation, report) = self.disclose(cx, &asked.message_id, &asked.reason, before)?;
        let draft = Draft {
            channel: channel_of(&conversation),
            message: asked.message_id.clone(),
            report: report.encode_to_vec(),
        };
        let call = request(Method::ListAdministrators, &ListAdministratorsRequest {});
        let errand = self.begin_errand(cx, relay, State::Administrators(draft), call)?;
        Ok(ReportToRelayResponse { errand })
    }

    pub(crate) fn fetch_reports(
        &mut self,
        cx: &mut Context<'_>,
        asked: &FetchReportsRequest,
    ) -> Result<FetchReportsResponse, Failure> {
        self.me()?;
        let relay = self.relay_of(cx, &asked.relay)?;
        let list = ListReportsRequest { cursor: asked.cursor.clone(), limit: FETCHED_REPORTS };
        let errand = self.begin_errand(cx, relay, State::Fetching, request(Method::ListReports, &list))?;
        Ok(FetchReportsResponse { errand })
    }

    pub(crate) fn open_reports(
        &self,
        _: &Context<'_>,
        asked: &OpenReportsRequest,
    ) -> Result<OpenReportsResponse, Failure> {
        let me = self.me()?;
        if asked.reports.len() > OPENED_REPORTS_MAX {
            let message = format!("at most {OPENED_REPORTS_MAX} reports are opened at once");
            return Err(Failure::bad_request("reports", message));
        }
        let reports = asked.reports.iter().cloned().map(|report| opened(me, report)).collect();
        Ok(OpenReportsResponse { reports })
    }

    /// Whose hybrid key there is, and which of that person's it is; nothing before there is a person.
    #[must_use]
    pub fn hybrid_key_version(&self) -> Option<(Identity, u64)> {
        self.me.as_ref().map(|me| (me.identity.public(), me.device_list_sequence))
    }

    /// The key to which reports are sealed that are for this person.
    #[must_use]
    pub fn administrator_key(&self) -> Option<AdministratorKey> {
        let me = self.me.as_ref()?;
        let hybrid_key = FetchHybridKeyResponse {
            hybrid_public_key: me.hybrid.public().to_bytes().to_vec(),
            signature: me.hybrid_signature.clone(),
            sequence: me.device_list_sequence,
        };
        Some(AdministratorKey { identity_key: me.id(), hybrid_key: Some(hybrid_key) })
    }

    /// The relay that the owner names, or the only one.
    fn relay_of(&self, cx: &Context<'_>, named: &str) -> Result<RelayKey, Failure> {
        let record: RelayRecord = match named.trim() {
            "" => self.only_relay(cx)?,
            named => self.find_relay(cx, named)?,
        };
        key_of(&record.pin).ok_or_else(Failure::internal)
    }

    /// The relay has said who its administrators are: seals the report to them, and hands it in.
    pub(super) fn hand_in(
        &mut self,
        cx: &mut Context<'_>,
        (relay, number): (RelayKey, u64),
        draft: &Draft,
        payload: Bytes,
    ) -> State {
        match self.sealed(cx, draft, payload) {
            Ok((report, administrators)) => {
                let (channel_id, message_id) = (draft.channel.clone(), draft.message.clone());
                let report = ReportMessageRequest { channel_id, message_id, report, ..Default::default() };
                let call = request(Method::ReportMessage, &report);
                self.call_own_relay(cx, relay, call, RelayStep::Errand { number });
                State::Reporting(administrators)
            }
            Err(failure) => State::Ended(Err(failure)),
        }
    }

    fn sealed(&self, cx: &mut Context<'_>, draft: &Draft, payload: Bytes) -> Result<(Vec<u8>, u32), Failure> {
        let answer: ListAdministratorsResponse = decoded(payload).map_err(in_words)?;
        let mut administrators: Vec<_> = answer.administrators.iter().filter_map(authentic).collect();
        administrators.truncate(REPORT_KEYS_MAX);
        if administrators.is_empty() {
            return Err(Failure::not_found("nobody who administers this relay has a key for reports"));
        }
        let about = About { channel: &draft.channel, message: &draft.message };
        let sealed = seal_report(cx.rng, &self.me()?.identity, about, &draft.report, &administrators);
        let sealed = sealed.map_err(|error| Failure::bad_request("reason", error.to_string()))?;
        Ok((sealed, u32::try_from(administrators.len()).unwrap_or(u32::MAX)))
    }

    /// The relay has taken a report.
    pub(super) fn handed_in(administrators: u32, payload: Bytes) -> Result<WaitRelayErrandResponse, Failure> {
        let ReportMessageResponse { report_id } = decoded(payload).map_err(in_words)?;
        Ok(WaitRelayErrandResponse { done: true, report_id, administrators, ..Default::default() })
    }

    /// The relay has given a page of reports.
    pub(super) fn fetched_reports(&self, payload: Bytes) -> Result<WaitRelayErrandResponse, Failure> {
        let ListReportsResponse { reports, next } = decoded(payload).map_err(in_words)?;
        let me = self.me()?;
        let reports = reports.into_iter().take(OPENED_REPORTS_MAX).map(|report| opened(me, report)).collect();
        Ok(WaitRelayErrandResponse { done: true, reports, next, ..Default::default() })
    }
}

/// An administrator whose key is its own.
fn authentic(told: &AdministratorKey) -> Option<(Identity, HybridPublic)> {
    let key = told.hybrid_key.as_ref().filter(|key| is_hybrid_key_of(&told.identity_key, key))?;
    let identity = Identity::try_from(told.identity_key.as_slice()).ok()?;
    HybridPublic::from_bytes(&key.hybrid_public_key).ok().map(|public| (identity, public))
}

fn opened(me: &Me, report: Report) -> OpenedReport {
    let about = About { channel: &report.channel_id, message: &report.message_id };
    let read = open_report(&me.identity.public(), &me.hybrid, about, &report.report);
    let read = read.map_err(|error| error.to_string()).and_then(|opened| {
        let disclosed = DisclosedReport::decode(opened.report.as_slice());
        let disclosed = disclosed.map_err(|_| "what is disclosed is malformed".to_owned())?;
        Ok((opened.reporter.to_vec(), disclosed))
    });
    match read {
        Ok((signed_by, disclosed)) => {
            OpenedReport { report: Some(report), fault: String::new(), signed_by, disclosed: Some(disclosed) }
        }
        Err(fault) => OpenedReport { report: Some(report), fault, ..OpenedReport::default() },
    }
}

/// What a relay is told of a conversation: the same for each report, and not its id.
fn channel_of(conversation: &[u8]) -> Vec<u8> {
    sha256(&[b"qpq/v1/reported conversation", conversation])[..CHANNEL_BYTES].to_vec()
}

const CHANNEL_BYTES: usize = 16;
