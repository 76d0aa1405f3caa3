//! One encrypted database file: batched commits, blinded keys, backup.
