//! The HTTP front, one file per behaviour, in the order in which a request meets them.

mod answering;
pub mod auth;
mod body;
mod buckets;
mod connections;
pub mod cors;
mod crowding;
pub mod limit;
mod linger;
pub mod request;
pub mod request_id;
mod retry;
pub mod route;
pub mod server;
mod spare;
mod tally;

pub mod coupons;
mod events;
pub mod health;
mod receipts;
pub mod reservations;
pub mod sales;
pub mod tickets;

pub mod problem;
pub mod reply;
