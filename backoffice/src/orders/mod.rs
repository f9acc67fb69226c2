//! Orders: from a hold to money to settled books.
//!
//! A tour. [`quote`] says what an order comes to (pure), from what [`basis`] collects. [`place`] writes an order down, once for its key, and
//! hands it to the [`saga`], which takes it to its end through any crash. [`buyer`] is what buyers ask about their own; [`desk`] what staff does;
//! [`policies`] what a sale's orders go by; [`refunds`] what goes back, [`deliveries`] how the goods come. [`settled`]
//! tells a rebuilt sale what it lost of payments. [`seen`] reads what is shown of many at once. [`heard`] is how the payment
//! provider's webhooks come in. Everything that happened to an order is one of its events, which are its timeline and what the ledger is made of.

pub(crate) mod basis;
pub(crate) mod body;
pub(crate) mod buyer;
pub(crate) mod deliveries;
pub(crate) mod desk;
pub(crate) mod error;
mod heard;
mod limits;
pub(crate) mod model;
pub(crate) mod openapi;
pub(crate) mod page;
pub(crate) mod place;
pub(crate) mod policies;
pub(crate) mod quote;
pub(crate) mod refunds;
pub(crate) mod routes;
pub(crate) mod saga;
pub(crate) mod seen;
pub(crate) mod settled;
pub(crate) mod store;
pub(crate) mod view;

pub(crate) use heard::{heard, noted};
