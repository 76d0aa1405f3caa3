//! All routers on the contacts of one scenario, under some seeds.

use super::Figures;
use super::bound::Bound;
use crate::routers::RouterKind;
use crate::run::Buffers;
use crate::scenario::Scenario;

/// Who is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contender {
    /// A router with the buffers of the scenario.
    Router(RouterKind),
    /// Epidemic with unlimited buffers.
    Oracle,
}

impl Contender {
    /// Its name in tables and legends.
    pub fn name(self) -> &'static str {
        match self {
            Self::Router(router) => router.name(),
            Self::Oracle => "oracle",
        }
    }

    /// What is run for it.
    pub fn runs(self) -> (RouterKind, Buffers) {
        match self {
            Self::Router(router) => (router, Buffers::Scenario),
            Self::Oracle => (RouterKind::Epidemic, Buffers::Unlimited),
        }
    }
}

/// The figures of a scenario.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The scenario.
    pub scenario: Scenario,
    /// The runs of each contender, by seed.
    pub runs: Vec<(Contender, Vec<Figures>)>,
    /// The omniscient bound of each seed.
    pub bounds: Vec<Bound>,
}

impl Comparison {
    /// The runs of a contender; none if it did not take part.
    pub fn of(&self, contender: Contender) -> &[Figures] {
        let runs = self.runs.iter().find(|(other, _)| *other == contender);
        runs.map_or(&[], |(_, rows)| rows.as_slice())
    }
}

/// The mean of a figure; none if any run, or every one, lacks it.
pub fn mean<T>(rows: &[T], value: impl Fn(&T) -> Option<f64>) -> Option<f64> {
    let values: Vec<f64> = rows.iter().map(value).collect::<Option<_>>()?;
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
