//! Several meshes in a small world: links that break, calls that are lost, nodes that crash.

mod crashes;
mod delivery;
pub(crate) mod world;
