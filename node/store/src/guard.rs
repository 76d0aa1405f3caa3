//! Keeping the panics of redb in.
//!
//! redb trusts the pages of a file that was closed in order. Where they were damaged since, it may panic while it
//! reads them, while it commits and while it closes. For the caller that is a damaged file like any other, so what
//! redb does runs in here, and a panic becomes an error.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;
use std::thread;

use redb::Database;

/// What a panic said.
#[derive(Debug)]
pub(crate) struct Panicked(pub(crate) String);

thread_local! {
    /// Whether this thread reports its panics as errors.
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs what reads or writes the database, and returns a panic as an error, without a word on standard error.
///
/// What the closure may have left half done must not be used again.
pub(crate) fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, Panicked> {
    quieten();
    let was_guarded = IS_GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(run));
    IS_GUARDED.set(was_guarded);
    result.map_err(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        Panicked(text.unwrap_or("it contradicts itself").to_owned())
    })
}

/// Has the panic hook of this process leave out panics that are caught here.
fn quieten() {
    static ONCE: Once = Once::new();
    // A thread that is panicking must not change the hook.
    if thread::panicking() {
        return;
    }
    ONCE.call_once(|| {
        let other = take_hook();
        set_hook(Box::new(move |panic| {
            if IS_GUARDED.get() {
                tracing::debug!(%panic, "the database panicked");
            } else {
                other(panic);
            }
        }));
    });
}

/// A database whose closing does not panic.
pub(crate) struct Guarded(Option<Database>);

impl Guarded {
    pub(crate) fn new(database: Database) -> Self {
        Self(Some(database))
    }
}

impl Deref for Guarded {
    type Target = Database;

    fn deref(&self) -> &Database {
        self.0.as_ref().expect("it is taken out by drop alone")
    }
}

impl DerefMut for Guarded {
    fn deref_mut(&mut self) -> &mut Database {
        self.0.as_mut().expect("it is taken out by drop alone")
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let database = self.0.take();
        if let Err(Panicked(reason)) = guarded(|| drop(database)) {
            // Everything that was promised is on the disk; what closing writes spares the next opening work.
            tracing::warn!(reason, "the database is damaged: it could not be closed in order");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_with_its_text() {
        let value = 7;
        assert_eq!(guarded(|| value).unwrap(), 7);
        assert_eq!(guarded(|| panic!("page {value}")).map(|()| 0).unwrap_err().0, "page 7");
        assert_eq!(guarded(|| panic!("page")).map(|()| 0).unwrap_err().0, "page");
        assert!(!IS_GUARDED.get());
    }

    #[test]
    fn guards_nest() {
        let inner = guarded(|| guarded(|| panic!("inner")).map(|()| 0).unwrap_err().0).unwrap();
        assert_eq!(inner, "inner");
    }
}
