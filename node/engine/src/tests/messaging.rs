//! How messages travel between nodes, and what happens when somebody does not keep to the rules.

mod faults;
mod late_answers;
mod revoked;
mod waiting;
