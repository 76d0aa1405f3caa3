//! `qpq relay reports`: what was reported to the administrators of a relay, opened.

use std::time::Duration;

use qpq_proto::limits::OPENED_REPORTS_MAX;
use qpq_proto::v1;
use serde::Serialize;

use super::report::wait;
use crate::connect::Daemon;
use crate::durations;
use crate::exit::Error;
use crate::output::{Output, Show, Style};
use crate::printable::printable;
use crate::views::hex;

/// Whose reports.
#[derive(Debug, clap::Args)]
pub(crate) struct ReportsArgs {
    /// Those of a relay that you administer from afar: its link, its host, or the start of its pin. Without it those of
    /// the relay that this node is, or else of your only relay.
    #[arg(long, value_name = "LINK")]
    relay: Option<String>,
    /// How long to wait at most for each page of another node's relay, such as 30s or 5m.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = durations::parse)]
    timeout: Duration,
}

pub(super) async fn list(daemon: &Daemon, output: &Output, args: ReportsArgs) -> Result<(), Error> {
    let status = daemon.node_status(&v1::NodeStatusRequest {}).await?;
    let is_relay = status.roles.iter().any(|role| role == "relay");
    let reports = match args.relay {
        None if is_relay => own(daemon, !status.identities.is_empty()).await?,
        relay => from_afar(daemon, &relay.unwrap_or_default(), args.timeout).await?,
    };
    output.show(&ReportsView::from(reports))
}

/// The reports of the relay that the node is, opened with the key of the person who is at home on it, if there is one.
async fn own(daemon: &Daemon, has_person: bool) -> Result<Vec<v1::OpenedReport>, Error> {
    let (mut all, mut request) =
        (Vec::new(), v1::ListRelayReportsRequest { limit: PAGE, ..Default::default() });
    loop {
        let page = daemon.list_relay_reports(&request).await?;
        all.extend(match has_person {
            true => daemon.open_reports(&v1::OpenReportsRequest { reports: page.reports }).await?.reports,
            false => page.reports.into_iter().map(unopened).collect(),
        });
        if page.next.is_empty() {
            return Ok(all);
        }
        request.cursor = page.next;
    }
}

fn unopened(report: v1::Report) -> v1::OpenedReport {
    let fault = "nobody is at home on this node who could open it: `qpq init`".to_owned();
    v1::OpenedReport { report: Some(report), fault, ..v1::OpenedReport::default() }
}

async fn from_afar(daemon: &Daemon, relay: &str, timeout: Duration) -> Result<Vec<v1::OpenedReport>, Error> {
    let (mut all, mut cursor) = (Vec::new(), Vec::new());
    loop {
        let request = v1::FetchReportsRequest { relay: relay.to_owned(), cursor };
        let begun = daemon.fetch_reports(&request).await?;
        let page = wait(daemon, begun.errand, timeout).await?;
        all.extend(page.reports);
        if page.next.is_empty() {
            return Ok(all);
        }
        cursor = page.next;
    }
}

/// What was reported.
#[derive(Debug, Serialize)]
struct ReportsView {
    reports: Vec<ReportView>,
}

#[derive(Debug, Serialize)]
struct ReportView {
    id: String,
    /// As the relay says; empty once the account was deleted.
    reporter: String,
    channel: String,
    message: String,
    /// Sealed to the administrators, in hexadecimal.
    report: String,
    franking_proof: String,
    reported_at_ms: u64,
    /// Why it cannot be opened; empty if it was.
    fault: String,
    /// Who signed it.
    signed_by: String,
    reason: String,
    /// What was disclosed, oldest first; the last is what is reported.
    messages: Vec<DisclosedView>,
}

#[derive(Debug, Serialize)]
struct DisclosedView {
    id: String,
    from: String,
    sent_at_ms: u64,
    text: String,
    cut: bool,
}

impl From<Vec<v1::OpenedReport>> for ReportsView {
    fn from(reports: Vec<v1::OpenedReport>) -> Self {
        Self { reports: reports.into_iter().map(ReportView::from).collect() }
    }
}

impl From<v1::OpenedReport> for ReportView {
    fn from(opened: v1::OpenedReport) -> Self {
        let (report, disclosed) = (opened.report.unwrap_or_default(), opened.disclosed.unwrap_or_default());
        Self {
            id: hex(&report.report_id),
            reporter: hex(&report.reporter),
            channel: hex(&report.channel_id),
            message: hex(&report.message_id),
            report: hex(&report.report),
            franking_proof: hex(&report.franking_proof),
            reported_at_ms: report.reported_at_ms,
            fault: opened.fault,
            signed_by: hex(&opened.signed_by),
            reason: disclosed.reason,
            messages: disclosed.messages.into_iter().map(DisclosedView::from).collect(),
        }
    }
}

