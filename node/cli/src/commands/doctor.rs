//! `qpq doctor`: checks that end in ok, warn or fail, each with one command that helps. Works without a daemon, and
//! says then why there is none.

mod places;

use qpq_proto::v1;
use serde::Serialize;

use self::places::{check_data_dir, check_disk, check_socket};
use crate::connect::Daemon;
use crate::context::Context;
use crate::exit::{Error, Exit};
use crate::output::{Show, Style, columns};
use crate::printable::printable;

/// Runs the checks.
pub(crate) async fn run(context: &Context) -> Result<(), Error> {
    let mut checks = match context.location() {
        Ok(location) => {
            vec![check_data_dir(&location), check_disk(&location.data_dir), check_socket(&location)]
        }
        Err(error) => vec![Check::of_error("settings", &error)],
    };
    let mut health = Vec::new();
    match context.daemon().await {
        Ok(daemon) => {
            let (checked, items) = check_daemon(&daemon).await;
            checks.extend(checked);
            health = items;
        }
        Err(error) => checks.push(Check::of_error("daemon", &error)),
    }
    let view = DoctorView::from(with_health(without_repetition(checks), health));
    context.output.show(&view)?;
    if view.outcome == Outcome::Fail { Err(Error::Said(Exit::Negative)) } else { Ok(()) }
}

/// What the daemon checks as well is taken from it: it sees its own files.
fn without_repetition(checks: Vec<Check>) -> Vec<Check> {
    let mut kept: Vec<Check> = Vec::new();
    for check in checks {
        match kept.iter_mut().find(|known| known.name == check.name) {
            Some(known) => *known = check,
            None => kept.push(check),
        }
    }
    kept
}

/// What the status shows as wrong and no check has found.
fn with_health(mut checks: Vec<Check>, health: Vec<v1::HealthItem>) -> Vec<Check> {
    let is_found = |name: &str| checks.iter().any(|check| check.name == name);
    let is_new = |item: &v1::HealthItem| match item.code.as_str() {
        // The check of the identity says that there is none.
        "no-identity" => !is_found("identity"),
        code => !is_found(code),
    };
    let found: Vec<Check> = health.into_iter().filter(is_new).map(Check::from).collect();
    checks.extend(found);
    checks
}

/// The checks that need the daemon: its version, and what it says about itself; and its health.
async fn check_daemon(daemon: &Daemon) -> (Vec<Check>, Vec<v1::HealthItem>) {
    let mut checks = Vec::new();
    let mut health = Vec::new();
    match daemon.node_status(&v1::NodeStatusRequest {}).await {
        Ok(status) => {
            checks.push(check_version(&status.version, env!("CARGO_PKG_VERSION")));
            health = status.health;
        }
        Err(error) => checks.push(Check::of_error("daemon", &error.into())),
    }
    match daemon.diagnose(&v1::DiagnoseRequest {}).await {
        Ok(answer) => checks.extend(answer.checks.into_iter().map(Check::from)),
        Err(error) => checks.push(Check::of_error("diagnosis", &error.into())),
    }
    (checks, health)
}

fn check_version(daemon: &str, own: &str) -> Check {
    if daemon == own {
        return Check::ok("daemon", format!("qpqd {daemon} answers"));
    }
    Check::new(
        "daemon",
        Outcome::Warn,
        format!("qpqd is {daemon}, qpq is {own}"),
        "systemctl --user restart qpqd",
    )
}

/// How a check ended, in the order of severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Ok,
    Warn,
    Fail,
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One check.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Check {
    name: String,
    outcome: Outcome,
    text: String,
    fix: String,
}

impl Check {
    fn new(name: &str, outcome: Outcome, text: String, fix: &str) -> Self {
        Self { name: name.to_owned(), outcome, text, fix: fix.to_owned() }
    }

    fn ok(name: &str, text: String) -> Self {
        Self::new(name, Outcome::Ok, text, "")
    }

    fn of_error(name: &str, error: &Error) -> Self {
        Self::new(name, Outcome::Fail, error.to_string(), error.fix().unwrap_or("qpqd --check-config"))
    }
}

