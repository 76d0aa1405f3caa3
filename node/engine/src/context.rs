//! What a handler works with: the time, randomness, the transaction, and the effects it collects.

use std::collections::BTreeSet;

use qpq_proto::{Failure, ids::NodeKey};
use rand_core::CryptoRng;
use uuid::Builder;

use crate::{
    input::{Caller, Effect, EngineError, Now},
    storage::{StorageError, Transaction},
};

/// One input's surroundings.
pub(crate) struct Context<'a> {
    pub now: Now,
    /// The node's own time, ms.
    pub node_ms: u64,
    pub rng: &'a mut dyn CryptoRng,
    pub tx: &'a mut dyn Transaction,
    pub caller: Caller,
    pub effects: Vec<Effect>,
    /// Nodes whose people stand closer, or further away, than before this input.
    pub judged_anew: BTreeSet<NodeKey>,
    /// Cursor of the newest event written while handling this input.
    pub newest_event: Option<u64>,
}

impl<'a> Context<'a> {
    /// Nothing has been done yet.
    pub(crate) fn new(
        now: Now,
        node_ms: u64,
        rng: &'a mut dyn CryptoRng,
        tx: &'a mut dyn Transaction,
        caller: Caller,
    ) -> Self {
        let (effects, judged_anew) = (Vec::new(), BTreeSet::new());
        Self { now, node_ms, rng, tx, caller, effects, judged_anew, newest_event: None }
    }
}

impl Context<'_> {
    /// Random bytes.
    pub(crate) fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    /// A UUIDv7 (RFC 9562, section 5.7).
    pub(crate) fn message_id(&mut self) -> [u8; 16] {
        let random = self.random::<10>();
        Builder::from_unix_timestamp_millis(self.now.wall_ms, &random).into_uuid().into_bytes()
    }

    /// The node that calls; refuses callers that are none.
    pub(crate) fn calling_node(&self) -> Result<NodeKey, Failure> {
        match self.caller {
            Caller::Node(node) => Ok(node),
            Caller::Owner | Caller::Public => {
                Err(Failure::forbidden("only an authenticated peer may call this"))
            }
        }
    }
}

impl From<EngineError> for Failure {
    /// The caller learns nothing of what is inside.
    fn from(error: EngineError) -> Self {
        tracing::error!(%error, "call failed");
        Failure::internal()
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        EngineError::from(error).into()
    }
}
