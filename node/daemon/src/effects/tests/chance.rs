//! Calls of three peers that end whenever they like: the bounds are kept, and each call is answered once.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    /// The engine calls this peer.
    Call(usize),
    /// One of the calls that reached the network ends so.
    End(prop::sample::Index, Ending),
}

#[derive(Debug, Clone, Copy)]
enum Ending {
    Answered,
    Refused,
    Lost,
}

impl Ending {
    fn reply(self) -> Reply {
        match self {
            Self::Answered => Ok(Bytes::from_static(b"y")),
            Self::Refused => Err(CallError::Failure(Failure::forbidden("no"))),
            Self::Lost => Err(transport(TransportErrorKind::ConnectionLost)),
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let ending = prop_oneof![Just(Ending::Answered), Just(Ending::Refused), Just(Ending::Lost)];
    prop_oneof![
        3 => (0_usize..3).prop_map(Step::Call),
        2 => (any::<prop::sample::Index>(), ending).prop_map(|(index, ending)| Step::End(index, ending)),
    ]
}

const PEERS: [NodeKey; 3] = [ALICE, BOB, NodeKey::from_bytes([3; 32])];

impl Stage {
    /// The calls under way, as the network sees them, with their peers.
    fn under_way(&self) -> Vec<(usize, NodeKey)> {
        let state = self.wire.0.lock().unwrap();
        let open = state.calls.iter().enumerate().filter(|(_, (_, reply))| reply.is_some());
        open.map(|(index, (node, _))| (index, *node)).collect()
    }

    /// Answers that came back so far.
    fn take_answers(&mut self) -> Vec<u64> {
        let id = |input| match input {
            Input::Answered { call, .. } => call.0,
            other => panic!("not an answer: {other:?}"),
        };
        std::iter::from_fn(|| self.inputs.try_recv().ok()).map(id).collect()
    }
}

async fn check(steps: Vec<Step>) {
    let mut stage = Stage::new();
    let (mut asked, mut answered) = (0, BTreeMap::<u64, usize>::new());
    for step in steps {
        match step {
            Step::Call(peer) => {
                stage.call(asked, PEERS[peer], b"x");
                asked += 1;
            }
            Step::End(index, ending) => {
                let under_way = stage.under_way();
                if !under_way.is_empty() {
                    stage.reply(under_way[index.index(under_way.len())].0, ending.reply());
                }
            }
        }
        stage.settle().await;
        let under_way = stage.under_way();
        for peer in PEERS {
            let of_peer = under_way.iter().filter(|(_, node)| *node == peer).count();
            assert!(of_peer <= LIMITS.in_flight_calls_per_peer_max);
        }
        stage.take_answers().into_iter().for_each(|id| *answered.entry(id).or_default() += 1);
        let open = usize::try_from(asked).unwrap() - answered.len();
        assert!(open <= LIMITS.write_queue_max, "more are refused than wait");
        // Nobody waits beside a lane that has room.
        assert!(open == 0 || !under_way.is_empty());
    }
    while let Some((index, _)) = stage.under_way().first().copied() {
        stage.reply(index, Ending::Answered.reply());
        stage.settle().await;
    }
    stage.take_answers().into_iter().for_each(|id| *answered.entry(id).or_default() += 1);
    assert_eq!(answered.into_iter().collect::<Vec<_>>(), (0..asked).map(|id| (id, 1)).collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn each_call_is_answered_once_and_no_lane_is_too_full(steps in vec(step(), 0..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check(steps));
    }
}
