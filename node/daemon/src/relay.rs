//! What serves others.

pub(crate) use qpq_relay::Relay;
