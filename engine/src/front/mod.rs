//! The HTTP front, one file per behaviour: what any request meets, what may be asked for, how it is answered.

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

pub mod coupons;
mod events;
pub mod health;
mod receipts;
pub mod reservations;
mod reserving;
pub mod sales;
pub mod tickets;
pub mod wanted;
mod wish;

pub mod problem;
mod problem_body;
pub mod reply;
