//! Helpers for end-to-end tests: real `qpqd` and `qpq` processes, each node in a directory of its own.
//!
//! A test reads like prose over them:
//!
//! ```no_run
//! use qpq_tests::{Person, befriend};
//!
//! let (alice, bob) = (Person::new("alice"), Person::new("bob"));
//! befriend(&alice, &bob);
//! alice.ok(&["send", "@bob", "hello", "--wait", "delivered", "--timeout", "30s"]);
//! assert_eq!(bob.texts("@alice"), ["hello"]);
//! ```
//!
//! Nothing sleeps. What takes time is awaited: the daemon's `ready` line, a command that waits (`send --wait`), or
//! the daemon's events, after each of which a condition is looked at again. Every wait ends at [`DEADLINE`] with
//! what was waited for and the daemons' logs.
//!
//! The helpers panic where a test would: they are for tests only.

mod binaries;
mod command;
pub mod lab;
mod light;
mod node;
mod person;
mod process;
mod relay_node;
mod relay_user;

use std::io::Write;
use std::time::Duration;

pub use binaries::{daemon_binary, line_binary};
pub use command::{Lines, Output};
pub use light::LightPerson;
pub use node::{Node, Options};
pub use person::{Person, befriend, group_of};
pub use relay_node::{relay_by_invitation, relay_for_all, relay_link, relay_with};
pub use relay_user::{RelayAddress, RelayUser, delivery};

/// How long anything may take before a test fails. Far more than it takes on a slow machine that does much else.
pub const DEADLINE: Duration = Duration::from_secs(180);

/// Says on standard error that a test could not run here; not through `eprintln`, which a passing test keeps to
/// itself.
pub fn skip(test: &str, reason: &str) {
    // Without a standard error there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {reason}");
}
