//! The back-office: where staff write sales down and control them, and where the books are held against Redis.
//!
//! A tour. [`config`] reads the command line and the environment, and names what is wrong; [`run`] does one of its jobs:
//! `migrate`, `seed`, `token`, `invite`, `admin`, `server`, `reconcile`, `rebuild`, `audit_log::check`. A request comes in at `server` (connections), passes `edge` (id, deadline, headers) and
//! `auth` (who may), as the table in [`route`] says, and reaches a handler in `sales`, `coupons`, `catalog`, `shop`, `me` or one of those of people (`accounts` is the tour), which parses with
//! `extract` and `validate`, and answers through `error`. What sales and coupons share once they are in Redis is in `live`;
//! `draws` shows how a line was drawn; `dead_letters` are events that MySQL refused, `projection` puts single ones into the books; `audit_log` keeps who changed what. SQL is in the `store` of each; Redis is reached through `doorbuster_core::gate` alone.

pub mod config;
mod hosts;
pub mod limits;
mod secret_config;

pub mod program;
pub mod run;

mod crash;

mod ack;

pub mod accounts;
pub mod admin;
pub mod invite;
pub mod migrate;
pub mod rebuild;
pub mod reconcile;
pub mod seed;
pub mod server;
pub mod settlement;
pub mod token;

mod answers;
mod app;
pub mod auth;
mod edge;
mod extract;
pub mod route;

mod catalog;
mod coupons;
mod dead_letters;
mod draws;
mod health;
mod ledger;
mod me;
mod orders;
pub mod pages;
mod points;
mod sales;
mod shop;

mod addresses;
mod email_changes;
mod passwords;
mod profile;
mod sessions;
mod sign_ups;
mod users;

pub mod payment_sandbox;
pub mod payments;

mod mail;
mod revocations;

pub mod audit_log;
mod derived;
mod live;
mod projection;
mod raw;

mod bulk;
mod gathered;

mod error;
mod language;
mod passing;
mod validate;
mod window;

mod docs;
mod metrics;
mod openapi;
