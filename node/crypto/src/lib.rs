//! Identity, device certificates, MLS groups, sealed bodies, at-rest keys.

pub mod key_value;
