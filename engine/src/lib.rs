//! The admission engine. In the order in which a reservation meets it:
//!
//! - [`front`]: accepts connections, checks requests, answers — [`front::reply`] is the one table of statuses
//! - [`sale`]: what the front knows of a live sale: its view, its combiner, its sold-out shield
//! - `line`: who waits in front of a sale, and who is next
//! - `threads`: what runs on which thread
//! - [`load`]: how many requests may be in flight, and which are refused first
//! - [`pressure`]: whether buyers keep this process busy, for the writer to wait
//! - [`writer`]: journal → MySQL, applied once; vouches for a Redis that came back
//! - [`sweeper`]: returns overdue holds
//! - [`witness`]: this engine's testimony of how far Redis had been
//! - `revoked`: keeps what this engine knows of revoked tokens as new as Redis
//! - [`ack`]: whether Redis is set to keep what an acknowledgement promises

pub mod config;
pub mod limits;

pub mod ack;
pub mod books;
pub mod front;
mod line;
pub mod load;
pub mod metrics;
pub mod pressure;
pub mod sale;
pub mod sweeper;
pub mod tallies;
mod witness;
pub mod writer;

pub mod app;
mod crash;
mod program;
mod revoked;
mod run;
mod threads;

pub use program::main;
pub use run::run;
