//! Whether two sets of times differ.

use std::time::Duration;

/// Times of the answers, nanoseconds.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    /// About people who are there.
    there: Vec<f64>,
    /// About people who are not.
    absent: Vec<f64>,
}

impl Samples {
    /// An answer took so long.
    pub(crate) fn add(&mut self, is_there: bool, took: Duration) {
        let times = if is_there { &mut self.there } else { &mut self.absent };
        times.push(took.as_secs_f64() * 1e9);
    }

    /// One line of the table.
    pub(crate) fn print(mut self, name: &str) {
        let samples = self.there.len() + self.absent.len();
        let whole = welch(&self.there, &self.absent);
        let medians = [&mut self.there, &mut self.absent].map(|times| {
            times.sort_by(f64::total_cmp);
            times.get(times.len() / 2).copied().unwrap_or(f64::NAN) / 1_000.0
        });
        let most = |times: &[f64]| times.len() / 10 * 9;
        let quick = welch(&self.there[..most(&self.there)], &self.absent[..most(&self.absent)]);
        println!("{name:<28}{samples:>10}{:>14.1}{:>14.1}{whole:>9.2}{quick:>9.2}", medians[0], medians[1]);
    }
}

/// The difference of the means in units of its standard error (B. L. Welch, "The generalization of Student's problem when
/// several different population variances are involved", Biometrika 34, 1947).
fn welch(one: &[f64], other: &[f64]) -> f64 {
    let ((mean, error), (other_mean, other_error)) = (mean(one), mean(other));
    (mean - other_mean) / (error + other_error).sqrt()
}

/// The mean, and the square of its standard error.
fn mean(values: &[f64]) -> (f64, f64) {
    #[expect(clippy::cast_precision_loss, reason = "there are far fewer samples")]
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, squares / (count - 1.0) / count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_that_differ_are_told_apart_and_those_that_do_not_are_not() {
        let around = |middle: f64| (0..1_000).map(|step| middle + f64::from(step % 10)).collect::<Vec<_>>();
        assert!(welch(&around(100.0), &around(100.0)).abs() < 0.001);
        assert!(welch(&around(101.0), &around(100.0)) > 4.5);
        assert!(welch(&around(100.0), &around(101.0)) < -4.5);
        let (mean, error) = mean(&[1.0, 2.0, 3.0]);
        assert!((mean - 2.0).abs() < 1e-9 && (error - 1.0 / 3.0).abs() < 1e-9);
    }
}
