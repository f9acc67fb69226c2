//! The harness against real sockets: its client against a small server of the test, and whole runs against a stage.

#![expect(
    clippy::unwrap_used,
    reason = "a test that panics has failed, which is what it is for"
)]

mod client;
mod compare;
mod drill;
mod faults;
mod line;
mod rivals;
mod runs;
mod shop;
mod verify;
