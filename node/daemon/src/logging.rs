//! Logging to standard error, for a terminal, for journald or for a program.
//!
//! What is logged names no person, text, identity or secret; a node key appears shortened, at level debug.

use std::fmt;
use std::io::IsTerminal;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::{Format, Full, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

use crate::environment::Environment;
use crate::settings::LogFormat;

/// Changes the filter while the node runs.
#[derive(Debug, Clone)]
pub(crate) struct LogControl(reload::Handle<Targets, Registry>);

impl LogControl {
    /// From now on, only what passes this filter is logged.
    pub(crate) fn set_filter(&self, filter: Targets) {
        // It fails only when the subscriber is gone, and with it every log.
        let _ = self.0.reload(without_goodbyes(filter));
    }
}

/// Starts logging for the process. A process that logs already, such as a test's, goes on as it does.
pub(crate) fn start(filter: Targets, format: LogFormat, environment: &Environment) -> LogControl {
    let (filter, handle) = reload::Layer::new(without_goodbyes(filter));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines: Box<dyn Layer<_> + Send + Sync> = match format {
        LogFormat::Json => lines.json().boxed(),
        LogFormat::Text if environment.get("JOURNAL_STREAM").is_some() => {
            lines.with_ansi(false).event_format(ForJournal(Format::default().without_time())).boxed()
        }
        LogFormat::Text => {
            let in_colour = std::io::stderr().is_terminal() && environment.get("NO_COLOR").is_none();
            lines.with_ansi(in_colour).boxed()
        }
    };
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
    LogControl(handle)
}

/// The same without what iroh calls an error when a node stops, unless somebody wants to know what iroh does.
fn without_goodbyes(filter: Targets) -> Targets {
    match filter.iter().any(|(target, _)| target.starts_with("iroh::")) {
        true => filter,
        false => filter.with_target("iroh::socket::transports::relay", LevelFilter::OFF),
    }
}

/// Lines that begin with the priority, as journald reads it from standard error (sd-daemon(3)); it adds the
/// time itself.
struct ForJournal(Format<Full, ()>);

impl<S, N> FormatEvent<S, N> for ForJournal
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        write!(writer, "<{}>", priority(*event.metadata().level()))?;
        self.0.format_event(context, writer, event)
    }
}

/// The priority of syslog(3).
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn journald_gets_a_priority_and_no_time() {
        let lines = Lines::default();
        let written = lines.clone();
        let layer = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .event_format(ForJournal(Format::default().without_time()))
            .with_writer(move || written.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::error!(target: "qpqd", code = 7, "broken");
            tracing::info!(target: "qpqd", "fine");
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text, "<3>ERROR qpqd: broken code=7\n<6> INFO qpqd: fine\n");
    }

    #[test]
    fn the_filter_can_be_changed() {
        let (filter, handle) = reload::Layer::new("error".parse::<Targets>().unwrap());
        let _registry = tracing_subscriber::registry().with(filter);
        for (wanted, in_force) in [
            ("debug", "iroh::socket::transports::relay=off,debug"),
            ("iroh::socket=debug,error", "iroh::socket=debug,error"),
        ] {
            LogControl(handle.clone()).set_filter(wanted.parse().unwrap());
            assert_eq!(handle.with_current(ToString::to_string).unwrap(), in_force);
        }
    }
}
