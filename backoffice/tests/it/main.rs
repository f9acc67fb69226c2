//! The back-office as its callers see it: over HTTP and as a command, on real Redis, MariaDB and engine.

#![expect(
    clippy::unwrap_used,
    reason = "all of this is test code: a panic is a failed test"
)]

mod http;
mod stage;

mod commands;
mod coupons;
mod draws;
mod edge;
mod lines;
mod me;
mod migrate;
mod publish;
mod rebuild;
mod reconcile;
mod reconcile_moving;
mod repair;
mod roles;
mod sales;
mod switch;
