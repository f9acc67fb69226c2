//! The back-office as its callers see it: over HTTP and as a command, on real Redis, MariaDB and engine.

#![expect(
    clippy::unwrap_used,
    reason = "all of this is test code: a panic is a failed test"
)]

mod browser;
mod http;
mod people;
mod stage;

mod access;
mod accounts;
mod addresses;
mod audit_log;
mod baskets;
mod cache;
mod canary;
mod catalog;
mod closing;
mod commands;
mod coupons;
mod dead_mails;
mod draws;
mod edge;
mod edits;
mod email_changes;
mod fuzz;
mod lines;
mod mails;
mod me;
mod migrate;
mod money;
mod onlooker;
mod orders;
mod owed;
mod own_sessions;
mod pages;
mod passwords;
mod payment_faults;
mod payments;
mod points;
mod products;
mod publish;
mod rebuild;
mod reconcile;
mod reconcile_moving;
mod refresh;
mod repair;
mod returns;
mod revoked;
mod roles;
mod rotation;
mod sales;
mod schedule;
mod search;
mod search_lists;
mod seed;
mod sessions;
mod settlement;
mod sign_ups;
mod storm;
mod switch;
mod throttle;
mod till;
mod users;
mod watch;
mod webhooks;
