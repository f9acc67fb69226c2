//! The engine as its users meet it: real processes, real Redis and MariaDB, HTTP from outside.
//!
//! `harness` starts a stage and speaks in roles (operator, buyer); each other file is one promise of the README.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops where it stands"
)]

mod harness;
mod redis_of;

mod ack_levels;
mod backlog;
mod bad_input;
mod bodies;
mod claims;
mod commit;
mod dead_letters;
mod drain;
mod draw_in_line;
mod draws;
mod faults;
mod fence;
mod handover;
mod holds;
mod limits;
mod line;
mod line_loss;
mod loss;
mod malformed;
mod paying;
mod polls;
mod rebuild;
mod rest;
mod revoked;
mod self_check;
mod shed;
mod surface;
