//! Reports that only administrators read, and bans that end sessions at once.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use qpq_proto::ids::MessageId;
use qpq_proto::limits::{RateLimit, RelayLimits};
use qpq_proto::v1::{
    BanUserRequest, BanUserResponse, ListBannedRequest, ListBannedResponse, ListReportsRequest,
    ListReportsResponse, ReportMessageRequest, ReportMessageResponse, UnbanUserRequest, UnbanUserResponse,
};
use qpq_proto::{Failure, Method, Status};

use super::world::{Device, World};
use crate::input::Effect;
use crate::moderation::check_not_banned;
use crate::tables::{BAN_ORDER, BANS, DUES, REPORTERS, REPORTS};

const ALICE: Device = Device { person: 1, number: 1 };
const BOB: Device = Device { person: 2, number: 1 };
const BOBS_PHONE: Device = Device { person: 2, number: 2 };
const ROOT: Device = Device { person: 9, number: 1 };
const DAY_MS: u64 = 86_400_000;

fn world() -> World {
    let often = RateLimit { burst: 100, interval_us: 1 };
    with(RelayLimits { reports_per_account: often, reports_per_account_max: 5, ..RelayLimits::ROUTER })
}

fn with(limits: RelayLimits) -> World {
    let mut world = World::with(RelayLimits { removals_per_step_max: 2, ..limits });
    for device in [ALICE, BOB, BOBS_PHONE, ROOT] {
        world.enrol(device);
    }
    world.log_in(ROOT, true);
    world
}

fn report(text: &str) -> ReportMessageRequest {
    ReportMessageRequest {
        channel_id: vec![1; 16],
        message_id: MessageId::from_parts(1, [2; 10]).to_vec(),
        report: text.as_bytes().to_vec(),
        franking_proof: vec![3; 64],
    }
}

impl World {
    fn report(&mut self, who: Device, request: &ReportMessageRequest) -> Result<Vec<u8>, Failure> {
        let answer: ReportMessageResponse = self.call(who.caller(), Method::ReportMessage, request)?;
        Ok(answer.report_id)
    }

    fn reports(&mut self, cursor: &[u8], limit: u32) -> Result<ListReportsResponse, Failure> {
        let request = ListReportsRequest { cursor: cursor.to_vec(), limit };
        self.call(ROOT.caller(), Method::ListReports, &request)
    }

    fn ban(&mut self, whom: Device, reason: &str, until_ms: u64) -> Result<(), Failure> {
        let request =
            BanUserRequest { identity_key: whom.identity().to_vec(), reason: reason.to_owned(), until_ms };
        self.call(ROOT.caller(), Method::BanUser, &request).map(|_: BanUserResponse| ())
    }

    fn unban(&mut self, whom: Device) -> Result<(), Failure> {
        let request = UnbanUserRequest { identity_key: whom.identity().to_vec() };
        self.call(ROOT.caller(), Method::UnbanUser, &request).map(|_: UnbanUserResponse| ())
    }

    fn banned(&mut self, cursor: &[u8], limit: u32) -> Result<ListBannedResponse, Failure> {
        let request = ListBannedRequest { cursor: cursor.to_vec(), limit };
        self.call(ROOT.caller(), Method::ListBanned, &request)
    }

    fn is_banned(&self, whom: Device) -> bool {
        check_not_banned(&self.memory, whom.identity(), self.moment()).is_err()
    }
}

#[test]
fn reports_are_listed_oldest_first_page_by_page() {
    let mut world = world();
    let ids: Vec<_> = ["a", "b", "c"].map(|text| world.report(ALICE, &report(text)).unwrap()).into();
    assert!(ids.iter().all(|id| id.len() == 16) && ids[0] != ids[1]);
    let first = world.reports(&[], 2).unwrap();
    let second = world.reports(&first.next, 2).unwrap();
    assert!(second.next.is_empty());
    let all: Vec<_> = first.reports.into_iter().chain(second.reports).collect();
    assert_eq!(all.iter().map(|report| report.report_id.clone()).collect::<Vec<_>>(), ids);
    let ReportMessageRequest { channel_id, message_id, report, franking_proof } = report("b");
    let listed = &all[1];
    assert_eq!((&listed.channel_id, &listed.message_id), (&channel_id, &message_id));
    assert_eq!((&listed.report, &listed.franking_proof), (&report, &franking_proof));
    assert_eq!((&listed.reporter, listed.reported_at_ms), (&ALICE.identity().to_vec(), world.now.wall_ms));
    assert_eq!(world.reports(&[], 3).unwrap().next, [0; 0]);
}

