//! Several meshes in a small world: links that break, calls that are lost, nodes that crash, neighbours that lie.

mod chance;
mod crashes;
mod delivery;
mod files;
mod hostile;
mod interest;
mod lazy;
pub(crate) mod world;
