use super::*;
use crate::tests::bench::Bench;

fn delivery(number: u64) -> [u8; 16] {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    id
}

fn answer(bench: &mut Bench, number: u64) -> Option<Result<Disposition, Failure>> {
    bench.with(|engine, cx| engine.seen(cx, &delivery(number)).unwrap())
}

fn remember(bench: &mut Bench, number: u64, disposition: Disposition) {
    bench.with(|engine, cx| engine.remember(cx, &delivery(number), disposition).unwrap());
}

#[test]
fn what_was_answered_is_answered_again_until_it_changes() {
    let mut bench = Bench::empty();
    assert!(answer(&mut bench, 1).is_none());
    remember(&mut bench, 1, Disposition::Stored);
    remember(&mut bench, 2, Disposition::Delivered);
    assert_eq!(answer(&mut bench, 1), Some(Ok(Disposition::Stored)));
    assert_eq!(answer(&mut bench, 2), Some(Ok(Disposition::Delivered)));
    let refusal = Failure { field: "device".into(), ..Failure::forbidden("revoked") };
    bench.with(|engine, cx| {
        engine.answer_from_now_on(cx, &delivery(1), Err(&refusal)).unwrap();
        engine.answer_from_now_on(cx, &delivery(9), Ok(Disposition::Delivered)).unwrap();
    });
    bench.restart();
    assert_eq!(answer(&mut bench, 1), Some(Err(refusal)));
    assert!(answer(&mut bench, 9).is_none(), "nothing is remembered of what was never here");
}

#[test]
fn every_refusal_is_repeated_as_it_was() {
    for status in Status::ALL {
        let failure =
            Failure { status, message: "why".into(), field: "payload".into(), retry_after_ms: 0, work: None };
        let record = RefusalRecord::from(&failure);
        assert_eq!(Failure::from(record), failure, "{status:?}");
    }
    for unknown in [12, 255, 256, u32::MAX] {
        let record = RefusalRecord { status: unknown, ..RefusalRecord::default() };
        assert_eq!(Failure::from(record).status, Status::Conflict, "{unknown}: to be sealed again");
    }
}

#[test]
fn only_so_many_are_remembered_and_the_oldest_go_first() {
    let mut bench = Bench::empty();
    for number in 1..4 {
        remember(&mut bench, number, Disposition::Delivered);
    }
    // As if all but the last of the others had been remembered in between.
    bench.with(|_, cx| {
        let last = SeenRecord { delivery: delivery(4).to_vec(), ..SeenRecord::default() };
        tables::save(cx.tx, SEEN_ORDER, tables::at(SINGLE, SEEN_MAX), &last).unwrap();
    });
    for (number, forgotten) in [(5, 1), (6, 2), (7, 3)] {
        assert!(answer(&mut bench, forgotten).is_some());
        remember(&mut bench, number, Disposition::Delivered);
        assert!(answer(&mut bench, forgotten).is_none(), "{forgotten} made room for {number}");
    }
    let count = [SEEN, SEEN_ORDER].map(|table| bench.memory.count(table));
    assert_eq!(count, [3, 4]);
}
