//! The node: settings, supervision, roles, signals.

mod environment;
pub mod paths;
mod private_file;
pub mod settings;
mod unlock;

pub use environment::Environment;
