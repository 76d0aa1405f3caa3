//! Those who administer the relay: the owner of its node, and whom the owner makes an administrator.

use qpq_proto::limits::RelayLimits;
use qpq_proto::v1::{
    AuditEntry, BanUserRequest, BanUserResponse, ListRelayBansRequest, ListRelayBansResponse,
    ListRelayReportsRequest, ListRelayReportsResponse, ListRelayUsersRequest, ListRelayUsersResponse,
    ReadRelayAuditRequest, ReadRelayAuditResponse, RelayUser, SetRelayAdministratorRequest,
    SetRelayAdministratorResponse, UnbanRelayUserRequest, UnbanRelayUserResponse,
};
use qpq_proto::{Failure, Method, Status};

use super::people::{ALICE, Person, is_in, log_in, on, register, resume};
use super::world::World;
use crate::input::{Caller, Peer};
use crate::tables::{ACCOUNT_ORDER, AUDIT};

const HOUR_MS: u64 = 3_600_000;

fn owner() -> Caller {
    Caller { peer: Peer::Owner, ..on(99) }
}

/// A relay at which people have registered, by number and name, each logged in over the connection of that number.
fn with(limits: RelayLimits, names: &[&'static str]) -> (World, Vec<Person>) {
    let mut world = World::with(limits);
    let people: Vec<_> = (1..).zip(names).map(|(number, name)| Person::new(number, name)).collect();
    for person in &people {
        register(&mut world, person, person.number).unwrap();
        log_in(&mut world, person, 1, person.number).unwrap();
    }
    (world, people)
}

impl World {
    fn users(&mut self, request: &ListRelayUsersRequest) -> Result<ListRelayUsersResponse, Failure> {
        self.call(owner(), Method::ListRelayUsers, request)
    }

    fn user(&mut self, person: &Person) -> Option<RelayUser> {
        let identity_key = person.identity().public().to_vec();
        let request = ListRelayUsersRequest { identity_key, ..ListRelayUsersRequest::default() };
        self.users(&request).unwrap().users.pop()
    }

    fn set_administrator(&mut self, person: &Person, administrator: bool) -> Result<(), Failure> {
        let identity_key = person.identity().public().to_vec();
        let request = SetRelayAdministratorRequest { identity_key, administrator };
        self.call(owner(), Method::SetRelayAdministrator, &request).map(|_: SetRelayAdministratorResponse| ())
    }

    /// Bans somebody by the owner's method or an administrator's: what they take is the same.
    fn ban_as(&mut self, caller: Caller, method: Method, person: &Person) -> Result<(), Failure> {
        let identity_key = person.identity().public().to_vec();
        let request = BanUserRequest { identity_key, reason: "spam".to_owned(), until_ms: 0 };
        self.call(caller, method, &request).map(|_: BanUserResponse| ())
    }

    fn audit_page(&mut self, refused: bool, cursor: &[u8], limit: u32) -> ReadRelayAuditResponse {
        let request = ReadRelayAuditRequest { refused, cursor: cursor.to_vec(), limit };
        self.call(owner(), Method::ReadRelayAudit, &request).unwrap()
    }

    /// What was done or refused, newest first, as methods and callers.
    fn audited(&mut self, refused: bool) -> Vec<(u32, String)> {
        let entries = self.audit_page(refused, &[], 0).entries;
        entries.into_iter().map(|AuditEntry { method, by, .. }| (method, by)).collect()
    }
}

fn entry(method: Method, by: &str) -> (u32, String) {
    (method.id().into(), by.to_owned())
}

#[test]
fn the_owner_sees_every_account_page_by_page() {
    let (mut world, people) = with(RelayLimits::ROUTER, &[ALICE, "Bob", "Carol"]);
    let names = |page: &ListRelayUsersResponse| {
        page.users.iter().map(|user| user.username.clone()).collect::<Vec<_>>()
    };
    let first = world.users(&ListRelayUsersRequest { limit: 2, ..Default::default() }).unwrap();
    let rest = ListRelayUsersRequest { cursor: first.next.clone(), limit: 2, ..Default::default() };
    let second = world.users(&rest).unwrap();
    assert_eq!((names(&first), names(&second)), (vec!["alice".into(), "bob".into()], vec!["carol".into()]));
    assert!(second.next.is_empty());
    let bob = &first.users[1];
    assert_eq!(bob.identity_key, people[1].identity().public().to_vec());
    assert_eq!((bob.devices, bob.registered_at_ms), (1, world.now.wall_ms));
    assert_eq!((bob.administrator, bob.revoked, bob.banned), (false, false, false));
    assert!(is_in(&mut world, 2));
    assert_eq!(world.user(&people[1]).unwrap().last_seen_ms, world.now.wall_ms / HOUR_MS * HOUR_MS);
}

#[test]
fn an_account_is_found_by_name_or_key() {
    let (mut world, people) = with(RelayLimits::ROUTER, &[ALICE, "Bob"]);
    let key = |number: usize| people[number].identity().public().to_vec();
    for (username, identity_key, found) in [
        ("BOB", Vec::new(), Some("bob")),
        ("", key(1), Some("bob")),
        ("bob", key(1), Some("bob")),
        ("bob", key(0), None),
        ("nobody", Vec::new(), None),
        ("", vec![7; 32], None),
    ] {
        let request = ListRelayUsersRequest { username: username.into(), identity_key, ..Default::default() };
        let users = world.users(&request).unwrap().users;
        assert_eq!(users.first().map(|user| user.username.as_str()), found, "{username}");
    }
    let request = ListRelayUsersRequest { identity_key: vec![7; 31], ..Default::default() };
    assert_eq!(world.users(&request).unwrap_err().field, "identity_key");
}

#[test]
fn the_owner_bans_and_lifts_bans_and_reads_reports() {
    let (mut world, people) = with(RelayLimits::ROUTER, &[ALICE]);
    let alice = &people[0];
    world.ban_as(owner(), Method::BanRelayUser, alice).unwrap();
    assert!(!is_in(&mut world, 1) && world.user(alice).unwrap().banned);
    let banned: ListRelayBansResponse =
        world.call(owner(), Method::ListRelayBans, &ListRelayBansRequest::default()).unwrap();
    assert_eq!((banned.bans.len(), banned.bans[0].banned_by.as_slice()), (1, &[][..]), "by the owner");
    let unban = UnbanRelayUserRequest { identity_key: alice.identity().public().to_vec() };
    let _: UnbanRelayUserResponse = world.call(owner(), Method::UnbanRelayUser, &unban).unwrap();
    assert!(!world.user(alice).unwrap().banned);
    let reports: ListRelayReportsResponse =
        world.call(owner(), Method::ListRelayReports, &ListRelayReportsRequest::default()).unwrap();
    assert_eq!(reports.reports, []);
}

#[test]
fn an_administrator_is_made_and_unmade_by_the_owner_alone() {
    let (mut world, people) = with(RelayLimits::ROUTER, &[ALICE, "Bob"]);
    let (alice, bob) = (&people[0], &people[1]);
    let token = log_in(&mut world, alice, 1, 1).unwrap();
    let refused = world.ban_as(on(1), Method::BanUser, bob).unwrap_err();
    assert_eq!(refused.status, Status::Forbidden);
    world.set_administrator(alice, true).unwrap();
    assert!(!is_in(&mut world, 1), "the session is to be resumed");
    resume(&mut world, alice, 1, token, 1).unwrap();
    world.ban_as(on(1), Method::BanUser, bob).unwrap();
    let of_the_owner = world.ban_as(on(1), Method::BanRelayUser, bob).unwrap_err();
    assert_eq!(of_the_owner.status, Status::Forbidden);
    world.set_administrator(alice, true).unwrap();
    assert!(is_in(&mut world, 1), "who is one already stays logged in");
    world.set_administrator(alice, false).unwrap();
    resume(&mut world, alice, 1, token, 1).unwrap();
    assert_eq!(world.ban_as(on(1), Method::BanUser, bob).unwrap_err().status, Status::Forbidden);
    let nobody = world.set_administrator(&Person::new(9, "Zoe"), true).unwrap_err();
    assert_eq!(nobody.status, Status::NotFound);
}

#[test]
fn what_was_done_and_what_was_refused_is_read_newest_first_with_short_keys() {
    let (mut world, people) = with(RelayLimits::ROUTER, &[ALICE, "Bob"]);
    let (alice, bob) = (&people[0], &people[1]);
    world.ban_as(on(2), Method::BanUser, alice).unwrap_err();
    world.ban_as(on(50), Method::BanUser, alice).unwrap_err();
    world.set_administrator(&Person::new(9, "Zoe"), true).unwrap_err();
    world.set_administrator(alice, true).unwrap();
    log_in(&mut world, alice, 1, 1).unwrap();
    world.ban_as(on(1), Method::BanUser, bob).unwrap();
    world.ban_as(on(1), Method::BanUser, alice).unwrap_err();
    world.pass(0);
    let done = [entry(Method::BanUser, "administrator"), entry(Method::SetRelayAdministrator, "owner")];
    assert_eq!(world.audited(false), done);
    let refused = [
        entry(Method::BanUser, "administrator"),
        entry(Method::SetRelayAdministrator, "owner"),
        entry(Method::BanUser, "unknown"),
        entry(Method::BanUser, "user"),
    ];
    assert_eq!(world.audited(true), refused);
    let newest = world.audit_page(false, &[], 1);
    assert_eq!(world.audit_page(false, &newest.next, 1).entries.len(), 1);
    let AuditEntry { at_ms, by_key, about, status, .. } = newest.entries[0].clone();
    let cut = |person: &Person| person.identity().public().as_bytes()[..4].to_vec();
    assert_eq!((at_ms, by_key, about, status), (world.now.wall_ms, cut(alice), cut(bob), 0));
    let refused = world.audit_page(true, &[], 1).entries.remove(0);
    assert_eq!((refused.status, refused.about), (Status::Forbidden as u32, cut(alice)));
}

#[test]
fn nobody_pushes_out_what_was_done_by_being_refused() {
    let limits = RelayLimits { audit_entries_max: 3, ..RelayLimits::ROUTER };
    let (mut world, people) = with(limits, &[ALICE, "Bob"]);
    for administrator in [true, false, true, false] {
        world.set_administrator(&people[0], administrator).unwrap();
    }
    for _ in 0..20 {
        world.ban_as(on(2), Method::BanUser, &people[0]).unwrap_err();
    }
    world.pass(0);
    assert_eq!((world.audited(false).len(), world.audited(true).len()), (3, 3));
    assert_eq!(world.memory.count(AUDIT), 6);
    world.pass(1_000);
    world.ban_as(on(2), Method::BanUser, &people[0]).unwrap_err();
    assert_ne!(world.relay.wake_at(), Some(0), "who is refused often is not noted every time");
}

#[test]
fn a_deleted_account_is_listed_no_more() {
    let (mut world, people) = with(RelayLimits::ROUTER, &[ALICE, "Bob"]);
    super::accounts::delete(&mut world, &people[0], 1);
    let users = world.users(&ListRelayUsersRequest::default()).unwrap().users;
    assert_eq!(users.iter().map(|user| user.username.as_str()).collect::<Vec<_>>(), ["bob"]);
    assert_eq!(world.memory.count(ACCOUNT_ORDER), 1);
}
