//! Links against a list of what each may still be used for.

use proptest::prelude::*;
use qpq_crypto::link::Link;
use qpq_proto::{Method, Status};

use super::*;
use crate::tests::bench::Bench;

const OPEN_MAX: usize = 3;
const DAY_MS: u64 = 86_400_000;

fn bench() -> Bench {
    let mut bench = Bench::of("alice");
    bench.engine.limits.invitations_max = OPEN_MAX;
    bench
}

fn make(bench: &mut Bench, reusable: bool, lifetime_s: u64) -> Result<CreateInvitationResponse, Failure> {
    bench.owner(Method::CreateInvitation, &CreateInvitationRequest { reusable, lifetime_s })
}

fn list(bench: &mut Bench) -> Vec<Invitation> {
    let request = qpq_proto::v1::ListInvitationsRequest {};
    bench.owner::<ListInvitationsResponse>(Method::ListInvitations, &request).unwrap().invitations
}

#[test]
fn lifetimes_end_when_they_say_and_zero_never_ends() {
    let ends = |expires_node_ms| InvitationRecord { expires_node_ms, ..InvitationRecord::default() };
    assert!(!is_expired(&ends(0), u64::MAX));
    assert!(!is_expired(&ends(10), 9));
    assert!(is_expired(&ends(10), 10));
}

#[test]
fn a_link_says_what_the_invitation_is() {
    let mut bench = bench();
    bench.engine.addresses = (0..12).map(|port| ([192, 0, 2, 1], 5_000 + port).into()).collect();
    for reusable in [false, true] {
        let made = make(&mut bench, reusable, 0).unwrap();
        let Ok(Link::Contact(link)) = made.link.parse() else { panic!("no contact link: {}", made.link) };
        assert_eq!((link.token.to_vec(), link.reusable), (made.invitation, reusable));
        assert_eq!((link.name.as_str(), link.node), ("alice", bench.engine.config.node));
        assert_eq!(link.addresses, bench.engine.addresses[..8], "as many addresses as a link holds");
    }
}

#[test]
fn lifetimes_are_shown_by_the_wall_clock_and_do_not_overflow() {
    let mut bench = bench();
    let now_ms = bench.now().wall_ms;
    for (reusable, lifetime_s, expires_at_ms) in
        [(false, 0, now_ms + 7 * DAY_MS), (true, 0, 0), (true, 60, now_ms + 60_000)]
    {
        assert_eq!(make(&mut bench, reusable, lifetime_s).unwrap().expires_at_ms, expires_at_ms);
    }
    bench.now_ms += 60_000;
    assert_eq!(
        make(&mut bench, false, u64::MAX).unwrap().expires_at_ms,
        u64::MAX,
        "in place of the expired one"
    );
    bench.now_ms += 400 * DAY_MS;
    let left: Vec<u64> = list(&mut bench).iter().map(|invitation| invitation.expires_at_ms).collect();
    assert_eq!(left, [0, u64::MAX]);
}

#[derive(Debug, Clone)]
enum Step {
    Make { reusable: bool, lifetime_s: u64 },
    Use(usize),
    Revoke(usize),
    Pass(u64),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let lifetime_s = prop_oneof![Just(0), 1..4 * 86_400u64];
    prop_oneof![
        4 => (any::<bool>(), lifetime_s)
            .prop_map(|(reusable, lifetime_s)| Step::Make { reusable, lifetime_s }),
        4 => (0..16usize).prop_map(Step::Use),
        1 => (0..16usize).prop_map(Step::Revoke),
        2 => (0..3 * DAY_MS).prop_map(Step::Pass),
        1 => Just(Step::Restart),
    ]
}

/// What the onlooker knows of a link.
struct Known {
    token: Vec<u8>,
    reusable: bool,
    /// `None` for never.
    ends_ms: Option<u64>,
    used: u64,
    is_gone: bool,
}

impl Known {
    fn is_open(&self, now_ms: u64) -> bool {
        !self.is_gone && self.ends_ms.is_none_or(|ends_ms| now_ms < ends_ms)
    }
}

fn check_use(bench: &mut Bench, known: &mut Known) {
    let now_ms = bench.now_ms;
    let used = bench.with(|engine, cx| engine.use_invitation(cx, &known.token));
    assert_eq!(used.is_ok(), known.is_open(now_ms));
    match used {
        Ok(record) => {
            known.used += 1;
            known.is_gone = !known.reusable;
            assert_eq!((record.token, record.reusable), (known.token.clone(), known.reusable));
        }
        Err(refused) => assert_eq!(refused.status, Status::NotFound),
    }
}

fn check_make(bench: &mut Bench, all: &mut Vec<Known>, reusable: bool, lifetime_s: u64) {
    let open = all.iter().filter(|known| known.is_open(bench.now_ms)).count();
    match make(bench, reusable, lifetime_s) {
        Err(refused) => assert_eq!((refused.status, open), (Status::QuotaExceeded, OPEN_MAX)),
        Ok(made) => {
            assert!(open < OPEN_MAX && all.iter().all(|known| known.token != made.invitation));
            let lifetime_ms = match (lifetime_s, reusable) {
                (0, true) => None,
                (0, false) => Some(7 * DAY_MS),
                (seconds, _) => Some(seconds * 1_000),
            };
            let ends_ms = lifetime_ms.map(|lifetime_ms| bench.now_ms + lifetime_ms);
            all.push(Known { token: made.invitation, reusable, ends_ms, used: 0, is_gone: false });
        }
    }
}

fn check_revoke(bench: &mut Bench, known: &mut Known) {
    let request = RevokeInvitationRequest { invitation: known.token.clone() };
    let revoked = bench.owner::<RevokeInvitationResponse>(Method::RevokeInvitation, &request);
    assert!(revoked.is_ok() || !known.is_open(bench.now_ms), "an open link can be revoked");
    known.is_gone = true;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn links_do_what_they_were_made_for_and_no_more(steps in proptest::collection::vec(step(), 1..28)) {
        let mut bench = bench();
        let mut all: Vec<Known> = Vec::new();
        for step in steps {
            match step {
                Step::Make { reusable, lifetime_s } => check_make(&mut bench, &mut all, reusable, lifetime_s),
                Step::Use(index) => {
                    if let Some(known) = all.get_mut(index) {
                        check_use(&mut bench, known);
                    }
                }
                Step::Revoke(index) => {
                    if let Some(known) = all.get_mut(index) {
                        check_revoke(&mut bench, known);
                    }
                }
                Step::Pass(ms) => bench.now_ms += ms,
                Step::Restart => drop(bench.restart()),
            }
            let mut shown: Vec<_> =
                list(&mut bench).into_iter().map(|i| (i.invitation, i.reusable, i.used)).collect();
            let open = all.iter().filter(|known| known.is_open(bench.now_ms));
            let mut open: Vec<_> = open.map(|known| (known.token.clone(), known.reusable, known.used)).collect();
            shown.sort();
            open.sort();
            prop_assert_eq!(shown, open);
        }
    }
}
