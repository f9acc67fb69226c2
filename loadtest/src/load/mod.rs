//! The light client: as many requests as the machine allows, each with when it was due and what came of it.
//!
//! `rush` plays people, with second thoughts and broken wires; this measures. It keeps little per request, and answers are
//! read only once the clock has stopped. What it was told can still be audited: see [`told`].

pub mod buyers;
pub mod told;
pub mod volley;

pub use buyers::Buyers;
pub use volley::{Heard, Pace, Shot, Volley, Wire, fire};
