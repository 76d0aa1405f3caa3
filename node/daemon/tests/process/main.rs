//! The program `qpqd` as a process: starting, refusing to start, serving, stopping.

mod backup;
mod daemon;
mod serving;
mod starting;
mod supervision;
