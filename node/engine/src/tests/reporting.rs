//! A message is reported to the administrators of a relay, who alone can read the report.

use prost::Message as _;
use qpq_proto::{Failure, Method, Status, ids::Identity, v1};

use super::world::World;

const ALICE: usize = 0;
const BOB: usize = 1;
const ROOT: usize = 2;

/// Alice and bob are contacts; alice and root have accounts at a relay that root administers.
fn world() -> World {
    let mut world = World::of(&["alice", "bob", "root"]);
    world.befriend(ALICE, BOB);
    let link = world.add_office();
    for node in [ALICE, ROOT] {
        assert_eq!(world.register(node, &link).unwrap().state, "ready");
    }
    let root = identity(&mut world, ROOT);
    world.offices[0].appoint(root);
    world
}

fn identity(world: &mut World, node: usize) -> Identity {
    let shown: v1::ShowIdentityResponse =
        world.owner(node, Method::ShowIdentity, &v1::ShowIdentityRequest {}).unwrap();
    Identity::try_from(shown.identity.as_slice()).unwrap()
}

/// Bob writes to alice; the ids of what it wrote.
fn written(world: &mut World, texts: &[&str]) -> Vec<Vec<u8>> {
    let ids = texts.iter().map(|text| world.send(BOB, "@alice", text).unwrap().id).collect();
    world.settle();
    ids
}

fn about(message: &[u8]) -> v1::ReportToRelayRequest {
    let (message_id, reason) = (message.to_vec(), "spam".into());
    v1::ReportToRelayRequest { message_id, reason, ..Default::default() }
}

fn begin(world: &mut World, request: &v1::ReportToRelayRequest) -> Result<u64, Failure> {
    let begun: v1::ReportToRelayResponse = world.owner(ALICE, Method::ReportToRelay, request)?;
    Ok(begun.errand)
}

fn wait(world: &mut World, node: usize, errand: u64) -> Result<v1::WaitRelayErrandResponse, Failure> {
    world.settle();
    world.owner(node, Method::WaitRelayErrand, &v1::WaitRelayErrandRequest { errand, timeout_ms: 0 })
}

fn report(
    world: &mut World,
    request: &v1::ReportToRelayRequest,
) -> Result<v1::WaitRelayErrandResponse, Failure> {
    let errand = begin(world, request)?;
    wait(world, ALICE, errand)
}

/// A page of the reports, as an account of the relay sees them.
fn fetch(world: &mut World, node: usize, cursor: &[u8]) -> Result<v1::WaitRelayErrandResponse, Failure> {
    let request = v1::FetchReportsRequest { relay: String::new(), cursor: cursor.to_vec() };
    let begun: v1::FetchReportsResponse = world.owner(node, Method::FetchReports, &request)?;
    wait(world, node, begun.errand)
}

#[test]
fn administrators_read_what_was_disclosed_and_the_relay_does_not() {
    let mut world = world();
    let ids = written(&mut world, &["hello", "buy this", "buy that"]);
    let handed_in = report(&mut world, &v1::ReportToRelayRequest { before: 1, ..about(&ids[2]) }).unwrap();
    assert_eq!((handed_in.done, handed_in.administrators), (true, 1));

    let page = fetch(&mut world, ROOT, &[]).unwrap();
    let v1::OpenedReport { report, fault, signed_by, disclosed } = page.reports[0].clone();
    let (report, disclosed) = (report.unwrap(), disclosed.unwrap());
    let (alice, bob) = (identity(&mut world, ALICE), identity(&mut world, BOB));
    assert_eq!((fault.as_str(), signed_by, report.report_id), ("", alice.to_vec(), handed_in.report_id));
    assert_eq!(disclosed.reason, "spam");
    let said: Vec<_> = disclosed.messages.iter().map(|message| message.text.as_str()).collect();
    assert_eq!(said, ["buy this", "buy that"], "and nothing else");
    assert!(disclosed.messages.iter().all(|message| message.sender == bob.as_bytes() && !message.cut));

    let kept = world.offices[0].reports[0].encode_to_vec();
    for secret in [&b"buy that"[..], b"spam", bob.as_bytes()] {
        assert!(!kept.windows(secret.len()).any(|window| window == secret));
    }
}

