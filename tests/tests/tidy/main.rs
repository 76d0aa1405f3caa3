//! Style as a test: one test a rule, and each message names the offender and the replacement.
//!
//! The rules come from the architecture (which crate may know which) and from the style guide. A rule that can
//! be checked by a compiler or by clippy is not here.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod arrows;
mod documents;
mod manifests;
mod ratchet;
mod tree;
mod words;

/// Fails with every offence at once, so that one run shows all there is to do.
#[track_caller]
fn assert_none(rule: &str, offences: &[String]) {
    assert!(offences.is_empty(), "\n{rule}\n  {}\n", offences.join("\n  "));
}
