//! The plain reads that need no script: the journal's tail, the backlog of many sales at once, records.

use std::collections::HashMap;

use bytes::Bytes;
use fred::interfaces::{ClientLike, HashesInterface, ListInterface, SortedSetsInterface};
use fred::types::{ClusterHash, CustomCommand, Value};

use super::{Gate, GateError, connection};
use crate::ids::{LiveId, ReservationId};
use crate::journal::{Entry, StreamId};
use crate::keys::Keys;
use crate::record::{Line, parse_lines};

/// Where a sale stands, as far as a writer needs it to see whether there is work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog {
    pub epoch: u32,
    pub run_id: String,
    pub seq: u64,
    pub flushed_seq: u64,
    /// Bytes of the events that the books do not have.
    pub bytes: u64,
    /// Closed for good.
    pub is_closed: bool,
    /// The end of its window.
    pub closes_ms: u64,
}

impl Backlog {
    /// Events that the books do not have.
    pub fn events(&self) -> u64 {
        self.seq.saturating_sub(self.flushed_seq)
    }
}

/// In the order in which they are read.
const BACKLOG_FIELDS: [&str; 8] = [
    "epoch",
    "run_id",
    "seq",
    "flushed_seq",
    "bytes",
    "flushed_bytes",
    "state",
    "closes_ms",
];

impl Gate {
    /// The journal from `from` on, that entry included, at most `entries_max` entries.
    ///
    /// # Errors
    /// [`GateError`]; [`GateError::Contract`] where an entry is not one of ours.
    pub async fn journal(
        &self,
        live: &LiveId,
        from: &StreamId,
        entries_max: usize,
    ) -> Result<Vec<Entry>, GateError> {
        let key = Keys::of(live).journal;
        let args = [
            key.as_str(),
            from.as_str(),
            "+",
            "COUNT",
            &entries_max.to_string(),
        ]
        .map(str::to_string);
        let value = self.command("XRANGE", Some(&key), args.to_vec()).await?;
        array(value)?.into_iter().map(entry).collect()
    }

    /// Where each of `sales` stands, in one round trip; `None` where Redis has no such sale.
    ///
    /// # Errors
    /// [`GateError`].
    pub async fn backlogs(&self, sales: &[LiveId]) -> Result<Vec<Option<Backlog>>, GateError> {
        if sales.is_empty() {
            return Ok(Vec::new());
        }
        let pipeline = self.pool().next().pipeline();
        for live in sales {
            let fields = BACKLOG_FIELDS.to_vec();
            let queued: Result<(), _> = pipeline.hmget(Keys::of(live).sale, fields).await;
            queued.map_err(|e| connection::gate_error("backlogs", &e))?;
        }
        let replies: Vec<Value> = pipeline
            .all()
            .await
            .map_err(|e| connection::gate_error("backlogs", &e))?;
        Ok(replies.into_iter().map(backlog).collect())
    }

    /// The sale's generation and the last event that the books have; `None` where Redis has no such sale.
    ///
    /// # Errors
    /// [`GateError`].
    pub async fn flushed(&self, live: &LiveId) -> Result<Option<(u32, u64)>, GateError> {
        let key = Keys::of(live).sale;
        let args = [key.as_str(), "epoch", "flushed_seq"].map(str::to_string);
        let value = self.command("HMGET", Some(&key), args.to_vec()).await?;
        let mut fields = array(value)?.into_iter().map(|v| v.into_string());
        let mut next = || fields.next().flatten();
        Ok((|| Some((next()?.parse().ok()?, next()?.parse().ok()?)))())
    }

    /// How many ids each of `sales` has in its order of holds and among what is being paid, in one round trip: where there are none,
    /// nothing is left to sweep.
    ///
    /// # Errors
    /// [`GateError`].
    pub async fn orders(&self, sales: &[LiveId]) -> Result<Vec<u64>, GateError> {
        if sales.is_empty() {
            return Ok(Vec::new());
        }
        let pipeline = self.pool().next().pipeline();
        for live in sales {
            let keys = Keys::of(live);
            let queued: Result<(), _> = pipeline.llen(keys.order).await;
            queued.map_err(|e| connection::gate_error("orders", &e))?;
            let queued: Result<(), _> = pipeline.zcard(keys.paying).await;
            queued.map_err(|e| connection::gate_error("orders", &e))?;
        }
        let counts: Vec<u64> = pipeline
            .all()
            .await
            .map_err(|e| connection::gate_error("orders", &e))?;
        Ok(counts.chunks(2).map(|both| both.iter().sum()).collect())
    }

    /// One step of a walk over all records of a sale: those of this step, and the cursor of the next (0: done). Records
    /// that stay throughout are seen at least once.
    ///
    /// # Errors
    /// [`GateError`].
    pub async fn scan_records(
        &self,
        live: &LiveId,
        cursor: u64,
        count: usize,
    ) -> Result<(u64, Vec<(ReservationId, Vec<u8>)>), GateError> {
        let key = Keys::of(live).records;
        let (next, rows) = self.scan_hash(key, cursor, count).await?;
        let records = rows.into_iter().map(|(field, record)| {
            let id = field.try_into().map_err(|_| broken("a record's id"))?;
            Ok((ReservationId::from_bytes(id), record))
        });
        Ok((next, records.collect::<Result<_, GateError>>()?))
    }

