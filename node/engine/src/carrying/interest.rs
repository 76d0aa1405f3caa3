//! What this person recognises changes; and whether a bundle is held at all.

use std::collections::BTreeSet;

use qpq_mesh::SortKey;

use crate::{context::Context, engine::Engine, input::EngineError, routes::RouteIndex};

impl Engine {
    /// Looks for bundles among those held that are for this person by secrets which it did not have before.
    pub(super) fn look_through(&mut self, cx: &mut Context<'_>) -> Result<(), EngineError> {
        let mut routes = match self.routes.take() {
            Some(routes) => routes,
            None => self.collect_routes(cx)?,
        };
        if !routes.is_new() {
            self.routes = Some(routes);
            return Ok(());
        }
        let new: BTreeSet<_> = routes.marks().filter(|mark| !self.carrying.looked.contains(mark)).collect();
        if new.is_empty() {
            self.routes = Some(routes);
            return Ok(());
        }
        self.carrying.looked.extend(&new);
        self.routes = Some(routes.only(&new));
        self.carrying.looked_now.extend(new);
        let result = self.mesh_input(cx, qpq_mesh::Input::InterestChanged);
        let kept = self.kept_mail_may_open(cx);
        self.routes = Some(routes);
        result.and(kept)
    }

    /// What these secrets recognise is from now on carried for others alone.
    pub(crate) fn end_interest(
        &mut self,
        cx: &mut Context<'_>,
        ended: RouteIndex,
    ) -> Result<(), EngineError> {
        for mark in ended.marks() {
            self.carrying.looked.remove(&mark);
        }
        self.routes = Some(ended);
        let result = self.mesh_input(cx, qpq_mesh::Input::InterestEnded);
        self.routes = None;
        result
    }

    /// Whether a bundle is held; the mesh must have been opened.
    pub(crate) fn is_carried(&self, key: SortKey) -> bool {
        self.carrying.mesh.as_ref().is_some_and(|mesh| mesh.holds(key))
    }
}
