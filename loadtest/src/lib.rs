//! The load harness: sends crowds to a sale over plain HTTP, and proves that what they were told is what Redis and MySQL hold.
//!
//! In reading order: what a run shall be ([`args`], [`plan`], [`crowd`], [`schedule`]), what it runs against ([`target`],
//! [`setup`]), the clients ([`client`], [`history`]), the judgement ([`audit`]), the way from a hold to money ([`checkout`]), and what is said about it ([`summary`],
//! [`record`], [`report`]). [`rush`] puts them together; [`demo`] is a rush with a story. [`rivals`] are what ours is compared with,
//! by [`compare`]. [`drill`] breaks the programs while a crowd is there; [`line`] is a crowd in a waiting room.

pub mod args;
pub mod config;
pub mod limits;

pub mod crowd;
pub mod plan;
pub mod schedule;

pub mod setup;
pub mod target;

pub mod client;
pub mod history;
pub mod load;
pub mod progress;
pub mod tally;
mod wire;

pub mod audit;
pub mod checkout;

pub mod record;
pub mod report;
pub mod summary;

pub mod bench;
pub mod knee;
pub mod rivals;

pub mod compare;

pub mod drill;

pub mod line;
pub mod verify;

pub mod command;
pub mod demo;
pub mod rush;
