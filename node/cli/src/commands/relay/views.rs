//! What the owner of a relay is shown of those who use it.

use qpq_proto::v1;
use serde::Serialize;

use crate::output::{Show, Style, columns};
use crate::printable::printable;
use crate::views::{count, hex};

/// The accounts of the relay.
#[derive(Debug, Serialize)]
pub(super) struct UsersView {
    users: Vec<UserView>,
}

#[derive(Debug, Serialize)]
struct UserView {
    name: String,
    identity: String,
    registered_at_ms: u64,
    devices: u32,
    last_seen_ms: u64,
    administrator: bool,
    revoked: bool,
    banned: bool,
}

impl From<Vec<v1::RelayUser>> for UsersView {
    fn from(users: Vec<v1::RelayUser>) -> Self {
        let view = |user: v1::RelayUser| UserView {
            name: user.username,
            identity: hex(&user.identity_key),
            registered_at_ms: user.registered_at_ms,
            devices: user.devices,
            last_seen_ms: user.last_seen_ms,
            administrator: user.administrator,
            revoked: user.revoked,
            banned: user.banned,
        };
        Self { users: users.into_iter().map(view).collect() }
    }
}

impl Show for UsersView {
    const SCHEMA: &'static str = "qpq.relay-users/1";

    fn human(&self, style: &Style) -> String {
        if self.users.is_empty() {
            return "Nobody has an account on this relay.".to_owned();
        }
        let row = |user: &UserView| {
            let marks = [
                (user.administrator, "administrator"),
                (user.banned, "banned"),
                (user.revoked, "identity revoked"),
            ];
            let marks: Vec<_> = marks.iter().filter(|(is_so, _)| *is_so).map(|(_, mark)| *mark).collect();
            [
                style.bold(&printable(&user.name)),
                user.identity.clone(),
                count(user.devices.into(), "device"),
                format!("seen {}", style.zone.date_time(user.last_seen_ms)),
                marks.join(", "),
            ]
        };
        columns(&self.users.iter().map(row).collect::<Vec<_>>())
    }
}

/// Somebody was banned.
#[derive(Debug, Serialize)]
pub(super) struct BannedView {
    pub(super) identity: String,
    /// Unix milliseconds; 0 for good.
    pub(super) until_ms: u64,
}

impl Show for BannedView {
    const SCHEMA: &'static str = "qpq.relay-banned/1";

    fn human(&self, style: &Style) -> String {
        format!("{} is banned {}", self.identity, until(style, self.until_ms))
    }
}

/// A ban was lifted.
#[derive(Debug, Serialize)]
pub(super) struct UnbannedView {
    pub(super) identity: String,
}

impl Show for UnbannedView {
    const SCHEMA: &'static str = "qpq.relay-unbanned/1";

    fn human(&self, _style: &Style) -> String {
        format!("{} is no longer banned", self.identity)
    }
}

/// Who is banned.
#[derive(Debug, Serialize)]
pub(super) struct BansView {
    bans: Vec<BanView>,
}

#[derive(Debug, Serialize)]
struct BanView {
    identity: String,
    reason: String,
    /// Unix milliseconds; 0 for good.
    until_ms: u64,
    /// Empty if it was the owner of the node.
    banned_by: String,
    banned_at_ms: u64,
}

impl From<Vec<v1::Ban>> for BansView {
    fn from(bans: Vec<v1::Ban>) -> Self {
        let view = |ban: v1::Ban| BanView {
            identity: hex(&ban.identity_key),
            reason: ban.reason,
            until_ms: ban.until_ms,
            banned_by: hex(&ban.banned_by),
            banned_at_ms: ban.banned_at_ms,
        };
        Self { bans: bans.into_iter().map(view).collect() }
    }
}

impl Show for BansView {
    const SCHEMA: &'static str = "qpq.relay-bans/1";

    fn human(&self, style: &Style) -> String {
        if self.bans.is_empty() {
            return "Nobody is banned.".to_owned();
        }
        let row = |ban: &BanView| {
            [ban.identity.clone(), until(style, ban.until_ms), printable(&ban.reason).into_owned()]
        };
        columns(&self.bans.iter().map(row).collect::<Vec<_>>())
    }
}

/// Whether somebody administers the relay now.
#[derive(Debug, Serialize)]
pub(super) struct AdministratorView {
    pub(super) identity: String,
    pub(super) administrator: bool,
}

impl Show for AdministratorView {
    const SCHEMA: &'static str = "qpq.relay-administrator/1";

    fn human(&self, _style: &Style) -> String {
        match self.administrator {
            true => format!("{} administers this relay", self.identity),
            false => format!("{} does not administer this relay", self.identity),
        }
    }
}

fn until(style: &Style, until_ms: u64) -> String {
    match until_ms {
        0 => "for good".to_owned(),
        until_ms => format!("until {}", style.zone.date_time(until_ms)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::times::Zone;

    const PLAIN: Style = Style { colour: false, signs: false, zone: Zone::Universal };

    #[test]
    fn users_stand_in_columns_with_what_is_special_about_them() {
        let user = |name: &str, administrator, banned| v1::RelayUser {
            identity_key: vec![7; 2],
            username: name.to_owned(),
            devices: 1,
            administrator,
            banned,
            ..v1::RelayUser::default()
        };
        let view = UsersView::from(vec![user("alice", true, false), user("bob", false, true)]);
        let lines =
            ["alice  0707  1 device  seen never  administrator", "bob    0707  1 device  seen never  banned"];
        assert_eq!(view.human(&PLAIN), lines.join("\n"));
    }

    #[test]
    fn empty_lists_say_so() {
        for (shown, said) in [
            (UsersView::from(Vec::new()).human(&PLAIN), "Nobody has an account on this relay."),
            (BansView::from(Vec::new()).human(&PLAIN), "Nobody is banned."),
        ] {
            assert_eq!(shown, said);
        }
    }
}
