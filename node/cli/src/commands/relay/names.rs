//! `qpq relay find`, `proof` and `check-proof`: who is behind a name, and what becomes of a relay that tells different things.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use qpq_proto::v1;
use serde::Serialize;

use crate::connect::Daemon;
use crate::context::{Context, required};
use crate::durations::{self, wire_ms};
use crate::exit::Error;
use crate::follow::Deadline;
use crate::output::{Show, Style};
use crate::printable::printable;
use crate::views::hex;

/// Whom to look for, and where.
#[derive(Debug, clap::Args)]
pub(crate) struct FindArgs {
    /// The name, or NAME@RELAY.
    #[arg(value_name = "NAME")]
    name: String,
    /// Which relay: its link, its host, or the start of its pin. Needless where there is one only.
    #[arg(long, value_name = "LINK")]
    relay: Option<String>,
    /// How long to wait at most, such as 30s or 5m.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = durations::parse)]
    timeout: Duration,
}

pub(super) async fn find(context: &Context, args: FindArgs) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let found = ask(&daemon, args.name, args.relay.unwrap_or_default(), args.timeout).await?;
    let is_nobody = found.state == "nobody";
    context.output.show(&FoundView::from(found))?;
    if is_nobody {
        Err(Error::Negative("nobody has this name there, as the log proves".to_owned()))
    } else {
        Ok(())
    }
}

/// Asks who is behind a name, and waits for an answer that the relay's log proves.
pub(crate) async fn ask(
    daemon: &Daemon,
    user: String,
    relay: String,
    timeout: Duration,
) -> Result<v1::FoundUser, Error> {
    let asked = daemon.find_user(&v1::FindUserRequest { user, relay }).await?;
    let mut found = required(asked.found, "who was found")?;
    let deadline = Deadline::after(timeout);
    while found.state == "asking" {
        if deadline.left().is_zero() {
            let timeout = durations::describe(timeout);
            return Err(Error::TimedOut(format!("the relay did not answer within {timeout}")));
        }
        let timeout_ms = wire_ms(deadline.left().min(WAIT_PER_CALL));
        let (pin, username) = (found.pin.clone(), found.username.clone());
        let waited = daemon.wait_user(&v1::WaitUserRequest { pin, username, timeout_ms }).await?;
        found = required(waited.found, "who was found")?;
    }
    match found.state.as_str() {
        "found" | "nobody" => Ok(found),
        "refused" => Err(Error::Untrusted {
            reason: format!("the relay contradicts itself: {}", printable(&found.reason)),
            fix: format!("qpq relay proof {}", &hex(&found.pin)[..8]),
        }),
        _ => Err(Error::Negative(printable(&found.reason).into_owned())),
    }
}

pub(super) async fn proof(context: &Context, relay: String, output: Option<PathBuf>) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let shown = daemon.show_relay_proof(&v1::ShowRelayProofRequest { relay }).await?;
    if let Some(path) = &output {
        let unwritten = |error| Error::Usage(format!("{} cannot be written: {error}", path.display()));
        fs::write(path, &shown.proof).map_err(unwritten)?;
    }
    context.output.show(&WrittenView {
        file: output.map(|path| path.display().to_string()),
        proof: shown.proof,
        reason: shown.reason,
        convicts: shown.convicts,
    })
}

pub(super) fn check_proof(context: &Context, file: &Path) -> Result<(), Error> {
    let text = read(file).map_err(|error| Error::Usage(format!("{}: {error}", file.display())))?;
    let checked = qpqd::check_relay_proof(&text).map_err(|error| Error::Negative(error.to_string()))?;
    let convicts = checked.convicts;
    context.output.show(&CheckedView {
        relay: checked.relay,
        log_key: hex(&checked.log_key),
        verdict: checked.verdict,
        convicts,
        seen_entries: checked.seen.0,
        seen_at_ms: checked.seen.1,
        shown_entries: checked.shown.0,
        shown_at_ms: checked.shown.1,
    })?;
    if convicts { Ok(()) } else { Err(Error::Negative("it does not convict the relay".to_owned())) }
}

/// A proof is short; what is longer is none.
fn read(file: &Path) -> std::io::Result<String> {
    let (mut text, most) = (String::new(), PROOF_BYTES_MAX);
    if file == Path::new("-") {
        std::io::stdin().lock().take(most).read_to_string(&mut text)?;
    } else {
        fs::File::open(file)?.take(most).read_to_string(&mut text)?;
    }
    Ok(text)
}

/// Who is behind a name.
#[derive(Debug, Serialize)]
struct FoundView {
    name: String,
    relay: String,
    pin: String,
    found: bool,
    identity: String,
    version: u64,
    safety_number: String,
    contact: String,
    own: bool,
    revoked: bool,
    revoked_reason: String,
    revoked_at_ms: u64,
    log: LogView,
}

