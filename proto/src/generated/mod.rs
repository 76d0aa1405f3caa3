//! Generated from the `.proto` files by `cargo run -p qpq-proto --bin generate --features generate`.

mod client;
pub mod messages;
pub(crate) mod methods;
pub mod services;
