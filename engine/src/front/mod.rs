//! The HTTP front, one file per behaviour, in the order in which a request meets them.

mod answering;
mod asked;
pub mod auth;
mod body;
mod buckets;
mod connections;
pub mod cors;
mod crowding;
pub mod limit;
mod linger;
mod request;
pub mod request_id;
mod retry;
pub mod route;
pub mod server;
mod spare;
mod tally;
pub mod wanted;
mod wish;

pub mod coupons;
mod events;
pub mod health;
mod receipts;
pub mod reservations;
mod reserving;
pub mod sales;
pub mod tickets;

pub mod problem;
mod problem_body;
pub mod reply;
