//! What is said about a run to people: lines on a terminal ([`text`]) and one page that needs nothing else ([`html`]).

mod chart;
mod number;
mod page;
mod text;

pub use page::html;
pub use text::text;
