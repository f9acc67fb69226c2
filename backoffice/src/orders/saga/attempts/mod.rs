//! Attempts to charge orders, as the books have them: written before the provider is asked, and ended by what it said.

pub(in crate::orders) mod store;
