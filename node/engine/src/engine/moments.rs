//! What the engine does at its start, and when the moment has come that it asked for.

use crate::{context::Context, engine::Engine, input::EngineError};

impl Engine {
    pub(super) fn started(&mut self, cx: &mut Context<'_>) -> Result<(), EngineError> {
        if self.config.is_rolled_back {
            self.rolled_back(cx)?;
        }
        self.want_everybody(cx)?;
        self.want_paired(cx)?;
        self.finish_open_work(cx)?;
        // Opened now, so that what is for this person and was not opened in the last run comes again.
        self.mesh_input(cx, qpq_mesh::Input::Tick)?;
        self.want_relays(cx)?;
        self.watch_recovery(cx)?;
        self.deposit_waiting_posts(cx)
    }

    pub(super) fn tick(&mut self, cx: &mut Context<'_>) -> Result<(), EngineError> {
        self.clock.save_sometimes(cx.tx, cx.now)?;
        self.mesh_tick(cx)?;
        for task in self.outbox.take_due(cx.now.monotonic_ms) {
            self.run_task(cx, task)?;
        }
        Ok(())
    }
}
