//! What the kernel counts of a process.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use anyhow::Context as _;
use qpq_tests::Node;

/// One reading.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counters {
    /// Memory that is resident, and of that what is no file, bytes.
    pub(crate) resident: u64,
    pub(crate) anonymous: u64,
    /// Time on a processor, ms.
    pub(crate) processor_ms: u64,
    /// Given to files by calls, and pages made to be written to storage, bytes.
    pub(crate) handed: u64,
    pub(crate) paged: u64,
    /// What went over the loopback interface, whoever it belongs to, bytes.
    pub(crate) loopback: u64,
}

impl Counters {
    pub(crate) fn of(node: &Node) -> anyhow::Result<Self> {
        let folder = format!("/proc/{}", node.process_id());
        let status = fs::read_to_string(format!("{folder}/status"))?;
        let io = fs::read_to_string(format!("{folder}/io"))?;
        let stat = fs::read_to_string(format!("{folder}/stat"))?;
        let ticks_per_s = rustix::param::clock_ticks_per_second();
        Ok(Self {
            resident: number(&status, "VmRSS:")? * 1024,
            anonymous: number(&status, "RssAnon:")? * 1024,
            processor_ms: ticks(&stat).context("no processor time")? * 1000 / ticks_per_s,
            handed: number(&io, "wchar:")?,
            paged: number(&io, "write_bytes:")?,
            loopback: loopback().context("no loopback interface")?,
        })
    }
}

/// User and system time are the 14th and 15th field; the second may have any characters, in brackets.
fn ticks(stat: &str) -> Option<u64> {
    let (_, after) = stat.rsplit_once(')')?;
    let mut fields = after.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

fn number(text: &str, name: &str) -> anyhow::Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let value = line.with_context(|| format!("the kernel does not tell {name}"))?;
    Ok(value.trim().trim_end_matches(" kB").parse()?)
}

fn loopback() -> Option<u64> {
    let devices = fs::read_to_string("/proc/net/dev").ok()?;
    let line = devices.lines().find_map(|line| line.trim_start().strip_prefix("lo:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// What readings over some time say, for people. What went over the loopback interface is told of neighbours, if there
/// are any.
pub(crate) fn summary(readings: &[Counters], time: Duration, neighbours: u64) -> String {
    let [first, .., last] = readings else { return "  too short".to_owned() };
    let seconds = time.as_secs_f64();
    let resident: Vec<u64> = readings.iter().map(|reading| reading.resident / 1024).collect();
    let quarter = resident.len().div_ceil(4);
    let mean = |part: &[u64]| part.iter().sum::<u64>() / part.len().max(1) as u64;
    let kb_an_hour = |before: u64, after: u64| (after - before) as f64 * 3.6 / seconds;
    let mut text = format!(
        "  resident {} KiB in the first quarter, {} in the last, {} at most; anonymous {} KiB\n  \
         processor {:.2} % of one core\n  \
         writes an hour: {:.0} kB in calls, {:.0} kB in pages",
        mean(&resident[..quarter]),
        mean(&resident[resident.len() - quarter..]),
        resident.iter().max().unwrap_or(&0),
        last.anonymous / 1024,
        (last.processor_ms - first.processor_ms) as f64 / 10.0 / seconds,
        kb_an_hour(first.handed, last.handed),
        kb_an_hour(first.paged, last.paged)
    );
    if neighbours > 0 {
        let bytes = (last.loopback - first.loopback) as f64 / seconds / neighbours as f64;
        let _ =
            write!(text, "\n  over the loopback interface, both ways: {bytes:.0} bytes/s for each neighbour");
    }
    text
}
