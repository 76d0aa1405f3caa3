//! What a node does with what arrives: calls that it answers, and bundles that are for it.

use qpq_mesh::wire::{Request, Response, TransferVerdict};
use qpq_mesh::{BundleId, CallFailure, CallId, CallRefused, Input};

use super::transaction::Turn;
use super::{Content, Effects, Ours, Packet, settings};
use crate::net::{Net, Way};
use crate::observation::Observation;

impl Ours {
    /// What the engine does with a bundle: gives a message to the application once, and reveals the secret.
    pub(super) fn open(
        &mut self,
        net: &mut Net<'_, Packet>,
        node: u32,
        id: &BundleId,
        effects: &mut Effects,
    ) {
        let Some(message) = self.bundles.message(id) else { return };
        if message as usize >= net.messages().len() {
            // It has the tag of something, and cannot be opened.
            let input = Input::Opened { id: *id };
            self.with(net, Turn::of(node), effects, |mesh, cx| mesh.handle(cx, input));
            return;
        }
        let input = match self.bundles.secret(message) {
            Some(secret) => Input::Settle { id: *id, secret },
            None => Input::Opened { id: *id },
        };
        self.with(net, Turn::delivers(node, message), effects, |mesh, cx| mesh.handle(cx, input));
    }

    pub(super) fn answer(&mut self, net: &mut Net<'_, Packet>, way: Way, call: CallId, request: Request) {
        let Way { from, to, .. } = way;
        let brought = self.brought(net, way, &request);
        let mut effects = Effects::new();
        let caller = settings::key(from).into();
        let turn = Turn::answering(to);
        let answer = self.with(net, turn, &mut effects, |mesh, cx| mesh.answer(cx, &caller, request));
        let Some(answer) = answer else { return };
        let result = answer.map_err(|refused| match refused {
            CallRefused::NoSession => CallFailure::NoSession,
            _ => CallFailure::Refused { retry_after_ms: 0 },
        });
        if let Ok(Response::Transfer(verdicts)) = &result {
            for (message, verdict) in brought.iter().zip(&verdicts.verdicts) {
                if let (Some(message), TransferVerdict::Accepted(_)) = (*message, verdict) {
                    net.observe(&Observation::Promised { holder: to, message });
                }
            }
        }
        self.send(net, way.back(), Content::Answer { call, result });
        self.carry_out(net, to, effects);
    }

    /// The messages that a call brings with their bodies.
    fn brought(&self, net: &mut Net<'_, Packet>, way: Way, request: &Request) -> Vec<Option<u32>> {
        let Request::Transfer(transfer) = request else { return Vec::new() };
        let brought: Vec<_> =
            transfer.bundles.iter().map(|bundle| self.bundles.message(bundle.id())).collect();
        for message in brought.iter().flatten() {
            let (Way { from, to, .. }, bytes) = (way, self.bundles.stored_bytes(*message));
            net.observe(&Observation::Transferred { from, to, message: *message, bytes });
        }
        brought
    }
}
