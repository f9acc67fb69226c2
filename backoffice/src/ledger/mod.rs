//! The ledger: double-entry, posted from what happened to orders, by rule.
//!
//! A tour. `rules` is the one table that says which legs each event has; pure. [`job`] takes events that have not been posted, in batches, and adds
//! their legs ([`store`]); an event is posted once, because its legs have its number. [`points`] posts what no order moves. What happened on a day that is closed counts on the first
//! open one, and says which day it belongs to. [`check`] holds the sums to 0. Nothing here is ever changed or removed.

pub(crate) mod check;
pub(crate) mod job;
pub(crate) mod points;
pub(crate) mod rules;
pub(crate) mod store;
