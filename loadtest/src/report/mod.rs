//! What is said about a run to people: lines on a terminal ([`text`]) and one page that needs nothing else ([`html`]), and the paragraph that both begin with ([`story`]).

mod chart;
mod line;
mod money;
pub(crate) mod number;
mod page;
mod story;
mod tables;
mod text;

pub use page::html;
pub use story::story;
pub use text::text;
