//! An administrator who bans somebody and lets them in again.

use qpq_proto::v1::{BanUserRequest, ListBannedRequest, UnbanUserRequest};
use qpq_tests::{Node, RelayAddress};

use crate::visitor::{Arrivals, Kept, Visitor};

pub(crate) struct Moderation {
    administrator: Visitor,
    banned: Visitor,
    is_banned: Kept<bool>,
}

impl Moderation {
    pub(crate) async fn arrive(arrivals: &mut Arrivals, node: &Node) -> Self {
        let mut administrator = arrivals.next().await;
        let name = &arrivals.people.last().unwrap().0;
        node.ok(&["relay", "administrator", "add", name]);
        // What somebody may do is settled when a session begins.
        administrator.log_in(&arrivals.relay).await;
        let banned = arrivals.next().await;
        Self { administrator, banned, is_banned: Kept::new(false) }
    }

    pub(crate) async fn act(&mut self) {
        loop {
            let identity_key = self.banned.identity().to_vec();
            let ban = !self.is_banned.known();
            self.is_banned.want(ban);
            match ban {
                true => {
                    let request = BanUserRequest { identity_key, reason: "noise".to_owned(), until_ms: 0 };
                    self.administrator.line().ban_user(&request).await.unwrap();
                }
                false => {
                    let request = UnbanUserRequest { identity_key };
                    self.administrator.line().unban_user(&request).await.unwrap();
                }
            }
            self.is_banned.done();
        }
    }

    /// The list says who is banned, and so does the door.
    pub(crate) async fn check(&mut self, relay: &RelayAddress) {
        self.administrator.enter(relay).await;
        let listed = self.administrator.line().list_banned(&ListBannedRequest::default()).await.unwrap().bans;
        let banned: Vec<_> = listed.into_iter().map(|ban| ban.identity_key).collect();
        assert!(banned.is_empty() || banned == [self.banned.identity().to_vec()], "{banned:?}");
        let is_in = self.banned.user.log_in(&relay.connect().await.unwrap()).await.is_ok();
        assert_eq!(is_in, banned.is_empty());
        self.is_banned.settle(!banned.is_empty());
    }

    pub(crate) fn summary(&self) -> String {
        format!("{} bans and pardons", self.is_banned.changes)
    }
}
