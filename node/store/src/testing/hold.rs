//! Holding a thread at a chosen operation on the database, so that others can be let go on meanwhile.

use std::sync::PoisonError;

use super::Disk;

/// Which operation a thread is held at.
#[derive(Debug, Default)]
pub(super) struct Hold {
    /// Operations on the database until then.
    after: Option<u64>,
    is_held: bool,
}

impl Disk {
    /// Holds the thread that changes or syncs the database, when it has done so this many times from now on.
    pub fn hold_database(&self, after: u64) {
        self.state().hold.after = Some(after);
    }

    /// Waits until a thread is held. Whoever calls this knows that one will be.
    pub fn wait_until_held(&self) {
        let waiting = self.0.held.wait_while(self.state(), |state| !state.hold.is_held);
        drop(waiting.unwrap_or_else(PoisonError::into_inner));
    }

    /// Lets the thread go on, and holds none any more.
    pub fn let_go(&self) {
        self.state().hold.after = None;
        self.0.held.notify_all();
    }

    /// Called before each operation on the database.
    pub(super) fn stop_if_held(&self) {
        let mut state = self.state();
        match &mut state.hold.after {
            None => return,
            Some(after) if *after > 0 => {
                *after -= 1;
                return;
            }
            Some(_) => state.hold.is_held = true,
        }
        self.0.held.notify_all();
        let waiting = self.0.held.wait_while(state, |state| state.hold.after.is_some());
        waiting.unwrap_or_else(PoisonError::into_inner).hold.is_held = false;
    }
}
