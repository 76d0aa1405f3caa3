//! Answers that get lost, and nodes that are killed at any step.

use super::*;

#[test]
fn a_node_that_is_killed_while_it_sets_up_finishes_it() {
    for steps in 0..24 {
        let (mut world, links) = with_relays(1);
        let before = set_up(&mut world, ALICE);
        let made = propose(&mut world, ALICE).unwrap();
        confirm(&mut world, ALICE, &made.set).unwrap();
        for _ in 0..steps {
            world.step();
        }
        world.stop(ALICE);
        world.start(ALICE);
        world.pass(10_000);
        assert!(codes(&mut world, ALICE).iter().all(|(_, relays)| *relays == 1), "after {steps} steps");
        assert_eq!(world.offices[0].bundles.len(), 8, "after {steps} steps");
        let again = fresh(&mut world);
        let refused = use_code(&mut world, again, &links[0], &before[steps % 8]).unwrap_err();
        assert_eq!(refused.status, Status::NotFound, "after {steps} steps");
        let used = use_code(&mut world, again, &links[0], &made.codes[steps % 8]).unwrap();
        assert_eq!(used.name, "alice", "after {steps} steps");
    }
}

#[test]
fn answers_that_were_lost_are_made_up_for() {
    let (mut world, links) = with_relays(1);
    set_up(&mut world, ALICE);
    let made = propose(&mut world, ALICE).unwrap();
    world.offices[0].is_silent = true;
    confirm(&mut world, ALICE, &made.set).unwrap();
    world.pass(60_000);
    assert!(
        codes(&mut world, ALICE).iter().all(|(_, relays)| *relays == 0),
        "nothing is counted unconfirmed"
    );
    world.offices[0].is_silent = false;
    world.pass(700_000);
    assert!(codes(&mut world, ALICE).iter().all(|(_, relays)| *relays == 1));
    let again = fresh(&mut world);
    assert_eq!(use_code(&mut world, again, &links[0], &made.codes[0]).unwrap().contacts, 1);
}

#[test]
fn a_node_that_is_killed_while_it_comes_back_has_done_it_or_not() {
    let mut outcomes = [0, 0];
    for steps in 0..8 {
        let (mut world, links) = with_relays(1);
        let codes = set_up(&mut world, ALICE);
        world.stop(ALICE);
        let again = fresh(&mut world);
        let request = v1::UseRecoveryCodeRequest { link: links[0].clone(), code: codes[2].clone() };
        world.owner::<v1::UseRecoveryCodeResponse>(again, Method::UseRecoveryCode, &request).unwrap();
        for _ in 0..steps {
            world.step();
        }
        world.stop(again);
        world.start(again);
        world.pass(1_000);
        let is_back = has_identity(&mut world, again);
        outcomes[usize::from(is_back)] += 1;
        if !is_back {
            assert_eq!(world.nodes[again].memory.count(crate::tables::PEOPLE), 0, "after {steps} steps");
            use_code(&mut world, again, &links[0], &codes[2]).unwrap();
        }
        world.pass(60_000);
        world.send(again, "@bob", "back").unwrap();
        world.pass(3_000);
        assert_eq!(world.received(BOB), ["alice: back"], "after {steps} steps");
    }
    assert!(outcomes[0] > 0 && outcomes[1] > 0, "{outcomes:?}");
}

#[test]
fn whatever_fails_inside_leaves_a_node_on_which_the_code_can_be_used() {
    use crate::{CallFailure, Input, tests::bench::Bench};
    use prost::Message as _;

    let (mut world, links) = with_relays(1);
    let codes = set_up(&mut world, ALICE);
    let code = qpq_crypto::recovery::RecoveryCode::from_text(&codes[0]).unwrap();
    let (_, version, bundle) = world.offices[0].bundles[code.token().hash().as_slice()].clone();
    let answer = v1::FetchRecoveryBundleResponse { bundle: bundle.to_vec(), version }.encode_to_vec();
    let request = v1::UseRecoveryCodeRequest { link: links[0].clone(), code: codes[0].clone() };
    let mut is_restored = false;
    for after in (0..).step_by(7) {
        let mut bench = Bench::empty();
        let begun = bench.input(Input::Call {
            caller: crate::Caller::Owner,
            method: Method::UseRecoveryCode,
            payload: request.encode_to_vec().into(),
        });
        let Some(crate::Effect::RelayCall { call, .. }) = begun.effects.first() else { panic!("no call") };
        let result: Result<_, CallFailure> = Ok(answer.clone().into());
        let has_failed = bench.fail(Input::Answered { call: *call, result }, after);
        let waited: Result<v1::WaitRecoveryUseResponse, Failure> =
            bench.owner(Method::WaitRecoveryUse, &v1::WaitRecoveryUseRequest::default());
        assert_eq!(waited.is_err(), has_failed, "after {after} operations");
        assert_eq!(bench.engine.identity().is_none(), has_failed, "after {after} operations");
        if !has_failed {
            is_restored = true;
            break;
        }
        bench.owner::<v1::UseRecoveryCodeResponse>(Method::UseRecoveryCode, &request).unwrap();
    }
    assert!(is_restored);
}
