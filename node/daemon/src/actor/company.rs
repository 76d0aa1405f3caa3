//! Who belongs into a batch: whoever waits already, and whoever is about to call.
//!
//! Answers go out together, and callers that each have one call under way call again soon after each other. The first of
//! them alone would be a batch of one: a sync for a single call, for which all others have to wait. So a batch that is far
//! smaller than the one before gives the processor to those who are about to call, for a fraction of what a sync takes.

use std::sync::mpsc::Receiver;
use std::thread::yield_now;
use std::time::{Duration, Instant};

/// How many came together.
#[derive(Debug, Default)]
pub(super) struct Company {
    /// Inputs of the batch before.
    before: usize,
}

impl Company {
    /// The next command for a batch of so many inputs, if there is one soon enough.
    pub(super) fn next<C>(&self, commands: &Receiver<C>, inputs: usize) -> Option<C> {
        if let Ok(command) = commands.try_recv() {
            return Some(command);
        }
        if inputs >= self.before / 2 {
            return None;
        }
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            yield_now();
            if let Ok(command) = commands.try_recv() {
                return Some(command);
            }
        }
        None
    }

    /// The batch has so many inputs.
    pub(super) fn note(&mut self, inputs: usize) {
        self.before = inputs;
    }
}

/// How long nobody may come.
const PATIENCE: Duration = Duration::from_micros(300);

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn whoever_waits_already_is_taken_whatever_was_before() {
        let (sender, commands) = channel();
        sender.send(1).unwrap();
        assert_eq!(Company::default().next(&commands, 1), Some(1));
        assert_eq!(Company::default().next(&commands, 1), None);
    }

    #[test]
    fn a_small_batch_after_a_large_one_ends_without_company_too() {
        let (_sender, commands) = channel::<u8>();
        let mut company = Company::default();
        company.note(64);
        assert_eq!(company.next(&commands, 1), None);
    }
}
