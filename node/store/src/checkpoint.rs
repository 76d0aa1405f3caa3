//! Checkpoints: the overlay goes into the database, while the writer goes on.
//!
//! ```text
//!                     half A     half B     overlay      on its way     database
//!  commits            1..=9      -          1..=9        -              has 0
//!  A is full: freeze  1..=9      10         10           1..=9          has 0
//!  one transaction    1..=9      10..=14    10..=14      1..=9          has 0, then 9
//!  it is durable      (free)     10..=15    10..=15      -              has 9
//!  B is full: freeze  16         10..=15    16           10..=15        has 9
//! ```
//! At most one overlay is on its way. If the second half of the journal is full before the first is free, the writer
//! waits: memory and journal are bounded.
//!
//! What is [deferred](crate::Durability::Deferred) at a freeze gets into the journal first, so that all of an overlay on
//! its way is there: should the power go before the checkpoint is durable, no later frame survives without it.

use std::fmt;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use bytes::Bytes;
use chacha20::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::apply::{apply, changes_of};
use crate::error::Failure;
use crate::guard::Guarded;
use crate::meta::write_opened;
use crate::overlay::Overlay;
use crate::sealing::Keys;
use crate::store::Store;

/// An overlay on its way into the database.
pub(crate) struct Checkpoint {
    pub(crate) overlay: Arc<Overlay>,
    work: Work,
}

/// Who brings it there.
enum Work {
    /// Whoever needs it to be there, when it is needed: as deterministic as tests and simulations are.
    Waiting(Box<Job>),
    /// A thread of its own.
    Running(JoinHandle<Result<(), Failure>>),
}

/// What it takes to bring an overlay into the database.
struct Job {
    database: Arc<Guarded>,
    overlay: Arc<Overlay>,
    keys: Arc<Keys>,
    rng: ChaCha20Rng,
    /// The count of commits that the database has afterwards.
    opened: u64,
}

impl Job {
    fn run(mut self) -> Result<(), Failure> {
        Failure::guarded(|| {
            let transaction = self.database.begin_write()?;
            apply(&transaction, &self.keys, &mut self.rng, changes_of(&self.overlay))?;
            write_opened(&transaction, self.opened)?;
            Ok(transaction.commit()?)
        })
    }
}

impl Checkpoint {
    fn is_done(&self) -> bool {
        matches!(&self.work, Work::Running(thread) if thread.is_finished())
    }

    fn finish(self) -> Result<(), Failure> {
        match self.work {
            Work::Waiting(job) => job.run(),
            Work::Running(thread) => {
                let panicked = || Failure::Contradiction("the thread of a checkpoint panicked".to_owned());
                thread.join().unwrap_or_else(|_| Err(panicked()))
            }
        }
    }

    /// Waits for a thread, and does not do what none does yet. The journal has everything.
    fn abandon(self) -> Result<(), Failure> {
        match self.work {
            Work::Waiting(_) => Ok(()),
            Work::Running(_) => self.finish(),
        }
    }
}

impl Store {
    /// Makes room in the journal and in memory for a batch; false if there is none even when both are empty.
    pub(crate) fn make_room(&mut self, batch_bytes: usize, changes: usize) -> Result<bool, Failure> {
        if self.checkpoint.as_ref().is_some_and(Checkpoint::is_done) {
            self.finish_checkpoint()?;
        }
        let bytes = self.overlay.bytes_with(batch_bytes, changes);
        let is_too_large = !self.overlay.is_empty() && bytes > self.overlay_bytes_max;
        if self.journal.has_room(batch_bytes) && !is_too_large {
            return Ok(true);
        }
        if !self.journal.has_room_in_other_half(batch_bytes) {
            return Ok(false);
        }
        self.freeze()?;
        Ok(true)
    }

    /// Sends the overlay on its way, and begins anew with an empty one in the other half of the journal. Waits for the
    /// one that had that half before.
    pub(crate) fn freeze(&mut self) -> Result<(), Failure> {
        self.finish_checkpoint()?;
        if self.journal.has_deferred() {
            self.append(Bytes::new())?;
        }
        if self.overlay.is_empty() {
            self.journal.turn();
            return Ok(());
        }
        let overlay = std::mem::take(&mut self.overlay);
        let job = self.job(&overlay);
        let work = if self.is_threaded { self.start(job, &overlay) } else { Work::Waiting(Box::new(job)) };
        self.checkpoint = Some(Checkpoint { overlay, work });
        self.journal.turn();
        Ok(())
    }

    /// Sees to it that nothing is on its way any more.
    pub(crate) fn finish_checkpoint(&mut self) -> Result<(), Failure> {
        let Some(checkpoint) = self.checkpoint.take() else { return Ok(()) };
        let result = checkpoint.finish();
        // It may lack what has arrived.
        self.view.take();
        result
    }

    fn start(&mut self, job: Job, overlay: &Arc<Overlay>) -> Work {
        let work = move || {
            give_way();
            job.run()
        };
        match Builder::new().name("checkpoint".to_owned()).spawn(work) {
            Ok(thread) => Work::Running(thread),
            Err(error) => {
                tracing::warn!(%error, "no thread for a checkpoint: the writer does it");
                Work::Waiting(Box::new(self.job(overlay)))
            }
        }
    }

    fn job(&mut self, overlay: &Arc<Overlay>) -> Job {
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        Job {
            database: Arc::clone(&self.database),
            overlay: Arc::clone(overlay),
            keys: Arc::clone(&self.keys),
            rng: ChaCha20Rng::from_seed(seed),
            opened: self.meta.opened,
        }
    }
}

/// Has the present thread run when the others have nothing to do: whoever waits for a commit goes first.
#[cfg(target_os = "linux")]
fn give_way() {
    const NICE: i32 = 10;
    // On Linux this is the thread's alone. Without it, others wait longer.
    let _ = rustix::process::setpriority_process(None, NICE);
}

#[cfg(not(target_os = "linux"))]
fn give_way() {}

impl Drop for Store {
    fn drop(&mut self) {
        // The files must be left alone before their lock is released.
        if let Some(checkpoint) = self.checkpoint.take()
            && let Err(error) = checkpoint.abandon()
        {
            tracing::warn!(%error, "a checkpoint failed: the journal keeps what it was to bring into the database");
            self.io.cut();
        }
    }
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpoint").field("overlay", &self.overlay).finish_non_exhaustive()
    }
}
