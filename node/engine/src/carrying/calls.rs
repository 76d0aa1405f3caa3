//! What neighbours ask of the mesh, and what they answer it.

use bytes::Bytes;
use qpq_mesh::wire;
use qpq_proto::{Failure, Method, Status};

use crate::{
    context::Context,
    engine::Engine,
    input::{CallFailure, EngineError},
};

impl Engine {
    /// A neighbour calls one of the mesh's methods.
    pub(crate) fn mesh_call(
        &mut self,
        cx: &mut Context<'_>,
        method: Method,
        payload: Bytes,
    ) -> Result<Bytes, Failure> {
        let request = wire::Request::decode(method, payload)
            .map_err(|error| Failure::bad_request(error.0, "it is malformed"))?;
        let node = cx.calling_node()?;
        let (was_touched, effects) = (self.carrying.is_touched, self.carrying.effects.len());
        let response = self.with_mesh(cx, |mesh, inner| mesh.answer(inner, &node, request))?;
        match response {
            Ok(response) => Ok(response.encode()),
            Err(refused) => {
                // A refused call has changed nothing, unless a lifetime has just ended.
                self.carrying.is_touched = was_touched || self.carrying.effects.len() != effects;
                Err(refused.into())
            }
        }
    }

    /// A call of the mesh's has ended.
    pub(crate) fn mesh_answered(
        &mut self,
        cx: &mut Context<'_>,
        generation: u64,
        call: qpq_mesh::CallId,
        method: Method,
        result: Result<Bytes, CallFailure>,
    ) -> Result<(), EngineError> {
        if generation != self.carrying.generation || self.carrying.mesh.is_none() {
            return Ok(());
        }
        let result = match result {
            Ok(payload) => wire::Response::decode(method, payload)
                .map_err(|_| qpq_mesh::CallFailure::Refused { retry_after_ms: 0 }),
            Err(CallFailure::Refused(failure)) if failure.status == Status::Conflict => {
                Err(qpq_mesh::CallFailure::NoSession)
            }
            Err(CallFailure::Refused(failure)) => {
                Err(qpq_mesh::CallFailure::Refused { retry_after_ms: failure.retry_after_ms })
            }
            Err(CallFailure::Unreachable) => Err(qpq_mesh::CallFailure::Unreachable),
        };
        self.mesh_input(cx, qpq_mesh::Input::Answered { call, result })
    }
}
