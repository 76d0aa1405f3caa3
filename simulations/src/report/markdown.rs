//! Tables of comparisons, as Markdown for the book.

use std::fmt::Write as _;

use super::Figures;
use super::bound::Bound;
use super::comparison::{Comparison, Contender, mean};
use super::targets::targets;

/// A section: the table of all routers, and the targets.
pub fn section(comparison: &Comparison) -> String {
    let seeds: Vec<String> = comparison.bounds.iter().map(|bound| bound.seed.to_string()).collect();
    let seeds = match seeds.as_slice() {
        [first, .., last] => format!("means of seeds {first} to {last}"),
        _ => format!("seed {}", seeds.concat()),
    };
    let scenario = &comparison.scenario;
    let mut text =
        format!("### {}\n\n{}: {} nodes, {seeds}.\n\n", scenario.name, scenario.about, nodes(comparison));
    text += &table(comparison);
    let targets = targets(comparison);
    if !targets.is_empty() {
        text += "\n| target | found | |\n|---|---|---|\n";
    }
    for target in targets {
        _ = writeln!(text, "| {} | {} | **{}** |", target.aim, target.found, target.verdict.name());
    }
    text + "\n"
}

fn nodes(comparison: &Comparison) -> usize {
    comparison.scenario.node_count()
}

fn table(comparison: &Comparison) -> String {
    let mut text = "| router | ratio | lowest to highest | median min | p95 min | transmissions | MB | overhead | KB per \
                    delivered | held MB, mean | held MB, most | violations |\n\
                    |---|---|---|---|---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for (contender, rows) in &comparison.runs {
        text += &line(*contender, rows);
    }
    text + &bound_line(&comparison.bounds)
}

fn line(contender: Contender, rows: &[Figures]) -> String {
    let count = |value: fn(&Figures) -> u64| mean(rows, |row| Some(value(row) as f64));
    let cells = [
        contender.name().to_owned(),
        cell(mean(rows, |row| Some(row.ratio)), 1.0, 4),
        spread(rows.iter().map(|row| row.ratio)),
        cell(mean(rows, |row| row.median_delay_s), 60.0, 1),
        cell(mean(rows, |row| row.p95_delay_s), 60.0, 1),
        cell(count(|row| row.transmissions), 1.0, 0),
        cell(count(|row| row.bytes), 1e6, 1),
        cell(mean(rows, |row| row.overhead), 1.0, 2),
        cell(mean(rows, |row| row.bytes_per_delivered), 1e3, 1),
        cell(count(|row| row.held_mean_bytes), 1e6, 2),
        cell(rows.iter().map(|row| row.peak_bytes as f64).reduce(f64::max), 1e6, 2),
        rows.iter().map(|row| row.violations).sum::<u64>().to_string(),
    ];
    format!("| {} |\n", cells.join(" | "))
}

fn bound_line(bounds: &[Bound]) -> String {
    let cells = [
        cell(mean(bounds, |bound| Some(bound.ratio)), 1.0, 4),
        spread(bounds.iter().map(|bound| bound.ratio)),
        cell(mean(bounds, |bound| bound.median_delay_s), 60.0, 1),
        cell(mean(bounds, |bound| bound.p95_delay_s), 60.0, 1),
    ];
    format!("| bound | {} | | | | | | | |\n", cells.join(" | "))
}

fn cell(value: Option<f64>, unit: f64, digits: usize) -> String {
    value.map_or("-".into(), |value| format!("{:.digits$}", value / unit))
}

fn spread(values: impl Iterator<Item = f64> + Clone) -> String {
    let least = values.clone().reduce(f64::min);
    let most = values.reduce(f64::max);
    format!("{} to {}", cell(least, 1.0, 4), cell(most, 1.0, 4))
}
