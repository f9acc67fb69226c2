//! The vocabulary that engine, back-office and harness share: what a sale is, and how Redis is asked about it.
//!
//! No HTTP, no SQL, no configuration. In reading order: the words ([`ids`], [`money`], [`record`], [`returns`], [`journal`], [`handover`], [`hex`]), what
//! bounds them ([`limits`], [`clock`]), what is on offer ([`listing`]), how a line moves ([`line`]) and who is first ([`draw`]), what an answer is worth ([`ack`]), who is asking ([`address`], [`crowds`], [`claims`], [`revocations`], [`signed`], [`receipt`], [`ticket`]), and the typed front of the scripts
//! ([`keys`], [`gate`]); [`planted`] and `crash` are for drills alone.

pub mod handover;
pub mod hex;
pub mod ids;
pub mod journal;
pub mod money;
pub mod record;
pub mod returns;

pub mod clock;
pub mod limits;

pub mod ack;
pub mod line;
pub mod listing;

pub mod address;
pub mod claims;
pub mod crowds;
pub mod draw;
pub mod receipt;
pub mod revocations;
pub mod signed;
pub mod ticket;

pub mod gate;
pub mod keys;

#[cfg(feature = "crash-points")]
pub mod crash;
pub mod planted;