impl From<v1::Check> for Check {
    fn from(check: v1::Check) -> Self {
        let outcome = match check.outcome.as_str() {
            "ok" => Outcome::Ok,
            "fail" => Outcome::Fail,
            _ => Outcome::Warn,
        };
        Self { name: check.name, outcome, text: check.text, fix: check.fix }
    }
}

impl From<v1::HealthItem> for Check {
    fn from(item: v1::HealthItem) -> Self {
        let outcome = if item.severity == "error" { Outcome::Fail } else { Outcome::Warn };
        let text = if item.text.is_empty() { item.title } else { format!("{}: {}", item.title, item.text) };
        Self { name: item.code, outcome, text, fix: item.fix }
    }
}

/// What was found.
#[derive(Debug, Serialize)]
struct DoctorView {
    outcome: Outcome,
    checks: Vec<Check>,
}

impl From<Vec<Check>> for DoctorView {
    fn from(checks: Vec<Check>) -> Self {
        Self { outcome: checks.iter().map(|check| check.outcome).max().unwrap_or(Outcome::Ok), checks }
    }
}

impl Show for DoctorView {
    const SCHEMA: &'static str = "qpq.doctor/1";

    fn human(&self, style: &Style) -> String {
        let mut rows = Vec::new();
        for check in &self.checks {
            let outcome = style.severity(check.outcome.word());
            rows.push([outcome, printable(&check.name).into_owned(), printable(&check.text).into_owned()]);
            if !check.fix.is_empty() {
                rows.push([String::new(), String::new(), format!("try: {}", printable(&check.fix))]);
            }
        }
        columns(&rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{PLAIN, to_json};

    #[test]
    fn what_the_status_shows_as_wrong_is_not_called_well() {
        let item = |code: &str, severity: &str| v1::HealthItem {
            code: code.into(),
            title: "@bob".into(),
            severity: severity.into(),
            ..Default::default()
        };
        let disk = Check::new("disk", Outcome::Warn, "little is free".into(), "df");
        let items = vec![item("disk", "warning"), item("mismatch", "error"), item("mismatch", "error")];
        let checks = with_health(vec![disk], items);
        let shown: Vec<_> = checks.iter().map(|check| (check.name.as_str(), check.outcome)).collect();
        let mismatch = ("mismatch", Outcome::Fail);
        assert_eq!(shown, [("disk", Outcome::Warn), mismatch, mismatch]);
    }

    #[test]
    fn the_worst_outcome_counts() {
        let warn = Check::new("a", Outcome::Warn, "hm".into(), "do");
        let view = DoctorView::from(vec![Check::ok("b", "fine".into()), warn]);
        assert_eq!(view.outcome, Outcome::Warn);
        assert_eq!(view.human(&PLAIN), "ok    b  fine\nwarn  a  hm\n         try: do");
        let json = to_json(&view).unwrap();
        assert!(json.starts_with(
            r#"{"schema":"qpq.doctor/1","outcome":"warn","checks":[{"name":"b","outcome":"ok","#
        ));
        assert_eq!(DoctorView::from(Vec::new()).outcome, Outcome::Ok);
    }

    #[test]
    fn what_the_daemon_says_too_is_shown_once() {
        let check = |name: &str, text: &str| Check::ok(name, text.into());
        let checks =
            vec![check("data-directory", "ours"), check("socket", "ours"), check("data-directory", "its")];
        let kept = without_repetition(checks);
        assert_eq!(kept, [check("data-directory", "its"), check("socket", "ours")]);
    }

    #[test]
    fn the_daemon_s_own_checks_are_taken_over() {
        let check = |outcome: &str| v1::Check {
            name: "clock".into(),
            outcome: outcome.into(),
            text: String::new(),
            fix: String::new(),
        };
        for (word, outcome) in
            [("ok", Outcome::Ok), ("warn", Outcome::Warn), ("fail", Outcome::Fail), ("?", Outcome::Warn)]
        {
            assert_eq!(Check::from(check(word)).outcome, outcome);
        }
        assert_eq!(check_version("0.1.0", "0.1.0").outcome, Outcome::Ok);
        assert_eq!(check_version("0.2.0", "0.1.0").outcome, Outcome::Warn);
    }
}
