use super::*;

fn failure(status: Status, field: &str) -> Failure {
    Failure { status, message: String::new(), retry_after_ms: 0, field: field.to_owned(), work: None }
}

#[test]
fn every_status_has_its_code() {
    for (status, field, exit) in [
        (Status::BadRequest, "name", Exit::Usage),
        (Status::Unauthorized, "", Exit::Denied),
        (Status::Forbidden, "", Exit::Denied),
        (Status::Forbidden, "verification", Exit::Untrusted),
        (Status::NotFound, "", Exit::Negative),
        (Status::RateLimited, "", Exit::Denied),
        (Status::Conflict, "name", Exit::Negative),
        (Status::Conflict, "verification", Exit::Untrusted),
        (Status::QuotaExceeded, "", Exit::Denied),
        (Status::DeadlineExceeded, "", Exit::TimedOut),
        (Status::Unavailable, "", Exit::Unreachable),
        (Status::Internal, "", Exit::Bug),
        (Status::UnknownMethod, "", Exit::Unreachable),
    ] {
        assert_eq!(Error::Failure(failure(status, field)).exit(), exit, "{status:?} {field:?}");
    }
}

#[test]
fn codes_are_the_documented_ones() {
    let codes = [
        Exit::Ok,
        Exit::Negative,
        Exit::Usage,
        Exit::Unreachable,
        Exit::Untrusted,
        Exit::TimedOut,
        Exit::Denied,
        Exit::Bug,
    ];
    assert_eq!(codes.map(|exit| exit as u8), [0, 1, 2, 3, 4, 5, 6, 70]);
}

#[test]
fn own_errors() {
    let fix = "qpqd".to_owned();
    for (error, exit) in [
        (Error::Usage("no".into()), Exit::Usage),
        (Error::Unconfirmed("remove @bob".into()), Exit::Usage),
        (Error::Declined, Exit::Negative),
        (Error::Unreachable { reason: "no".into(), fix: fix.clone() }, Exit::Unreachable),
        (Error::NotPermitted { reason: "no".into(), fix: fix.clone() }, Exit::Denied),
        (Error::Untrusted { reason: "no".into(), fix }, Exit::Untrusted),
        (Error::TimedOut("late".into()), Exit::TimedOut),
        (Error::Lost("gone".into()), Exit::Unreachable),
        (Error::Silent("nothing came".into()), Exit::Unreachable),
        (Error::Unreadable("garbage".into()), Exit::Bug),
        (Error::Incomplete("a message"), Exit::Bug),
        (Error::OutputClosed, Exit::Ok),
        (Error::Said(Exit::Negative), Exit::Negative),
    ] {
        assert_eq!(error.exit(), exit, "{error}");
    }
}

#[test]
fn an_absent_daemon_is_told_from_one_that_refuses() {
    for (error, is_absence) in [
        (Error::Lost("gone".into()), true),
        (Error::Silent("nothing came".into()), true),
        (Error::Failure(failure(Status::Unavailable, "")), true),
        (Error::Failure(failure(Status::NotFound, "")), false),
        (Error::OutputClosed, false),
    ] {
        assert_eq!(error.is_absence(), is_absence, "{error}");
    }
}

#[test]
fn advice_names_the_contact_where_it_is_known() {
    let refused = || Error::Failure(failure(Status::Conflict, "verification"));
    let (named, unnamed) = (refused().about("@bob"), refused().about("#picnic"));
    assert_eq!((named.exit(), named.fix()), (Exit::Untrusted, Some("qpq contact verify @bob")));
    assert_eq!((unnamed.exit(), unnamed.fix()), (Exit::Untrusted, Some("qpq contact verify NAME")));
    assert!(matches!(Error::Declined.about("@bob"), Error::Declined));
}

#[test]
fn failures_read_well() {
    let mut limited = failure(Status::RateLimited, "");
    limited.retry_after_ms = 1_500;
    assert_eq!(Error::Failure(limited).to_string(), "too often (try again in 2 s)");
    let mut taken = failure(Status::Conflict, "name");
    taken.message = "the name is taken".to_owned();
    assert_eq!(Error::Failure(taken).to_string(), "the name is taken");
}
