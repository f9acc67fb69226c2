//! The scripts' promises, held against a real Redis: one file per script, and above them the text of the scripts
//! (`contract`), races, a lost server, and a model that plays at random. Tests move the data, never the clock.

#![expect(
    clippy::unwrap_used,
    reason = "all of this is test code: a panic is a failed test"
)]

mod harness;
mod in_line;
mod notices;
mod paying;
mod rebuilt;
mod state;

mod contract;
mod lua_text;

mod adjust;
mod begin_payment;
mod cancel;
mod claim;
mod draw;
mod fence;
mod find;
mod honour;
mod load;
mod open;
mod release;
mod reserve;
mod reserve_refusals;
mod reserve_runs;
mod restock;
mod revoke;
mod settle;
mod snapshot;
mod stake;
mod swap;
mod sweep;
mod sweep_paying;
mod switch;
mod trim;
mod unflushed;
mod vouch;
mod withdraw;
mod write_off;

mod advance;
mod join;
mod reserve_in_line;

mod races;
mod replicas;
mod restart;
mod server_refusals;
mod wire;

mod model;
mod model_paying;
mod reference;
mod reference_paying;
mod render;
mod replay;
