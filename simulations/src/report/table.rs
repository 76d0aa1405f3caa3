//! Figures for people.

use super::Figures;

/// A table, one line a row, with the mean of each router if there are several seeds.
pub fn table(rows: &[Figures]) -> String {
    let mut text = format!(
        "{:<18} {:<9} {:>5} {:>7} {:>10} {:>10} {:>13} {:>10} {:>9} {:>10} {:>7}\n",
        "scenario",
        "router",
        "seed",
        "ratio",
        "median",
        "p95",
        "transmissions",
        "MB",
        "overhead",
        "violations",
        "wall"
    );
    let mut routers: Vec<_> = rows.iter().map(|row| (row.scenario.clone(), row.router)).collect();
    routers.dedup();
    for row in rows {
        text += &line(row, &row.seed.to_string());
    }
    for (scenario, router) in routers {
        let of: Vec<&Figures> =
            rows.iter().filter(|row| row.router == router && row.scenario == scenario).collect();
        if of.len() > 1 {
            text += &line(&mean(&of), "mean");
        }
    }
    text
}

fn line(row: &Figures, seed: &str) -> String {
    let unlimited = if row.buffers == crate::run::Buffers::Unlimited { "*" } else { "" };
    format!(
        "{:<18} {:<9} {:>5} {:>7.4} {:>10} {:>10} {:>13} {:>10.1} {:>9} {:>10} {:>6.1}s\n",
        row.scenario,
        format!("{}{unlimited}", row.router.name()),
        seed,
        row.ratio,
        minutes(row.median_delay_s),
        minutes(row.p95_delay_s),
        row.transmissions,
        row.bytes as f64 / 1e6,
        row.overhead.map_or("-".into(), |overhead| format!("{overhead:.2}")),
        row.violations,
        row.wall_s,
    )
}

fn minutes(seconds: Option<f64>) -> String {
    seconds.map_or("-".into(), |seconds| format!("{:.1} min", seconds / 60.0))
}

/// The mean of every figure over some runs, of which there is one at least.
fn mean(rows: &[&Figures]) -> Figures {
    let count = rows.len() as f64;
    let of = |value: fn(&Figures) -> f64| rows.iter().map(|row| value(row)).sum::<f64>() / count;
    let some = |value: fn(&Figures) -> Option<f64>| {
        let values: Option<Vec<f64>> = rows.iter().map(|row| value(row)).collect();
        values.map(|values| values.iter().sum::<f64>() / count)
    };
    Figures {
        ratio: of(|row| row.ratio),
        median_delay_s: some(|row| row.median_delay_s),
        p95_delay_s: some(|row| row.p95_delay_s),
        transmissions: whole(of(|row| row.transmissions as f64)),
        bytes: whole(of(|row| row.bytes as f64)),
        overhead: some(|row| row.overhead),
        violations: rows.iter().map(|row| row.violations).sum(),
        wall_s: of(|row| row.wall_s),
        ..rows[0].clone()
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the mean of counts")]
fn whole(value: f64) -> u64 {
    value.round() as u64
}