#[test]
fn reports_are_given_page_by_page() {
    let mut world = world();
    let ids = written(&mut world, &["buy this"]);
    for _ in 0..10 {
        report(&mut world, &about(&ids[0])).unwrap();
    }
    let first = fetch(&mut world, ROOT, &[]).unwrap();
    let second = fetch(&mut world, ROOT, &first.next).unwrap();
    assert_eq!((first.reports.len(), second.reports.len(), second.next.len()), (8, 2, 0));
}

#[test]
fn who_does_not_administer_the_relay_reads_nothing() {
    let mut world = world();
    let ids = written(&mut world, &["buy this"]);
    report(&mut world, &about(&ids[0])).unwrap();
    let refused = fetch(&mut world, ALICE, &[]).unwrap_err();
    assert_eq!(refused.status, Status::Forbidden, "{refused}");
    let stolen = v1::OpenReportsRequest { reports: world.offices[0].reports.clone() };
    let opened: v1::OpenReportsResponse = world.owner(ALICE, Method::OpenReports, &stolen).unwrap();
    assert!(opened.reports[0].fault.contains("other administrators"), "{opened:?}");
    assert_eq!(opened.reports[0].disclosed, None);
    let opened: v1::OpenReportsResponse = world.owner(ROOT, Method::OpenReports, &stolen).unwrap();
    assert_eq!(opened.reports[0].fault, "");
}

#[test]
fn a_key_that_its_person_did_not_sign_is_sealed_to_by_nobody() {
    let mut world = world();
    let ids = written(&mut world, &["buy this"]);
    let bob = identity(&mut world, BOB);
    let told = &mut world.offices[0].administrators;
    told[0].identity_key = bob.to_vec();
    let refused = report(&mut world, &about(&ids[0])).unwrap_err();
    assert!(refused.message.contains("nobody who administers"), "{refused}");
    assert!(world.offices[0].reports.is_empty());
}

#[test]
fn what_cannot_be_reported_is_said() {
    let mut world = world();
    let ids = written(&mut world, &["buy this"]);
    let own = world.send(ALICE, "@bob", "no").unwrap().id;
    for (request, status, words) in [
        (about(&own), Status::BadRequest, "nobody reports itself"),
        (about(&[9; 16]), Status::NotFound, "no message"),
        (v1::ReportToRelayRequest { before: 17, ..about(&ids[0]) }, Status::BadRequest, "at most 16"),
        (
            v1::ReportToRelayRequest { reason: "x".repeat(1_025), ..about(&ids[0]) },
            Status::BadRequest,
            "reason",
        ),
        (
            v1::ReportToRelayRequest { relay: "elsewhere".into(), ..about(&ids[0]) },
            Status::NotFound,
            "mailbox",
        ),
    ] {
        let refused = begin(&mut world, &request).unwrap_err();
        assert_eq!(refused.status, status, "{refused}");
        assert!(refused.message.contains(words), "{refused}");
    }
}

#[test]
fn a_relay_that_is_lost_is_not_waited_for() {
    let mut world = world();
    let ids = written(&mut world, &["buy this"]);
    world.offices[0].is_silent = true;
    let refused = report(&mut world, &about(&ids[0])).unwrap_err();
    assert!(refused.message.contains("was not reached"), "{refused}");
    world.offices[0].is_silent = false;
    let errand = begin(&mut world, &about(&ids[0])).unwrap();
    world.open_office(0, false);
    let refused = wait(&mut world, ALICE, errand).unwrap_err();
    assert!(refused.message.contains("broke"), "{refused}");
    assert!(begin(&mut world, &about(&ids[0])).unwrap_err().message.contains("not reached"));
    world.open_office(0, true);
    world.pass(10_000);
    assert!(report(&mut world, &about(&ids[0])).unwrap().done);
    world.stop(ALICE);
    world.start(ALICE);
    assert_eq!(wait(&mut world, ALICE, errand).unwrap_err().status, Status::NotFound);
}
