use proptest::prelude::*;

use super::*;

#[test]
fn each_constructor_says_what_happened() {
    let rows = [
        (Failure::bad_request("text", "too long"), Status::BadRequest, "too long"),
        (Failure::unauthorized("no session"), Status::Unauthorized, "no session"),
        (Failure::forbidden("another's mailbox"), Status::Forbidden, "another's mailbox"),
        (
            Failure::work_needed(WorkChallenge { challenge: vec![7; 16], bits: 20 }),
            Status::Forbidden,
            "this takes some work, which was not done",
        ),
        (Failure::not_found("no such contact"), Status::NotFound, "no such contact"),
        (Failure::rate_limited(1_500), Status::RateLimited, "too many calls"),
        (Failure::conflict("name taken"), Status::Conflict, "name taken"),
        (Failure::quota("outbox full"), Status::QuotaExceeded, "outbox full"),
        (Failure::deadline_exceeded(), Status::DeadlineExceeded, "the call took too long"),
        (Failure::unavailable("draining", 250), Status::Unavailable, "draining"),
        (Failure::internal(), Status::Internal, "internal error"),
        (
            Failure::not_offered(Method::BanUser),
            Status::Forbidden,
            "this node does not offer BanUser in its present role",
        ),
        (Failure::unknown_method(99), Status::UnknownMethod, "there is no method 99"),
    ];
    for (failure, status, message) in rows {
        assert_eq!((failure.status, failure.message.as_str()), (status, message));
        assert_eq!(failure.to_string(), format!("{status}: {message}"));
        assert_eq!(Failure::from_detail(failure.status, &failure.to_detail()), failure);
    }
}

#[test]
fn long_texts_are_cut_between_characters_on_both_sides() {
    let failure = Failure::bad_request("f".repeat(1_000), "\u{fc}".repeat(1_000));
    let detail = failure.to_detail();
    let arrived = Failure::from_detail(failure.status, &detail);
    assert_eq!(arrived.message, "\u{fc}".repeat(FAILURE_MESSAGE_BYTES_MAX / 2));
    assert_eq!(arrived.field.len(), FAILURE_FIELD_BYTES_MAX);

    let long = ErrorDetail { message: "m".repeat(FAILURE_MESSAGE_BYTES_MAX + 1), ..Default::default() };
    let arrived = Failure::from_detail(Status::NotFound, &long.encode_to_vec());
    assert_eq!(arrived.message.len(), FAILURE_MESSAGE_BYTES_MAX);
}

#[test]
fn a_flood_or_garbage_instead_of_a_detail_leaves_the_status() {
    for payload in [vec![0xff; 3], vec![b'm'; 1_000_000]] {
        let failure = Failure::from_detail(Status::Conflict, &payload);
        assert_eq!((failure.status, failure.message.as_str()), (Status::Conflict, ""));
    }
    assert_eq!(Failure::from_detail(Status::Ok, &[]).status, Status::Internal);
}

#[test]
fn a_neighbour_cannot_write_on_the_terminal() {
    let detail = ErrorDetail { message: "\u{1b}[2Jgone\r\n".to_owned(), ..Default::default() };
    let failure = Failure::from_detail(Status::Forbidden, &detail.encode_to_vec());
    assert_eq!(failure.message, "\u{fffd}[2Jgone\u{fffd}\u{fffd}");
}

proptest! {
    #[test]
    fn any_detail_becomes_a_bounded_failure(payload in proptest::collection::vec(any::<u8>(), 0..300)) {
        let failure = Failure::from_detail(Status::Internal, &payload);
        prop_assert!(failure.message.len() <= FAILURE_MESSAGE_BYTES_MAX);
        prop_assert!(failure.message.chars().all(|character| !character.is_control()));
        prop_assert_eq!(Failure::from_detail(failure.status, &failure.to_detail()), failure);
    }

    #[test]
    fn a_failure_survives_the_wire(message in "[^\\p{Cc}]{0,40}", field in "[a-z_]{0,20}", retry_after_ms: u64) {
        let failure = Failure { retry_after_ms, ..Failure::bad_request(field, message) };
        prop_assert_eq!(Failure::from_detail(failure.status, &failure.to_detail()), failure);
    }
}