    /// What has come back of each of these, where something has.
    ///
    /// # Errors
    /// [`GateError`]; [`GateError::Contract`] where it is not as our scripts write it.
    pub async fn returns_of(
        &self,
        live: &LiveId,
        ids: &[ReservationId],
    ) -> Result<HashMap<ReservationId, Vec<Line>>, GateError> {
        let mut returned = HashMap::new();
        if ids.is_empty() {
            return Ok(returned);
        }
        let fields: Vec<Bytes> = ids
            .iter()
            .map(|id| Bytes::copy_from_slice(id.as_bytes()))
            .collect();
        let key = Keys::of(live).returns;
        let values: Vec<Option<String>> = self
            .pool()
            .next()
            .hmget(&key, fields)
            .await
            .map_err(|e| connection::gate_error("HMGET", &e))?;
        for (id, text) in ids.iter().zip(values) {
            if let Some(text) = text {
                let lines = parse_lines(&text).map_err(|_| broken("what came back"))?;
                returned.insert(*id, lines);
            }
        }
        Ok(returned)
    }

    /// One step of a walk over a hash: its pairs, and the cursor of the next step.
    pub(super) async fn scan_hash(
        &self,
        key: String,
        cursor: u64,
        count: usize,
    ) -> Result<(u64, Vec<(Vec<u8>, Vec<u8>)>), GateError> {
        let args = vec![
            key.clone(),
            cursor.to_string(),
            "COUNT".into(),
            count.to_string(),
        ];
        let mut parts = array(self.command("HSCAN", Some(&key), args).await?)?.into_iter();
        let next = parts
            .next()
            .and_then(|v| v.into_string())
            .and_then(|v| v.parse().ok())
            .ok_or_else(|| broken("HSCAN cursor"))?;
        let mut flat = array(parts.next().unwrap_or(Value::Null))?.into_iter();
        let mut rows = Vec::with_capacity(flat.len() / 2);
        while let (Some(field), Some(value)) = (flat.next(), flat.next()) {
            rows.push((bytes(field)?, bytes(value)?));
        }
        Ok((next, rows))
    }

    pub(super) async fn command(
        &self,
        name: &'static str,
        key: Option<&str>,
        args: Vec<String>,
    ) -> Result<Value, GateError> {
        let hash = key.map_or(ClusterHash::Random, |key| {
            ClusterHash::Custom(redis_slot(key))
        });
        let command = CustomCommand::new_static(name, hash, false);
        self.pool()
            .next()
            .custom(command, args)
            .await
            .map_err(|e| connection::gate_error(name, &e))
    }
}

pub(super) fn redis_slot(key: &str) -> u16 {
    fred::util::redis_keyslot(key.as_bytes())
}

pub(super) fn broken(what: &str) -> GateError {
    GateError::Contract {
        script: "reads",
        detail: format!("{what} is not what it should be"),
    }
}

pub(super) fn array(value: Value) -> Result<Vec<Value>, GateError> {
    match value {
        Value::Array(values) => Ok(values),
        Value::Null => Ok(Vec::new()),
        other => Err(broken(&format!("an array, but {:?}", other.kind()))),
    }
}

pub(super) fn text_of(value: Option<Value>) -> Result<String, GateError> {
    value
        .and_then(|value| value.into_string())
        .ok_or_else(|| broken("a text"))
}

fn bytes(value: Value) -> Result<Vec<u8>, GateError> {
    match value {
        Value::Bytes(bytes) => Ok(bytes.to_vec()),
        Value::String(text) => Ok(text.as_bytes().to_vec()),
        other => Err(broken(&format!("a string, but {:?}", other.kind()))),
    }
}

fn entry(value: Value) -> Result<Entry, GateError> {
    let mut parts = array(value)?.into_iter();
    let id = parts
        .next()
        .and_then(|v| v.into_string())
        .ok_or_else(|| broken("an entry's id"))?;
    let mut flat = array(parts.next().unwrap_or(Value::Null))?.into_iter();
    let mut pairs = Vec::with_capacity(flat.len() / 2);
    while let (Some(field), Some(value)) = (flat.next(), flat.next()) {
        pairs.push((bytes(field)?, bytes(value)?));
    }
    Entry::parse(id, pairs).map_err(|e| broken(&e.to_string()))
}

fn backlog(value: Value) -> Option<Backlog> {
    let mut fields = array(value).ok()?.into_iter().map(|v| v.into_string());
    let mut next = || fields.next().flatten();
    let (epoch, run_id) = (next()?.parse().ok()?, next()?);
    let mut number = || next()?.parse::<u64>().ok();
    let (seq, flushed_seq, bytes, flushed_bytes) = (number()?, number()?, number()?, number()?);
    Some(Backlog {
        epoch,
        run_id,
        seq,
        flushed_seq,
        bytes: bytes.saturating_sub(flushed_bytes),
        is_closed: next()? == "closed",
        closes_ms: next()?.parse().ok()?,
    })
}
