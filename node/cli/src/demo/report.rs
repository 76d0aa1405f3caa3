//! Telling the story: each step as it happens, and a table of all of them in the end.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::exit::Error;
use crate::output::{Output, Show, Style, columns};

/// What a step showed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// What a person reads, in one or more lines.
    pub(super) text: String,
    /// It happened in another way than it should, for a reason outside of the nodes.
    pub(super) otherwise: bool,
}

impl Seen {
    /// It happened.
    pub(super) fn ok(text: impl Into<String>) -> Self {
        Self { text: text.into(), otherwise: false }
    }

    /// It happened in another way.
    pub(super) fn otherwise(text: impl Into<String>) -> Self {
        Self { text: text.into(), otherwise: true }
    }
}

/// The story so far.
#[derive(Debug)]
pub(super) struct Report {
    output: Output,
    started: Instant,
    steps: Vec<StepView>,
}

impl Report {
    /// Nothing has happened.
    pub(super) fn new(output: Output) -> Self {
        Self { output, started: Instant::now(), steps: Vec::new() }
    }

    /// Says something beside the steps.
    pub(super) fn say(&self, text: &str) -> Result<(), Error> {
        if self.output.is_json() { Ok(()) } else { self.output.write(text) }
    }

    /// Does one step, and tells what it showed and how long it took. What takes longer than `limit` has failed.
    pub(super) async fn step(
        &mut self,
        title: &'static str,
        limit: Duration,
        work: impl Future<Output = Result<Seen, Error>>,
    ) -> Result<(), Error> {
        let number = self.steps.len() + 1;
        let heading = self.output.style().bold(&format!("{number}. {title}"));
        self.say(&format!("\n{heading}"))?;
        let started = Instant::now();
        let result = tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
            Err(Error::TimedOut(format!("\"{title}\" took longer than {} seconds", limit.as_secs())))
        });
        let step = StepView::new(number, title, started.elapsed(), &result);
        self.say(&indent(&step.text))?;
        if self.output.is_json() {
            self.output.show(&step)?;
        }
        self.steps.push(step);
        result.map(|_| ())
    }

    /// Shows what was shown and how long each step took.
    pub(super) fn finish(self, all_happened: bool) -> Result<(), Error> {
        self.say("")?;
        let total_ms = ms(self.started.elapsed());
        self.output.show(&ReportView { all_happened, total_ms, steps: self.steps })
    }
}

/// One step, done.
#[derive(Debug, Serialize)]
struct StepView {
    step: usize,
    title: &'static str,
    /// `ok`, `otherwise` or `failed`.
    outcome: &'static str,
    ms: u64,
    text: String,
}

impl StepView {
    fn new(step: usize, title: &'static str, took: Duration, result: &Result<Seen, Error>) -> Self {
        let (outcome, text) = match result {
            Ok(seen) if seen.otherwise => ("otherwise", seen.text.clone()),
            Ok(seen) => ("ok", seen.text.clone()),
            Err(error) => ("failed", error.to_string()),
        };
        Self { step, title, outcome, ms: ms(took), text }
    }
}

impl Show for StepView {
    const SCHEMA: &'static str = "qpq.demo-step/1";

    fn human(&self, _style: &Style) -> String {
        self.text.clone()
    }
}

/// All of it.
#[derive(Debug, Serialize)]
struct ReportView {
    all_happened: bool,
    total_ms: u64,
    steps: Vec<StepView>,
}

impl Show for ReportView {
    const SCHEMA: &'static str = "qpq.demo/1";

    fn human(&self, style: &Style) -> String {
        let row = |step: &StepView| {
            let outcome = match step.outcome {
                "failed" => style.severity("fail"),
                "otherwise" => style.severity("warn"),
                _ => style.severity("ok"),
            };
            [outcome, step.title.to_owned(), format!("{:>9}", seconds(step.ms))]
        };
        let table = columns(&self.steps.iter().map(row).collect::<Vec<_>>());
        let verdict = if self.all_happened { "All of it happened" } else { "Not all of it happened" };
        format!("{}\n{table}\n{verdict}, in {}.", style.bold("What was shown"), seconds(self.total_ms))
    }
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03} s", ms / 1_000, ms % 1_000)
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("   {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{PLAIN, to_json};

    fn view() -> ReportView {
        let steps = vec![
            StepView::new(1, "Start", Duration::from_millis(412), &Ok(Seen::ok("three"))),
            StepView::new(
                2,
                "Find each other",
                Duration::from_millis(8_000),
                &Ok(Seen::otherwise("by links")),
            ),
            StepView::new(3, "Talk", Duration::from_secs(20), &Err(Error::TimedOut("nothing came".into()))),
        ];
        ReportView { all_happened: false, total_ms: 28_412, steps }
    }

    #[test]
    fn the_table_in_the_end() {
        assert_eq!(
            view().human(&PLAIN),
            "What was shown\nok    Start              0.412 s\nwarn  Find each other    8.000 s\nfail  Talk              \
             20.000 s\nNot all of it happened, in 28.412 s."
        );
    }

    #[test]
    fn json_of_the_report() {
        let json: serde_json::Value = serde_json::from_str(&to_json(&view()).unwrap()).unwrap();
        assert_eq!(json["schema"], "qpq.demo/1");
        assert_eq!(json["all_happened"], false);
        assert_eq!(json["steps"][1]["outcome"], "otherwise");
        assert_eq!(json["steps"][2]["text"], "nothing came");
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_that_takes_too_long_has_failed() {
        let mut report = Report::new(Output::new(true));
        let never = std::future::pending();
        let error = report.step("Wait", Duration::from_secs(3), never).await.unwrap_err();
        assert_eq!(error.to_string(), "\"Wait\" took longer than 3 seconds");
        assert_eq!(report.steps[0].outcome, "failed");
    }

    #[test]
    fn every_line_of_a_step_is_indented() {
        assert_eq!(indent("a\nb"), "   a\n   b");
    }
}
