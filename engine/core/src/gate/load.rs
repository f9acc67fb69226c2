//! Puts some of a rebuilt sale beside the live one. Each call is bounded, so Redis is never busy for long.

use super::script::Script;
use super::{Gate, GateError};
use crate::ids::{LiveId, ReservationId};
use crate::limits::LOAD_ROWS_MAX;

pub static SCRIPT: Script = Script::new(
    "load",
    include_str!("../../../../lua/load.lua"),
    &[
        "rebuild",
        "next_users",
        "next_records",
        "next_order",
        "next_paying",
        "next_adjusts",
        "next_returns",
    ],
    &["call", "epoch", "part", "length"],
    &["loaded", "overtaken"],
);

/// Rows of one part of a sale; at most [`LOAD_ROWS_MAX`], at least one.
#[derive(Debug)]
pub enum Load<'a> {
    /// `<user>/<sku>`, or `<user>`, and a count.
    Users(&'a [(String, u64)]),
    Records(&'a [(ReservationId, Vec<u8>)]),
    /// Ids of holds in the order in which they began, after `length` others.
    Order {
        ids: &'a [ReservationId],
        length: u64,
    },
    /// Deadlines and ids of those being paid.
    Paying(&'a [(u64, ReservationId)]),
    /// Key of an adjustment, and its result.
    Adjusts(&'a [(String, String)]),
    /// Fields of `returns`, and their values.
    Returns(&'a [(Vec<u8>, String)]),
}

/// What `load` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loaded {
    Loaded,
    /// Another rebuild has begun since, or Redis has been emptied.
    Overtaken,
}

impl Gate {
    /// # Errors
    /// [`GateError`]; repeating is safe.
    pub async fn load(
        &self,
        live: &LiveId,
        epoch: u32,
        load: &Load<'_>,
    ) -> Result<Loaded, GateError> {
        let mut args = self.bare_args();
        args.push(epoch.to_string());
        let (part, before, rows) = match load {
            Load::Users(rows) => ("users", 0, rows.len()),
            Load::Records(rows) => ("records", 0, rows.len()),
            Load::Order { ids, length } => ("order", *length, ids.len()),
            Load::Paying(rows) => ("paying", 0, rows.len()),
            Load::Adjusts(rows) => ("adjusts", 0, rows.len()),
            Load::Returns(rows) => ("returns", 0, rows.len()),
        };
        debug_assert!((1..=LOAD_ROWS_MAX).contains(&rows));
        args.push(part);
        args.push(before.to_string());
        match load {
            Load::Users(rows) => rows.iter().for_each(|(field, count)| {
                args.push(field);
                args.push(count.to_string());
            }),
            Load::Records(rows) => rows.iter().for_each(|(id, record)| {
                args.push(id.as_bytes());
                args.push(record);
            }),
            Load::Order { ids, .. } => ids.iter().for_each(|id| args.push(id.as_bytes())),
            Load::Paying(rows) => rows.iter().for_each(|(deadline_ms, id)| {
                args.push(deadline_ms.to_string());
                args.push(id.as_bytes());
            }),
            Load::Adjusts(rows) => rows.iter().for_each(|(key, result)| {
                args.push(key);
                args.push(result);
            }),
            Load::Returns(rows) => rows.iter().for_each(|(field, value)| {
                args.push(field);
                args.push(value);
            }),
        }
        let mut reply = self.run(&SCRIPT, live, args).await?;
        match reply.word() {
            "loaded" => {
                let length = reply.number()?;
                let fits = part != "order" || length == before + rows as u64;
                fits.then_some(Loaded::Loaded)
                    .ok_or_else(|| reply.broken("the order has another length"))
            }
            "overtaken" => Ok(Loaded::Overtaken),
            _ => Err(reply.unknown_word()),
        }
    }
}
