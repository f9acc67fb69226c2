//! What shoppers see of the catalog, and keep of it: products, categories, notices; their carts and wish lists.

pub(crate) mod cache;
pub(crate) mod cart;
pub(crate) mod fast;
pub(crate) mod front;
pub(crate) mod popular;
pub(crate) mod products;
pub(crate) mod search;
pub(crate) mod wish_list;
