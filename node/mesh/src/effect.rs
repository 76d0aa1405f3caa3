//! What comes in and what goes out.

use qpq_proto::Failure;
use qpq_proto::ids::NodeKey;
use rand_core::CryptoRng;

use crate::bundle::{Bundle, BundleId, Class, Secret};
use crate::storage::{Store, Tier};
use crate::wire::{Durability, NodeKind, Refusal, Request, Response};
use crate::work::{Challenge, Solution};

/// Recognises what is addressed to this node. The mesh never sees the secrets by which it is done.
pub trait Interest {
    /// Whether the tag, or the first half of it, is the one that one of this node's secrets for bundles of the class gives
    /// to the salt.
    fn is_mine(&mut self, class: Class, salt: &[u8; 8], tag: &[u8]) -> bool;
}

/// What an input is handled with.
pub struct Context<'a> {
    /// Node time, ms: only grows, while the node runs and from run to run ([`lifetime`](crate::lifetime)).
    pub now_ms: u64,
    /// Randomness.
    pub rng: &'a mut dyn CryptoRng,
    /// Storage within the driver's transaction.
    pub store: &'a mut dyn Store,
    /// Recognises what is addressed to this node.
    pub interest: &'a mut dyn Interest,
    /// What to do after the commit, in order.
    pub effects: &'a mut Vec<Effect>,
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Context").field("now_ms", &self.now_ms).finish_non_exhaustive()
    }
}

impl Context<'_> {
    pub(crate) fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }
}

/// Names a call, within one run of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId(pub u64);

/// Why a call brought no response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallFailure {
    /// The neighbour refused it; it is tried again after this time, ms, or after a while if that is 0.
    Refused {
        /// As the neighbour says.
        retry_after_ms: u64,
    },
    /// The neighbour knows of no session: it lost what it knew, and the link did not break.
    NoSession,
    /// The neighbour was not reached, or the link broke; it may or may not have handled the call.
    Unreachable,
}

/// What happens to a mesh.
#[derive(Clone, Debug)]
pub enum Input {
    /// A link to a neighbour is up; both ends are authenticated.
    LinkUp {
        /// The neighbour.
        node: NodeKey,
        /// How close it stands; never [`Tier::Own`].
        standing: Tier,
    },
    /// A link is up since before this mesh was opened, so that the neighbour may believe that there is a session.
    LinkHeld {
        /// The neighbour.
        node: NodeKey,
        /// How close it stands; never [`Tier::Own`].
        standing: Tier,
    },
    /// The link is gone.
    LinkDown {
        /// The neighbour.
        node: NodeKey,
    },
    /// A neighbour stands closer, or further away, from now on.
    Standing {
        /// The neighbour.
        node: NodeKey,
        /// How close it stands.
        standing: Tier,
    },
    /// A call that the mesh asked for has ended.
    Answered {
        /// Which call.
        call: CallId,
        /// The response, or why there is none.
        result: Result<Response, CallFailure>,
    },
    /// The moment that [`Mesh::wake_at`](crate::Mesh::wake_at) named has come.
    Tick,
    /// This node sends a bundle.
    Deposit {
        /// The bundle; of what its transit says only the remaining lifetime is regarded.
        bundle: Bundle,
    },
    /// A bundle from a file. Where it is not taken, [`Effect::Refused`] says so.
    Import {
        /// The bundle, charged for the time its file lay somewhere ([`sneakernet::charge`](crate::sneakernet::charge)).
        bundle: Bundle,
    },
    /// The secret of a bundle is revealed: by the device that opened it, or by the sender whose recipients all have it.
    Settle {
        /// Which bundle.
        id: BundleId,
        /// Its secret.
        secret: Secret,
    },
    /// This node has opened a bundle that nothing settles, such as one to a group.
    Opened {
        /// Which bundle.
        id: BundleId,
    },
    /// This node recognises more than before: what is held is looked through.
    InterestChanged,
    /// This node recognises less than before: [`Interest`] recognises, while this is handled, what it no longer is to.
    /// That is from now on carried for others alone.
    InterestEnded,
    /// This node wants what it did not want before, and neighbours may have offered it: they are to offer all again. That
    /// costs a comparison with each.
    AskAgain,
    /// The driver solved the challenge of [`Effect::Work`].
    Worked {
        /// Whose challenge it was.
        node: NodeKey,
        /// The solution.
        solution: Solution,
    },
}

/// What the driver does after it has committed.
///
/// Both drivers, the daemon and the simulator, match this without a wildcard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Call a neighbour and give the result back as [`Input::Answered`].
    Call {
        /// Names the call in the answer.
        call: CallId,
        /// The neighbour.
        node: NodeKey,
        /// The call.
        request: Request,
    },
    /// A bundle for this node: open it and say [`Input::Settle`] or [`Input::Opened`]. Comes again after a restart
    /// until that was said.
    Mine {
        /// The bundle.
        bundle: Bundle,
    },
    /// A neighbour has taken custody of a bundle, or has one of this node's own from somebody else.
    Handed {
        /// Which bundle.
        id: BundleId,
        /// The neighbour.
        node: NodeKey,
        /// What kind of node it is.
        kind: NodeKind,
        /// How well it keeps it.
        durability: Durability,
        /// Whether the bundle is this node's own.
        is_own: bool,
    },
    /// A bundle has arrived where it was going, and is gone from here.
    Settled {
        /// Which bundle.
        id: BundleId,
        /// The proof.
        secret: Secret,
        /// Whether the bundle was this node's own.
        is_own: bool,
    },
    /// The lifetime of a bundle has ended, and it is gone from here.
    Expired {
        /// Which bundle.
        id: BundleId,
        /// Whether the bundle was this node's own.
        is_own: bool,
    },
    /// A bundle of somebody else made room for another.
    Evicted {
        /// Which bundle.
        id: BundleId,
    },
    /// A bundle that was deposited or imported is not taken.
    Refused {
        /// Which bundle.
        id: BundleId,
        /// Why.
        refusal: Refusal,
    },
    /// Solve a challenge, wherever there is time for it ([`work::solve`](crate::work::solve) with this node's key), and
    /// give the solution back as [`Input::Worked`]. Nothing but time is lost if it is left out.
    Work {
        /// Who set it.
        node: NodeKey,
        /// The challenge.
        challenge: Challenge,
    },
}

/// Why a neighbour's call is not answered with a response. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallRefused {
    /// There is no session: the link is not known to be up, or the caller did not introduce itself.
    #[error("say hello first")]
    NoSession,
    /// The neighbour speaks another version of the protocol.
    #[error("this node speaks version 1 of the mesh")]
    Version,
    /// This node introduces itself already.
    #[error("this node introduces itself already")]
    Crossed,
    /// All sessions are taken.
    #[error("this node has as many neighbours as it can serve")]
    Full,
    /// The link's share of calls is used up.
    #[error("too many calls")]
    TooManyCalls,
}

impl From<CallRefused> for Failure {
    fn from(refused: CallRefused) -> Self {
        match refused {
            CallRefused::NoSession => Self::conflict(refused.to_string()),
            CallRefused::Version => Self::bad_request("version", refused.to_string()),
            CallRefused::Crossed => Self::unavailable(refused.to_string(), 1_000),
            CallRefused::Full | CallRefused::TooManyCalls => Self::rate_limited(60_000),
        }
    }
}