#[test]
fn a_page_of_long_reports_fits_a_frame() {
    let mut world = with(RelayLimits {
        reports_per_account: RateLimit { burst: 1_000, interval_us: 1 },
        reports_per_account_max: 100,
        ..RelayLimits::ROUTER
    });
    let long = report(&"x".repeat(65_536));
    for _ in 0..70 {
        world.report(ALICE, &long).unwrap();
    }
    let first = world.reports(&[], 100).unwrap();
    assert!(prost::Message::encoded_len(&first) <= 4_194_304);
    let second = world.reports(&first.next, 100).unwrap();
    assert_eq!(first.reports.len() + second.reports.len(), 70);
}

#[test]
fn reports_are_few_for_one_and_end_with_time() {
    let mut world = world();
    for _ in 0..5 {
        world.report(ALICE, &report("x")).unwrap();
    }
    assert_eq!(world.report(ALICE, &report("x")).unwrap_err().status, Status::QuotaExceeded);
    world.report(BOB, &report("y")).unwrap();
    world.pass(89 * DAY_MS);
    assert_eq!(world.reports(&[], 0).unwrap().reports.len(), 6);
    world.pass(2 * DAY_MS);
    assert_eq!((world.memory.count(REPORTS), world.memory.count(REPORTERS)), (0, 0));

    let mut world = with(RelayLimits { reports_max: 3, ..RelayLimits::ROUTER });
    for _ in 0..3 {
        world.report(ALICE, &report("x")).unwrap();
    }
    assert_eq!(world.report(BOB, &report("x")).unwrap_err().status, Status::QuotaExceeded);

    let mut world = with(RelayLimits {
        reports_per_account: RateLimit { burst: 1, interval_us: 1_000_000 },
        ..RelayLimits::ROUTER
    });
    world.report(ALICE, &report("x")).unwrap();
    assert_eq!(world.report(ALICE, &report("x")).unwrap_err().status, Status::RateLimited);
    world.report(BOB, &report("x")).unwrap();
}

#[test]
fn a_ban_ends_sessions_at_once_and_is_lifted_or_ends() {
    let mut world = world();
    let until_ms = world.now.wall_ms + 2 * DAY_MS;
    world.effects();
    world.ban(BOB, "spam", until_ms).unwrap();
    let ended: Vec<_> = world
        .effects()
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Disconnect { connection } => Some(connection),
            _ => None,
        })
        .collect();
    assert_eq!(ended, [BOB.connection(), BOBS_PHONE.connection()]);
    assert_eq!(world.report(BOB, &report("x")).unwrap_err().status, Status::Unauthorized);
    let refused = check_not_banned(&world.memory, BOB.identity(), world.moment()).unwrap_err();
    assert_eq!(refused.status, Status::Forbidden);
    assert!(refused.message.contains("spam"), "{refused}");
    assert!(!world.is_banned(ALICE));
    world.pass(2 * DAY_MS - 1);
    assert!(world.is_banned(BOB));
    world.pass(1);
    assert!(!world.is_banned(BOB));
    assert_eq!(world.banned(&[], 0).unwrap().bans, []);
    assert_eq!(world.unban(BOB).unwrap_err().status, Status::NotFound);
    world.pass(3_600_000);
    for table in [BANS, BAN_ORDER, DUES] {
        assert_eq!(world.memory.count(table), 0, "{table:?}");
    }
    world.ban(ALICE, "", 0).unwrap();
    world.pass(1_000 * DAY_MS);
    assert!(world.is_banned(ALICE), "for good");
    world.unban(ALICE).unwrap();
    assert!(!world.is_banned(ALICE));
}

