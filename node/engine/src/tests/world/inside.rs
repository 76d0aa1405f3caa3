//! What only a test may do to a node: make it, set its limits, and act from inside its engine.

use chacha20::ChaCha20Rng;
use qpq_proto::{ids::NodeKey, limits::Limits};

use super::{Memory, Node, START_MS, World};
use crate::{Caller, Config, Engine, Now, context::Context, storage::Transaction as _};

impl World {
    /// Changes a node's limits until it is started again.
    pub(in crate::tests) fn limit(&mut self, node: usize, change: impl FnOnce(&mut Limits)) {
        change(&mut self.nodes[node].engine.limits);
    }

    pub(in crate::tests) fn are_connected(&self, one: usize, other: usize) -> bool {
        self.connected.contains(&super::pair(one, other))
    }

    /// Makes a node do what an honest engine does not, and carries out what follows from it.
    pub(in crate::tests) fn act<R>(
        &mut self,
        index: usize,
        action: impl FnOnce(&mut Engine, &mut Context<'_>) -> R,
    ) -> R {
        let node = &mut self.nodes[index];
        let wall_ms = (START_MS + self.now_ms).saturating_add_signed(node.clock_error_ms);
        let now = Now { monotonic_ms: self.now_ms, wall_ms };
        let node_ms = node.engine.clock.node_ms(now);
        let mut cx = Context::new(now, node_ms, &mut node.rng, &mut node.memory, Caller::Owner);
        let result = action(&mut node.engine, &mut cx);
        node.engine.pump_all(&mut cx).unwrap();
        let effects = cx.effects;
        node.engine.groups.keep();
        node.engine.outbox.keep();
        node.engine.peers.keep();
        for effect in effects {
            self.carry_out(index, effect);
        }
        result
    }
}

impl Node {
    /// A node that runs for the first time.
    pub(super) fn over(key: NodeKey, memory: Memory, engine: Engine, rng: ChaCha20Rng) -> Self {
        let (wanted, relays, on_line) = Default::default();
        let (is_volatile, clock_error_ms, is_up, run) = (false, 0, true, 0);
        Self { memory, engine, rng, key, wanted, relays, on_line, is_volatile, clock_error_ms, is_up, run }
    }
}

pub(super) fn open(
    key: NodeKey,
    memory: &mut Memory,
    is_rolled_back: bool,
    custody_is_volatile: bool,
) -> Engine {
    let config = Config {
        node: key,
        version: "test".into(),
        limits: Limits::SERVER,
        has_peers: true,
        seeks_strangers: true,
        is_rolled_back,
        custody_is_volatile,
        password_cost: crate::tests::PASSWORD_COST,
    };
    assert!(memory.all(crate::tables::IDENTITY).unwrap().len() <= 1);
    Engine::open(config, memory).unwrap()
}
