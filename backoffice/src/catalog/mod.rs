//! The catalog as staff keep it: who sells, what, in which category, and what all shoppers are told. `shop` shows it.

pub(crate) mod error;
pub(crate) mod ids;
pub(crate) mod page;
pub(crate) mod text;

pub(crate) mod categories;
pub(crate) mod notices;
pub(crate) mod offers;
pub(crate) mod products;
pub(crate) mod sellers;

pub(crate) mod listing;
pub(crate) mod openapi;
pub(crate) mod routes;