#[test]
fn what_is_malformed_is_refused_by_field() {
    let mut world = world();
    let good = report("x");
    for (request, field) in [
        (ReportMessageRequest { channel_id: vec![1; 15], ..good.clone() }, "channel_id"),
        (ReportMessageRequest { message_id: vec![1; 15], ..good.clone() }, "message_id"),
        (ReportMessageRequest { message_id: vec![1; 16], ..good.clone() }, "message_id"),
        (ReportMessageRequest { report: Vec::new(), ..good.clone() }, "report"),
        (ReportMessageRequest { report: vec![1; 65_537], ..good.clone() }, "report"),
        (ReportMessageRequest { franking_proof: vec![1; 1_025], ..good }, "franking_proof"),
    ] {
        let refused = world.report(ALICE, &request).unwrap_err();
        assert_eq!((refused.status, refused.field.as_str()), (Status::BadRequest, field));
    }
    let now_ms = world.now.wall_ms;
    for (refused, field) in [
        (world.ban(BOB, &"x".repeat(1_025), 0).unwrap_err(), "reason"),
        (world.ban(BOB, "", now_ms).unwrap_err(), "until_ms"),
        (world.reports(&[1; 7], 0).unwrap_err(), "cursor"),
        (world.reports(&[], 257).unwrap_err(), "limit"),
        (world.banned(&[1; 9], 0).unwrap_err(), "cursor"),
        (world.banned(&[], 257).unwrap_err(), "limit"),
    ] {
        assert_eq!((refused.status, refused.field.as_str()), (Status::BadRequest, field));
    }
    let ban = BanUserRequest { identity_key: vec![1; 31], ..Default::default() };
    let refused: Result<BanUserResponse, _> = world.call(ROOT.caller(), Method::BanUser, &ban);
    assert_eq!(refused.unwrap_err().field, "identity_key");
    let unban = UnbanUserRequest { identity_key: vec![1; 31] };
    let refused: Result<UnbanUserResponse, _> = world.call(ROOT.caller(), Method::UnbanUser, &unban);
    assert_eq!(refused.unwrap_err().field, "identity_key");
    assert_eq!(world.ban(ROOT, "", 0).unwrap_err().status, Status::Forbidden);
}

#[test]
fn a_report_outlives_its_account_without_a_name_and_a_ban_with_it() {
    let mut world = world();
    world.report(BOB, &report("x")).unwrap();
    world.ban(BOB, "", 0).unwrap();
    crate::moderation::forget_account(&mut world.memory, BOB.identity()).unwrap();
    assert_eq!(world.reports(&[], 0).unwrap().reports[0].reporter, [0; 0]);
    assert!(world.is_banned(BOB));
    assert_eq!(world.memory.count(REPORTERS), 0);
    world.pass(91 * DAY_MS);
    assert_eq!(world.memory.count(REPORTS), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A step bans somebody for so many hours, 0 for good, or lifts a ban; hours pass.
    #[test]
    fn who_is_banned_is_what_a_plain_map_says(
        steps in vec((1..6_u8, prop::option::of(0..40_u64), 0..30_u64), 1..40),
    ) {
        let mut world = world();
        let somebody = |person: u8| Device { person: person + 20, number: 1 };
        let mut plain: BTreeMap<u8, u64> = BTreeMap::new();
        for (person, ban, pause) in steps {
            world.pass(pause * 3_600_000);
            let now_ms = world.now.wall_ms;
            plain.retain(|_, until_ms| *until_ms == 0 || *until_ms > now_ms);
            match ban {
                Some(hours) => {
                    let until_ms = if hours == 0 { 0 } else { now_ms + hours * 3_600_000 };
                    world.ban(somebody(person), "", until_ms).unwrap();
                    plain.insert(person, until_ms);
                }
                None => {
                    let is_done = world.unban(somebody(person)).is_ok();
                    prop_assert_eq!(is_done, plain.remove(&person).is_some());
                }
            }
            for person in 1..6 {
                prop_assert_eq!(world.is_banned(somebody(person)), plain.contains_key(&person));
            }
            let (mut listed, mut cursor) = (0, Vec::new());
            loop {
                let page = world.banned(&cursor, 2).unwrap();
                listed += page.bans.len();
                cursor = page.next;
                if cursor.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(listed, plain.len());
        }
    }
}
