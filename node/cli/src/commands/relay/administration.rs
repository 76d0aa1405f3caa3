//! `qpq relay`: what the owner of a relay does about those who use it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Subcommand;
use qpq_proto::v1;

use super::audit::AuditView;
use super::reports::{self, ReportsArgs};
use super::views::{AdministratorView, BannedView, BansView, UnbannedView, UsersView};
use crate::connect::Daemon;
use crate::context::Context;
use crate::durations;
use crate::exit::Error;
use crate::views::hex;

/// What to do about those who use the relay.
#[derive(Debug, Subcommand)]
pub(crate) enum AdministrationCommand {
    /// List who has an account on this relay, the oldest account first.
    Users,
    /// Ban somebody: all sessions end at once, and none begins until the ban ends.
    Ban {
        /// The name of the account, or the identity key in hexadecimal.
        user: String,
        /// Why, for whoever is banned to read.
        #[arg(long, default_value = "")]
        reason: String,
        /// For how long, such as 12h or 7d; without it for good.
        #[arg(long = "for", value_name = "TIME", value_parser = durations::parse)]
        lasts: Option<Duration>,
    },
    /// Lift a ban.
    Unban {
        /// The name of the account, or the identity key in hexadecimal.
        user: String,
    },
    /// List who is banned, until when and why.
    Banned,
    /// List and open what was reported to the administrators of this relay, or of one that you administer from afar, the
    /// oldest report first.
    Reports(ReportsArgs),
    /// Let somebody administer this relay from afar, or no longer.
    Administrator {
        /// Add or remove.
        #[command(subcommand)]
        command: AdministratorCommand,
    },
    /// Show what was done to administer this relay, the newest entry first.
    Audit {
        /// Show what was refused instead.
        #[arg(long)]
        refused: bool,
        /// At most so many entries.
        #[arg(long, value_name = "NUMBER", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=256))]
        limit: u32,
    },
}

/// Who administers the relay.
#[derive(Debug, Subcommand)]
pub(crate) enum AdministratorCommand {
    /// Make an account an administrator.
    Add {
        /// The name of the account, or the identity key in hexadecimal.
        user: String,
    },
    /// Let an account be an administrator no more.
    Remove {
        /// The name of the account, or the identity key in hexadecimal.
        user: String,
    },
}

/// Does it.
pub(crate) async fn run(context: &Context, command: AdministrationCommand) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let output = &context.output;
    match command {
        AdministrationCommand::Users => output.show(&UsersView::from(users(&daemon).await?)),
        AdministrationCommand::Ban { user, reason, lasts } => {
            output.show(&ban(&daemon, &user, reason, lasts).await?)
        }
        AdministrationCommand::Unban { user } => output.show(&unban(&daemon, &user).await?),
        AdministrationCommand::Banned => output.show(&BansView::from(bans(&daemon).await?)),
        AdministrationCommand::Reports(args) => reports::list(&daemon, output, args).await,
        AdministrationCommand::Administrator { command } => {
            let (user, administrator) = match command {
                AdministratorCommand::Add { user } => (user, true),
                AdministratorCommand::Remove { user } => (user, false),
            };
            let identity_key = identity(&daemon, &user).await?;
            let shown = AdministratorView { identity: hex(&identity_key), administrator };
            let request = v1::SetRelayAdministratorRequest { identity_key, administrator };
            daemon.set_relay_administrator(&request).await?;
            output.show(&shown)
        }
        AdministrationCommand::Audit { refused, limit } => {
            let request = v1::ReadRelayAuditRequest { cursor: Vec::new(), limit, refused };
            output.show(&AuditView::from(daemon.read_relay_audit(&request).await?.entries))
        }
    }
}

async fn users(daemon: &Daemon) -> Result<Vec<v1::RelayUser>, Error> {
    let (mut all, mut request) =
        (Vec::new(), v1::ListRelayUsersRequest { limit: PAGE, ..Default::default() });
    loop {
        let page = daemon.list_relay_users(&request).await?;
        all.extend(page.users);
        if page.next.is_empty() {
            return Ok(all);
        }
        request.cursor = page.next;
    }
}

async fn bans(daemon: &Daemon) -> Result<Vec<v1::Ban>, Error> {
    let (mut all, mut request) = (Vec::new(), v1::ListRelayBansRequest { limit: PAGE, ..Default::default() });
    loop {
        let page = daemon.list_relay_bans(&request).await?;
        all.extend(page.bans);
        if page.next.is_empty() {
            return Ok(all);
        }
        request.cursor = page.next;
    }
}

async fn ban(
    daemon: &Daemon,
    user: &str,
    reason: String,
    lasts: Option<Duration>,
) -> Result<BannedView, Error> {
    let identity_key = identity(daemon, user).await?;
    let until_ms = match lasts {
        None => 0,
        Some(Duration::ZERO) => return Err(Error::Usage("--for: at least one second".to_owned())),
        Some(lasts) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            u64::try_from((now + lasts).as_millis()).unwrap_or(u64::MAX)
        }
    };
    let shown = BannedView { identity: hex(&identity_key), until_ms };
    daemon.ban_relay_user(&v1::BanRelayUserRequest { identity_key, reason, until_ms }).await?;
    Ok(shown)
}

async fn unban(daemon: &Daemon, user: &str) -> Result<UnbannedView, Error> {
    let identity_key = identity(daemon, user).await?;
    let shown = UnbannedView { identity: hex(&identity_key) };
    daemon.unban_relay_user(&v1::UnbanRelayUserRequest { identity_key }).await?;
    Ok(shown)
}

/// The identity key that somebody is named by: itself, or that of the account of a name.
async fn identity(daemon: &Daemon, user: &str) -> Result<Vec<u8>, Error> {
    if let Some(key) = key(user) {
        return Ok(key);
    }
    let username = user.strip_prefix('@').unwrap_or(user).to_owned();
    let request = v1::ListRelayUsersRequest { username, ..Default::default() };
    let found = daemon.list_relay_users(&request).await?.users.into_iter().next();
    let nobody =
        || Error::Negative(format!("nobody named {user} has an account here: see `qpq relay users`"));
    found.map(|user| user.identity_key).ok_or_else(nobody)
}

/// An identity key, if that is what the text is: 64 hexadecimal digits.
fn key(text: &str) -> Option<Vec<u8>> {
    if text.len() != KEY_DIGITS || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    text.parse::<qpq_proto::ids::Identity>().ok().map(|identity| identity.to_vec())
}

/// Asked for at once.
const PAGE: u32 = 256;
const KEY_DIGITS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_told_from_a_name() {
        assert_eq!(key(&"0a".repeat(32)), Some(vec![10; 32]));
        for name in ["alice", "@alice", &"0a".repeat(31), &"0g".repeat(32), ""] {
            assert_eq!(key(name), None, "{name}");
        }
    }
}