impl From<v1::DisclosedMessage> for DisclosedView {
    fn from(message: v1::DisclosedMessage) -> Self {
        Self {
            id: hex(&message.message_id),
            from: hex(&message.sender),
            sent_at_ms: message.sent_at_ms,
            text: message.text,
            cut: message.cut,
        }
    }
}

impl ReportView {
    fn who(&self) -> String {
        match (self.reporter.as_str(), self.signed_by.as_str()) {
            ("", "") => "by somebody who has gone".to_owned(),
            ("", signed_by) => format!("by {signed_by}, who has gone"),
            (reporter, signed_by) if signed_by.is_empty() || signed_by == reporter => {
                format!("by {reporter}")
            }
            (reporter, signed_by) => format!("by {signed_by}, HANDED IN BY {reporter}"),
        }
    }

    fn lines(&self, style: &Style) -> Vec<String> {
        let at = style.zone.date_time(self.reported_at_ms);
        let mut lines = vec![format!("{}  {}  {}", style.bold(&self.id), at, self.who())];
        if !self.fault.is_empty() {
            lines.push(format!("  not opened: {}", printable(&self.fault)));
            return lines;
        }
        if !self.reason.is_empty() {
            lines.push(format!("  reason: {}", printable(&self.reason)));
        }
        for message in &self.messages {
            let end = if message.cut { " …" } else { "" };
            let at = style.zone.date_time(message.sent_at_ms);
            lines.push(format!("  {at}  {}: {}{end}", message.from, printable(&message.text)));
        }
        lines
    }
}

impl Show for ReportsView {
    const SCHEMA: &'static str = "qpq.relay-reports/1";

    fn human(&self, style: &Style) -> String {
        if self.reports.is_empty() {
            return "Nothing was reported.".to_owned();
        }
        let lines: Vec<String> = self.reports.iter().flat_map(|report| report.lines(style)).collect();
        lines.join("\n")
    }
}

/// Asked for at once: as many as are opened at once.
#[expect(clippy::cast_possible_truncation, reason = "far below 2^32")]
const PAGE: u32 = OPENED_REPORTS_MAX as u32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::times::Zone;

    const PLAIN: Style = Style { colour: false, signs: false, zone: Zone::Universal };

    fn shown(reporter: u8, signed_by: u8, fault: &str) -> String {
        let key = |number: u8| if number == 0 { Vec::new() } else { vec![number; 2] };
        let text = "buy\x1b this".to_owned();
        let message = v1::DisclosedMessage { sender: vec![3; 2], text, cut: true, ..Default::default() };
        let disclosed = v1::DisclosedReport { reason: "spam".into(), messages: vec![message] };
        let report = v1::Report { report_id: vec![9; 2], reporter: key(reporter), ..v1::Report::default() };
        ReportsView::from(vec![v1::OpenedReport {
            report: Some(report),
            fault: fault.into(),
            signed_by: key(signed_by),
            disclosed: Some(disclosed).filter(|_| fault.is_empty()),
        }])
        .human(&PLAIN)
    }

    #[test]
    fn what_was_disclosed_stands_below_each_report() {
        let lines = shown(1, 1, "");
        let lines: Vec<&str> = lines.lines().collect();
        assert!(lines[0].starts_with("0909  ") && lines[0].ends_with("by 0101"), "{}", lines[0]);
        assert_eq!(lines[1], "  reason: spam");
        assert!(lines[2].contains("0303: buy") && lines[2].ends_with(" this …"), "{}", lines[2]);
        assert!(!lines[2].contains('\x1b'));
    }

    #[test]
    fn a_report_in_another_s_hand_and_one_that_stays_shut_say_so() {
        assert!(shown(2, 1, "").contains("by 0101, HANDED IN BY 0202"));
        assert!(shown(0, 1, "").contains("by 0101, who has gone"));
        let shut = shown(2, 0, "sealed to others");
        assert!(shut.ends_with("by 0202\n  not opened: sealed to others"), "{shut}");
        assert_eq!(ReportsView::from(Vec::new()).human(&PLAIN), "Nothing was reported.");
    }
}
