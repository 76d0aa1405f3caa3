mod chance;
mod stage;

use bytes::Bytes;
use qpq_engine::Caller;
use qpq_engine::storage::Key;
use qpq_proto::{Failure, Status};

use self::stage::{METHOD, Script, Stage, TABLE, Watched};
use super::*;

#[tokio::test]
async fn what_waits_is_committed_together() {
    let stage = Stage::new(Limits::SERVER).await;
    let answers = stage.together(&["a", "b", "c", "d", "e"]).await;
    assert_eq!(answers, ["a", "b", "c", "d", "e"].map(|word| Ok(Bytes::from_static(word.as_bytes()))));
    assert_eq!(stage.commits(), 1);
}

#[tokio::test]
async fn a_batch_is_bounded_in_inputs_and_in_bytes() {
    let words = ["a", "b", "c", "d", "e", "f"];
    let stage = Stage::new(Limits { batch_inputs_max: 2, ..Limits::SERVER }).await;
    let _effects = stage.take_effects();
    stage.together(&words).await;
    assert_eq!(stage.commits(), 3);
    let stage = Stage::new(Limits { batch_bytes_max: 1, ..Limits::SERVER }).await;
    let _effects = stage.take_effects();
    stage.together(&words).await;
    assert_eq!(stage.commits(), 6);
}

#[tokio::test]
async fn a_full_queue_makes_callers_wait_and_loses_nobody() {
    let stage = Stage::new(Limits { write_queue_max: 2, ..Limits::SERVER }).await;
    let _effects = stage.take_effects();
    let answers = stage.together(&["a", "b", "c", "d", "e", "f"]).await;
    assert!(answers.iter().all(Result::is_ok));
}

#[tokio::test]
async fn a_failed_or_refused_input_takes_only_its_own_writes_with_it() {
    let stage = Stage::new(Limits::SERVER).await;
    let answers = stage.together(&["a", "fail", "refuse", "b"]).await;
    let expected = [
        Ok(Bytes::from_static(b"a")),
        Err(Failure::internal()),
        Err(Failure::conflict("refused")),
        Ok(Bytes::from_static(b"b")),
    ];
    assert_eq!(answers, expected);
    assert_eq!(stage.commits(), 1);
    let mut committed = Vec::new();
    for word in ["a", "fail", "refuse", "b"] {
        committed.push(stage.has(word).await);
    }
    assert_eq!(committed, [true, false, false, true]);
}

#[tokio::test]
async fn what_is_prepared_shares_the_fate_of_its_call() {
    let stage = Stage::new(Limits::SERVER).await;
    let call = async |prepared: &'static str, word: &'static str, is_prepared: bool| {
        let prepare = move |tx: &mut dyn Transaction| {
            let key = Key { prefix: prepared.as_bytes(), ordinal: 0 };
            tx.put(TABLE, key, Bytes::new()).map_err(|_| Failure::internal())?;
            if is_prepared { Ok(()) } else { Err(Failure::not_found("nothing to restore")) }
        };
        let answer = stage.handle.call_after(prepare, METHOD, Bytes::from_static(word.as_bytes())).await;
        (answer.is_ok(), stage.has(prepared).await, stage.has(word).await)
    };
    assert_eq!(call("p1", "a", true).await, (true, true, true));
    assert_eq!(call("p2", "refuse", true).await, (false, false, false));
    assert_eq!(call("p3", "c", false).await, (false, false, false));
}

#[tokio::test]
async fn effects_come_after_the_commit_in_order() {
    let stage = Stage::new(Limits::SERVER).await;
    stage.together(&["a", "b"]).await;
    assert_eq!(stage.commits(), 1, "and storage saw no effect before it");
    let mut effects = stage.take_effects();
    for word in ["a", "b"] {
        assert_eq!(effects.recv().await, Some(Effect::Events { newest: u64::from(word.as_bytes()[0]) }));
    }
}

