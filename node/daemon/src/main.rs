//! `qpqd`.
fn main() {}
