//! Every method of the table, called with next to nothing.

use qpq_proto::{Method, Service, Status, ids::NodeKey};

use crate::{Caller, Input, tests::bench::Bench};

/// Those who call: which methods each may reach is the driver's to check.
const CALLERS: [Caller; 3] = [Caller::Owner, Caller::Public, Caller::Node(NodeKey::from_bytes([7; 32]))];

/// Owner's methods that are the daemon's or the relay's alone.
const OTHERS: [Method; 12] = [
    Method::CreateBackup,
    Method::VerifyBackup,
    Method::ExportBundles,
    Method::ImportBundles,
    Method::CreateRelayInvitation,
    Method::ListRelayUsers,
    Method::SetRelayAdministrator,
    Method::BanRelayUser,
    Method::UnbanRelayUser,
    Method::ListRelayReports,
    Method::ListRelayBans,
    Method::ReadRelayAudit,
];

fn call(
    bench: &mut Bench,
    caller: Caller,
    method: Method,
    payload: &'static [u8],
) -> Result<(), qpq_proto::Failure> {
    bench.input(Input::Call { caller, method, payload: payload.into() }).answer.unwrap().map(drop)
}

fn is_offered(method: Method) -> bool {
    match method.service() {
        Service::Owner => !OTHERS.contains(&method),
        Service::Mesh => true,
        _ => matches!(method, Method::Enqueue | Method::FetchHybridKey),
    }
}

#[test]
fn what_is_not_offered_says_so_and_nothing_else_does() {
    let mut bench = Bench::of("alice");
    for method in Method::ALL {
        let answer = call(&mut bench, Caller::Owner, *method, b"");
        let says_so = answer.is_err_and(|refused| {
            refused.status == Status::Forbidden && refused.message.contains("does not offer")
        });
        assert_eq!(says_so, !is_offered(*method), "{method:?}");
    }
}

#[test]
fn what_cannot_be_decoded_is_a_bad_request() {
    for method in Method::ALL.iter().filter(|method| is_offered(**method)) {
        let mut bench = Bench::of("alice");
        for payload in [&[0xff][..], &[0x0a, 0x7f], &[0x0a; 3]] {
            // A message without fields skips those it does not know, but not half of one.
            let refused = call(&mut bench, Caller::Owner, *method, payload).unwrap_err();
            assert_eq!(refused.status, Status::BadRequest, "{method:?} {payload:?}");
        }
    }
}

#[test]
fn an_empty_request_breaks_nothing() {
    for mut bench in [Bench::empty(), Bench::of("alice")] {
        let tables =
            |bench: &Bench| crate::tables::ALL.iter().map(|table| bench.memory.count(*table)).collect();
        for method in Method::ALL {
            for caller in CALLERS {
                let before: Vec<usize> = tables(&bench);
                if let Err(refused) = call(&mut bench, caller, *method, b"") {
                    assert_ne!(refused.status, Status::Internal, "{method:?} by {caller:?}");
                    assert!(!refused.message.is_empty(), "{method:?} by {caller:?}");
                    let after: Vec<usize> = tables(&bench);
                    assert_eq!(after, before, "{method:?} was refused and changed something");
                }
            }
        }
    }
}

#[test]
fn a_node_without_a_person_says_what_to_do_first() {
    let mut bench = Bench::empty();
    for method in [Method::CreateInvitation, Method::AddContact, Method::ShowIdentity, Method::DeleteGroup] {
        let refused = call(&mut bench, Caller::Owner, method, b"").unwrap_err();
        assert_eq!(refused.status, Status::Conflict, "{method:?}");
        assert!(refused.message.contains("qpq init"), "{method:?}: {}", refused.message);
    }
}
