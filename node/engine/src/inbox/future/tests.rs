use super::*;
use crate::{inbox::Origin, tests::bench::Bench};

const GROUP: [u8; 32] = [5; 32];

fn keep(bench: &mut Bench, group: &[u8], message: &[u8]) -> Result<(), Status> {
    let origin = Origin {
        node: Some(NodeKey::from_bytes([3; 32])),
        delivery: [message[0]; 16],
        carried: &[],
        is_mailed: false,
        met_at: None,
    };
    let kept = bench.with(|engine, cx| engine.keep_for_later(cx, origin, group, message));
    kept.map_err(|refusal| {
        assert_eq!(refusal.retry_after_ms, PLACE_LATER_MS);
        refusal.status
    })
}

#[test]
fn what_is_kept_keeps_its_order_and_where_it_came_from() {
    let mut bench = Bench::empty();
    for number in [7, 3, 5] {
        keep(&mut bench, &GROUP, &[number]).unwrap();
    }
    let kept: Vec<(u64, FutureRecord)> = tables::first(&bench.memory, FUTURE, &GROUP, 9).unwrap();
    let expected = [7, 3, 5].map(|number| FutureRecord {
        message: vec![number],
        node: vec![3; 32],
        delivery: vec![number; 16],
        ..FutureRecord::default()
    });
    assert_eq!(kept.into_iter().map(|(_, record)| record).collect::<Vec<_>>(), expected);
}

#[test]
fn each_group_keeps_so_many_messages() {
    let mut bench = Bench::empty();
    bench.engine.limits.future_epoch_messages_max = 2;
    for other in [&GROUP, &[6; 32]] {
        keep(&mut bench, other, &[1]).unwrap();
        keep(&mut bench, other, &[2]).unwrap();
        assert_eq!(keep(&mut bench, other, &[3]), Err(Status::Unavailable));
    }
    bench.with(|_, cx| cx.tx.delete(FUTURE, tables::at(&GROUP, 1)).unwrap());
    keep(&mut bench, &GROUP, &[4]).unwrap();
}

#[test]
fn each_group_keeps_so_many_bytes() {
    for (sizes, is_kept) in [(&[4, 6][..], true), (&[4, 7], false), (&[10], true), (&[11], false)] {
        let mut bench = Bench::empty();
        bench.engine.limits.future_epoch_bytes_max = 10;
        let kept: Vec<bool> =
            sizes.iter().map(|size| keep(&mut bench, &GROUP, &vec![1; *size]).is_ok()).collect();
        assert_eq!(kept.last(), Some(&is_kept), "{sizes:?}");
    }
}

#[test]
fn what_may_pass_is_to_be_sealed_again_and_what_may_not_stays_refused() {
    for status in Status::ALL {
        let refusal = Failure { status, field: "device".into(), ..Failure::conflict("because") };
        let is_for_good =
            matches!(status, Status::BadRequest | Status::Forbidden | Status::NotFound | Status::Conflict);
        let kept = for_good(refusal.clone());
        if is_for_good {
            assert_eq!(kept, refusal);
        } else {
            assert_eq!((kept.status, kept.retry_after_ms), (Status::Conflict, 0), "{status:?}");
        }
    }
}

#[test]
fn what_cannot_be_opened_after_all_is_new_when_it_comes_again() {
    let mut bench = Bench::of_village();
    let group_id = bench.village().group_id;
    keep(&mut bench, &group_id, &[1, 2, 3]).unwrap();
    bench.with(|engine, cx| {
        engine.remember(cx, &[1; 16], Disposition::Stored).unwrap();
        engine.open_future(cx, &group_id).unwrap();
        assert_eq!(engine.seen(cx, &[1; 16]).unwrap(), None);
    });
    assert_eq!(bench.memory.count(FUTURE), 0);
}

#[test]
fn nothing_waits_for_a_group_that_is_not_here() {
    let mut bench = Bench::of("alice");
    keep(&mut bench, &GROUP, &[1]).unwrap();
    bench.with(|engine, cx| engine.open_future(cx, &GROUP)).unwrap();
    assert_eq!(bench.memory.count(FUTURE), 0);
    bench.with(|engine, cx| engine.open_future(cx, &[])).unwrap();
}