#[tokio::test]
async fn a_failed_commit_answers_unavailable_lets_no_effect_out_and_ends_the_actor() {
    let stage = Stage::new(Limits::SERVER).await;
    stage.seen.lock().unwrap().refuse = true;
    let answers = stage.together(&["a", "refuse"]).await;
    for answer in answers {
        assert_eq!(answer.unwrap_err().status, Status::Unavailable);
    }
    assert_eq!(stage.take_effects().recv().await, None);
    assert!(matches!(stage.end.await, Ok(ActorEnd::CommitFailed(_))));
    let late = stage.handle.call(Caller::Owner, METHOD, Bytes::from_static(b"c")).await;
    assert_eq!(late.unwrap_err().status, Status::Unavailable);
}

#[tokio::test]
async fn a_panic_ends_the_actor_and_whoever_waits_is_told() {
    let stage = Stage::new(Limits::SERVER).await;
    let answers = stage.together(&["a", "panic", "b"]).await;
    for answer in answers {
        assert_eq!(answer.unwrap_err().status, Status::Unavailable);
    }
    assert_eq!(stage.commits(), 0);
    assert!(matches!(stage.end.await, Ok(ActorEnd::Panicked)));
}

#[tokio::test]
async fn a_tick_is_given_when_it_is_wanted() {
    let stage = Stage::new(Limits::SERVER).await;
    let mut effects = stage.take_effects();
    stage.call("wake").await.unwrap();
    assert_eq!(effects.recv().await, Some(Effect::Events { newest: 99 }));
    assert_eq!(stage.handle.work(|core| core.machine.ticks).await, Ok(1));
}

#[tokio::test]
async fn what_answers_nobody_is_synced_a_little_later() {
    let stage = Stage::new(Limits::SERVER).await;
    let mut effects = stage.take_effects();
    let (synced, is_synced) = oneshot::channel();
    stage.seen.lock().unwrap().synced = Some(synced);
    stage.call("wake").await.unwrap();
    assert_eq!(effects.recv().await, Some(Effect::Events { newest: 99 }), "the effects of the tick are out");
    assert!(stage.has("tick").await, "what it wrote is visible");
    assert_eq!(
        (stage.commits(), stage.seen.lock().unwrap().deferred),
        (1, 1),
        "the call was synced, the tick not"
    );
    is_synced.await.unwrap();
}

#[tokio::test]
async fn keys_are_replaced_at_once_then_at_intervals_and_at_the_end() {
    let stage = Stage::new(Limits::SERVER).await;
    stage.together(&["rotate", "rotate"]).await;
    stage.call("rotate").await.unwrap();
    assert_eq!(stage.seen.lock().unwrap().rotations, 1);
    stage.handle.stop();
    assert!(matches!(stage.end.await, Ok(ActorEnd::Stopped)));
    assert_eq!(stage.seen.lock().unwrap().rotations, 2);
}

#[tokio::test]
async fn stopping_serves_what_was_queued_before() {
    let mut stage = Stage::new(Limits::SERVER).await;
    let (answer, answered) = oneshot::channel();
    let input = Input::Call { caller: Caller::Owner, method: METHOD, payload: Bytes::from_static(b"a") };
    stage.handle.enqueue(input, None, Some(answer)).await;
    stage.handle.stop();
    assert!(matches!((&mut stage.end).await, Ok(ActorEnd::Stopped)));
    assert_eq!(answered.await.unwrap(), Ok(Bytes::from_static(b"a")));
    assert_eq!(stage.commits(), 1);
    assert!(stage.seen.lock().unwrap().is_closed);
}

#[tokio::test]
async fn a_core_that_cannot_be_made_is_reported() {
    let (engine, _effects) = mpsc::unbounded_channel();
    let (relay, _relay_effects) = mpsc::unbounded_channel();
    let started = spawn::<Watched, Script, (), _>(
        Limits::SERVER,
        Outlets { engine, relay, metrics: Arc::new(Metrics::new()) },
        || Err("no disk"),
    )
    .unwrap();
    assert_eq!(started.opened.await.unwrap(), Err("no disk"));
    assert!(matches!(started.end.await, Ok(ActorEnd::Stopped)));
}
