//! Watching the code of carriers run, for what counts their memory.

use std::fmt;
use std::sync::Arc;

use crate::time::Time;

/// Is there whenever a carrier works.
pub trait Watch: fmt::Debug + Send + Sync {
    /// A carrier works at this moment: calls `work`, once.
    fn around(&self, now: Time, work: &mut dyn FnMut());
}

/// Does work under a watch, if there is one.
pub(crate) fn watched<T>(watch: Option<&Arc<dyn Watch>>, now: Time, work: impl FnOnce() -> T) -> T {
    let Some(watch) = watch else { return work() };
    let (mut work, mut result) = (Some(work), None);
    watch.around(now, &mut || result = work.take().map(|work| work()));
    result.expect("a watch that calls")
}
