//! Looking at a proof against a relay, without a node.

use qpq_crypto::transparency::{Contradiction, Evidence, EvidenceError, Verdict};

/// What a proof against a relay shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayProof {
    /// The name under which the relay signs its log.
    pub relay: String,
    /// The key of the log, 32 bytes: the proof is against whoever has it.
    pub log_key: [u8; 32],
    /// Entries and time of signing, Unix ms, of the tree that was seen.
    pub seen: (u64, u64),
    /// The same of the tree that was shown later.
    pub shown: (u64, u64),
    /// What the two show, in words.
    pub verdict: &'static str,
    /// Whether they convict the relay.
    pub convicts: bool,
}

/// Checks a proof that a node wrote.
///
/// # Errors
/// [`EvidenceError`] where the text is none, or is not signed by the log that it names.
pub fn check_relay_proof(text: &str) -> Result<RelayProof, EvidenceError> {
    let evidence = Evidence::from_text(text)?;
    let verdict = evidence.verdict()?;
    Ok(RelayProof {
        log_key: *evidence.log.as_bytes(),
        seen: (evidence.seen.size, evidence.seen.signed_at_ms),
        shown: (evidence.shown.size, evidence.shown.signed_at_ms),
        relay: evidence.relay,
        verdict: in_words(verdict),
        convicts: verdict != Verdict::Inconclusive,
    })
}

const fn in_words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Contradiction(Contradiction::TwoRoots) => {
            "the relay signed two logs of one size: different people are shown different logs"
        }
        Verdict::Contradiction(Contradiction::TwoSizes) => "the relay signed one log as two sizes",
        Verdict::Contradiction(Contradiction::RolledBack) => {
            "the relay signed a smaller log after a larger one: entries were taken back"
        }
        Verdict::Diverged => "the relay signed a log that did not grow from one that it signed before",
        Verdict::Inconclusive => "the relay signed both, and both may be true: this convicts nobody",
    }
}