/// What was seen of a relay's log of names.
#[derive(Debug, Default, Serialize)]
pub(super) struct LogView {
    name: String,
    entries: u64,
    signed_at_ms: u64,
    pub(super) refusal: String,
    proven: bool,
    pub(super) own_name: String,
}

impl From<v1::RelayLog> for LogView {
    fn from(log: v1::RelayLog) -> Self {
        let v1::RelayLog { name, entries, signed_at_ms, refusal, proven, own_name } = log;
        Self { name, entries, signed_at_ms, refusal, proven, own_name }
    }
}

impl From<v1::FoundUser> for FoundView {
    fn from(found: v1::FoundUser) -> Self {
        Self {
            name: found.username,
            relay: found.place,
            pin: hex(&found.pin),
            found: found.state == "found",
            identity: hex(&found.identity),
            version: found.version,
            safety_number: found.safety_number,
            contact: found.contact,
            own: found.own,
            revoked: found.revoked,
            revoked_reason: found.revoked_reason,
            revoked_at_ms: found.revoked_at_ms,
            log: found.log.map(LogView::from).unwrap_or_default(),
        }
    }
}

impl FoundView {
    fn who(&self, style: &Style) -> String {
        let digits: Vec<char> = self.safety_number.chars().filter(char::is_ascii_digit).collect();
        let groups: Vec<String> = digits.chunks(5).map(|group| group.iter().collect()).collect();
        let mut lines = vec![format!("  identity      {}", self.identity)];
        if self.own {
            lines.push("  this is you".to_owned());
        }
        if !groups.is_empty() {
            lines.push(format!("  safety number {}", groups.join(" ")));
        }
        if !self.contact.is_empty() {
            lines.push(format!("  your contact  @{}", printable(&self.contact)));
        }
        lines.push(match self.version {
            1 => "  the name was never somebody else's".to_owned(),
            version => format!("  the name was set {version} times: compare the safety number"),
        });
        if self.revoked {
            let at = style.zone.date_time(self.revoked_at_ms);
            lines.push(format!("  REVOKED by its owner {at}: {}", printable(&self.revoked_reason)));
        }
        lines.join("\n")
    }
}

impl Show for FoundView {
    const SCHEMA: &'static str = "qpq.found-user/1";

    fn human(&self, style: &Style) -> String {
        let name = style.bold(&printable(&self.name));
        let log = format!(
            "proved by a log of {} entries, signed {}",
            self.log.entries,
            style.zone.date_time(self.log.signed_at_ms)
        );
        let head = format!("{name} at {}", printable(&self.relay));
        match self.found {
            true => format!("{head}\n{}\n  {}", self.who(style), style.faint(&log)),
            false => format!("{head}: nobody\n  {}", style.faint(&log)),
        }
    }
}

/// A proof.
#[derive(Debug, Serialize)]
struct WrittenView {
    /// Where it was written; none for standard output.
    file: Option<String>,
    proof: String,
    reason: String,
    convicts: bool,
}

impl Show for WrittenView {
    const SCHEMA: &'static str = "qpq.relay-proof/1";

    fn human(&self, _style: &Style) -> String {
        let worth = match self.convicts {
            true => "It convinces whoever has the key of the relay's log.",
            false => "It shows what the relay signed, and does not convict it by itself.",
        };
        match &self.file {
            None => self.proof.trim_end().to_owned(),
            Some(file) => format!("{}: {}\n{worth}", printable(file), printable(&self.reason)),
        }
    }
}

/// A proof that was checked.
#[derive(Debug, Serialize)]
struct CheckedView {
    relay: String,
    log_key: String,
    verdict: &'static str,
    convicts: bool,
    seen_entries: u64,
    seen_at_ms: u64,
    shown_entries: u64,
    shown_at_ms: u64,
}

impl Show for CheckedView {
    const SCHEMA: &'static str = "qpq.checked-relay-proof/1";

    fn human(&self, style: &Style) -> String {
        let tree =
            |entries: u64, at_ms: u64| format!("{entries} entries, signed {}", style.zone.date_time(at_ms));
        format!(
            "{}\n  relay    {}\n  log key  {}\n  seen     {}\n  shown    {}\nCompare the key with that of the relay's link.",
            self.verdict,
            printable(&self.relay),
            self.log_key,
            tree(self.seen_entries, self.seen_at_ms),
            tree(self.shown_entries, self.shown_at_ms)
        )
    }
}

const WAIT_PER_CALL: Duration = Duration::from_secs(60);
const PROOF_BYTES_MAX: u64 = 65_536;

#[cfg(test)]
mod tests;
