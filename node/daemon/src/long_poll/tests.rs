use std::cell::Cell;

use qpq_proto::Status;

use super::*;

/// The ends that wake a poll.
struct Ends {
    events: watch::Sender<u64>,
    draining: watch::Sender<bool>,
}

fn wakeups() -> (Ends, Wakeups) {
    let (events, seen_events) = watch::channel(0);
    let (draining, seen_draining) = watch::channel(false);
    (Ends { events, draining }, Wakeups { events: seen_events, draining: seen_draining })
}

fn request(timeout_ms: u32) -> Bytes {
    v1::ReadEventsRequest { since: 3, limit: 7, timeout_ms }.encode_to_vec().into()
}

fn response(events: usize) -> Bytes {
    let events = vec![v1::Event::default(); events];
    v1::ReadEventsResponse { events, next: 3, lagged: 0 }.encode_to_vec().into()
}

#[tokio::test(start_paused = true)]
async fn what_is_there_is_answered_at_once() {
    let (_ends, wakeups) = wakeups();
    let asked = Cell::new(0);
    let answer = poll::<v1::ReadEventsRequest, _>(request(60_000), wakeups, async |payload| {
        asked.set(asked.get() + 1);
        assert_eq!(payload, request(0), "the engine is told not to wait");
        Ok(response(1))
    });
    assert_eq!(answer.await, Ok(response(1)));
    assert_eq!(asked.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn each_event_is_looked_at_until_the_answer_is_there() {
    let (ends, wakeups) = wakeups();
    let asked = Cell::new(0);
    let answer = poll::<v1::ReadEventsRequest, _>(request(60_000), wakeups, async |_| {
        asked.set(asked.get() + 1);
        // The event comes while the engine is being asked: it must not be missed.
        ends.events.send(asked.get()).unwrap();
        Ok(response(usize::from(asked.get() == 3)))
    });
    assert_eq!(answer.await, Ok(response(1)));
    assert_eq!(asked.get(), 3);
}

#[tokio::test(start_paused = true)]
async fn when_the_time_is_up_the_last_answer_is_given() {
    let started = Instant::now();
    for timeout_ms in [0, 1_500] {
        let (_ends, wakeups) = wakeups();
        let answer =
            poll::<v1::ReadEventsRequest, _>(request(timeout_ms), wakeups, async |_| Ok(response(0)));
        assert_eq!(answer.await, Ok(response(0)));
    }
    assert_eq!(started.elapsed().as_millis() / 100, 15);
}

#[tokio::test(start_paused = true)]
async fn draining_ends_the_waiting() {
    let started = Instant::now();
    let (ends, wakeups) = wakeups();
    let answer = poll::<v1::ReadEventsRequest, _>(request(60_000), wakeups, async |_| Ok(response(0)));
    let (answer, ()) = tokio::join!(answer, async { ends.draining.send(true).unwrap() });
    assert_eq!(answer, Ok(response(0)));
    assert_eq!(started.elapsed().as_secs(), 0);
}

#[tokio::test(start_paused = true)]
async fn failures_and_broken_requests_are_answered() {
    let ask = async |_| Err(Failure::not_found("no such message"));
    let wait = |payload: Bytes| poll::<v1::WaitMessageRequest, _>(payload, wakeups().1, ask);
    assert_eq!(wait(Bytes::new()).await.unwrap_err().status, Status::NotFound);
    assert_eq!(wait(Bytes::from_static(&[0xff])).await.unwrap_err().status, Status::BadRequest);
    let too_long = v1::WaitMessageRequest { timeout_ms: 3_600_001, ..Default::default() };
    assert_eq!(wait(too_long.encode_to_vec().into()).await.unwrap_err().field, "timeout_ms");
}

#[test]
fn what_is_final_depends_on_the_method() {
    let message = |state: &str| Some(v1::Message { state: state.to_owned(), ..Default::default() });
    let waited = |state, reached| v1::WaitMessageResponse {
        message: message(state),
        reached,
        waiting_for: Vec::new(),
    };
    let cases =
        [("queued", false, false), ("sent", true, true), ("expired", false, true), ("failed", false, true)];
    for (state, reached, is_final) in cases {
        assert_eq!(v1::WaitMessageRequest::is_final(&waited(state, reached)), is_final, "{state}");
    }
    let change = |committed, failed: &str| v1::WaitChangeResponse {
        change: Some(v1::GroupChange { committed, failed: failed.to_owned(), ..Default::default() }),
    };
    assert!(!v1::WaitChangeRequest::is_final(&v1::WaitChangeResponse::default()));
    assert!(!v1::WaitChangeRequest::is_final(&change(false, "")));
    assert!(v1::WaitChangeRequest::is_final(&change(true, "")));
    assert!(v1::WaitChangeRequest::is_final(&change(false, "refused")));
}
