//! `qpq`.
fn main() {}
