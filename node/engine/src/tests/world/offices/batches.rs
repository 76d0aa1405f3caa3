//! Deliveries in batches at a relay of a world.

use bytes::Bytes;
use qpq_crypto::digest::sha256;
use qpq_proto::{Failure, v1};

use super::{
    Office,
    answers::{no_token, read, write},
};

impl Office {
    /// Takes all or none.
    pub(super) fn enqueue_all(&mut self, request: v1::BatchEnqueueRequest) -> Result<Bytes, Failure> {
        let v1::BatchEnqueueRequest { recipients, payload, delivery_id, .. } = request;
        let takes = |to: &v1::BatchRecipient| {
            let tokens = self.boxes.get(&to.mailbox).map(|mailbox| &mailbox.tokens);
            tokens.is_some_and(|tokens| tokens.contains(&sha256(&[&to.token])))
        };
        if !recipients.iter().all(takes) {
            return Err(no_token());
        }
        self.batched += recipients.len();
        let mut results = Vec::new();
        for v1::BatchRecipient { mailbox, token } in recipients {
            let (payload, delivery_id) = (payload.clone(), delivery_id.clone());
            let one = v1::EnqueueRequest { mailbox, token, payload, delivery_id, ..Default::default() };
            results.push(read(self.enqueue(&one)?));
        }
        Ok(write(&v1::BatchEnqueueResponse { results }))
    }
}
