//! The audit must be able to fail: each test plants one wrong in an otherwise perfect run and looks for its number.

mod case;
mod clients;
mod stores;

pub(crate) use case::{Case, client};
