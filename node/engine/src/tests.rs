//! The engine as a whole: several of them over memory, joined by a network that the tests command.

mod authority;
pub(crate) mod bench;
mod broken;
mod carrying;
mod claims;
mod contacts;
mod contents;
mod crashes;
mod deleting;
mod departed;
mod events;
mod friends;
mod groups;
mod health;
mod history;
mod hostile;
mod introducing;
mod invitations;
mod leaving;
mod losses;
mod mailboxes;
mod malformed;
pub(crate) mod memory;
mod mesh;
mod messaging;
mod names;
mod neighbours;
mod pairs;
mod people;
mod recovery;
mod reporting;
mod requests;
mod restoring;
mod status;
mod streams;
mod topics;
mod world;

use qpq_crypto::passphrase::PassphraseCost;

/// Passwords of tests are stretched hardly at all.
pub(crate) const PASSWORD_COST: PassphraseCost = PassphraseCost { memory_kib: 8, passes: 1, lanes: 1 };
