//! The outbox as a whole against a model that knows nothing of streams, cursors or rounds: for each text and each
//! person, how far it got, and what may be offered to whom.

use std::sync::LazyLock;

use proptest::prelude::*;
use qpq_proto::{
    Failure, Method, Status,
    ids::NodeKey,
    v1::{self, Disposition},
};

use self::{model::Model, office::Office};
use crate::{
    CallFailure, Input,
    tables::{OUTGOING, PAYLOADS, UNSEALED},
    tests::{groups::village, memory::Memory},
};

mod model;
mod office;

/// Alice sends; these receive, or rather the test answers for them.
const NAMES: [&str; 3] = ["bob", "carol", "dave"];

/// What alice had written when her group of four was new.
static BEGINNING: LazyLock<Memory> = LazyLock::new(|| {
    let mut world = village(&["alice", "bob", "carol", "dave"]);
    let members = NAMES.map(String::from).to_vec();
    let request = v1::CreateGroupRequest { name: "village".into(), members };
    world.owner::<v1::CreateGroupResponse>(0, Method::CreateGroup, &request).unwrap();
    world.settle();
    world.nodes[0].memory.clone()
});

/// What a recipient's node answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Delivered,
    Stored,
    Refused,
    SealAgain,
    NotNow,
    Unreachable,
}

impl Answer {
    fn result(self) -> Result<bytes::Bytes, CallFailure> {
        let says = |disposition: Disposition| {
            let response =
                v1::EnqueueResponse { disposition: disposition.into(), ..v1::EnqueueResponse::default() };
            Ok(prost::Message::encode_to_vec(&response).into())
        };
        let refuses = |status| {
            Err(CallFailure::Refused(Failure { status, ..Failure::conflict("because of the test") }))
        };
        match self {
            Self::Delivered => says(Disposition::Delivered),
            Self::Stored => says(Disposition::Stored),
            Self::Refused => refuses(Status::Forbidden),
            Self::SealAgain => refuses(Status::Conflict),
            Self::NotNow => refuses(Status::Unavailable),
            Self::Unreachable => Err(CallFailure::Unreachable),
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Send,
    Answer { which: prop::sample::Index, answer: Answer },
    Remove { who: usize },
    Add { who: usize },
    Disconnect { who: usize },
    Connect { who: usize },
    Restart,
    Pass { ms: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0..NAMES.len();
    let answer = prop::sample::select(vec![
        Answer::Delivered,
        Answer::Delivered,
        Answer::Stored,
        Answer::Stored,
        Answer::Refused,
        Answer::SealAgain,
        Answer::NotNow,
        Answer::Unreachable,
    ]);
    prop_oneof![
        4 => Just(Step::Send),
        12 => (any::<prop::sample::Index>(), answer).prop_map(|(which, answer)| Step::Answer { which, answer }),
        1 => who().prop_map(|who| Step::Remove { who }),
        1 => who().prop_map(|who| Step::Add { who }),
        1 => who().prop_map(|who| Step::Disconnect { who }),
        2 => who().prop_map(|who| Step::Connect { who }),
        1 => Just(Step::Restart),
        2 => (1..400_000_u64).prop_map(|ms| Step::Pass { ms }),
    ]
}

fn take(office: &mut Office, model: &mut Model, step: &Step) {
    match *step {
        Step::Send => {
            let id = office.send();
            model.sent(id);
        }
        Step::Answer { which, answer } => {
            if office.under_way.is_empty() {
                return;
            }
            let offer = office.under_way.remove(which.index(office.under_way.len()));
            model.answered(&offer, answer);
            office.answer(offer, answer.result());
        }
        Step::Remove { who } if model.is_member(who) => {
            model.removed(who);
            office.remove(who);
        }
        Step::Add { who } if !model.is_member(who) => {
            office.add(who);
            model.added(who);
        }
        Step::Remove { .. } | Step::Add { .. } => {}
        Step::Disconnect { who } => office.input(Input::PeerDisconnected { node: node(who) }),
        Step::Connect { who } => office.connect(who),
        Step::Restart => office.restart(),
        Step::Pass { ms } => office.pass(ms),
    }
}

/// Everybody comes, and takes whatever is offered, for so long that every pause is over.
fn heal(office: &mut Office, model: &mut Model) -> Result<(), TestCaseError> {
    for _ in 0..10 {
        (0..NAMES.len()).for_each(|who| office.connect(who));
        model.check(office)?;
        while let Some(offer) = office.under_way.pop() {
            model.answered(&offer, Answer::Delivered);
            office.answer(offer, Answer::Delivered.result());
            model.check(office)?;
        }
        office.pass(3_600_000);
        model.check(office)?;
    }
    Ok(())
}

fn node(who: usize) -> NodeKey {
    NodeKey::from_bytes([u8::try_from(who).unwrap() + 2; 32])
}

/// Few cases by default, since each is a small lifetime of a group; `PROPTEST_CASES` asks for more.
fn config() -> ProptestConfig {
    let asked = std::env::var_os("PROPTEST_CASES").map(|_| ProptestConfig::default().cases);
    ProptestConfig { cases: asked.unwrap_or(24), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn everybody_is_offered_what_is_for_him_in_order_until_it_is_done(
        steps in prop::collection::vec(step(), 1..70),
    ) {
        let (mut office, mut model) = (Office::new(), Model::new());
        for step in &steps {
            take(&mut office, &mut model, step);
            model.check(&mut office)?;
        }
        heal(&mut office, &mut model)?;
        prop_assert_eq!(model.unfinished(), Vec::<String>::new());
        for table in [OUTGOING, PAYLOADS, UNSEALED] {
            prop_assert_eq!(office.bench.memory.count(table), 0, "{:?} is empty in the end", table);
        }
    }
}
