//! SQL of reconcile: reads in chunks, inside the caller's transaction, and the cursor for `repair`. Called by `reconcile`, its `live` and
//! its `repair`; rows of reservations and claims are written by `projection`.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use doorbuster_core::ids::{LiveId, ReservationId};
use doorbuster_core::journal::StreamId;
use sqlx::mysql::{MySqlConnection, MySqlPool};
use sqlx::{FromRow, MySql, QueryBuilder, query, query_as, query_scalar};
use uuid::Uuid;

use super::fact::{Fact, Holding, Lines, status_text};
use crate::bulk::push_in;
use crate::projection::returns_store;

/// The journal's cursor.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) epoch: u32,
    pub(super) seq: u64,
    pub(super) stream_id: StreamId,
}

/// Everything that Redis has had, or may have.
pub(super) async fn published(books: &MySqlPool) -> Result<Vec<LiveId>> {
    let ids: Vec<String> =
        query_scalar("-- published\nselect sale_id from journal_cursor order by sale_id")
            .fetch_all(books)
            .await?;
    ids.iter()
        .map(|id| {
            LiveId::from_book_id(id).with_context(|| format!("journal_cursor has the sale {id}"))
        })
        .collect()
}

/// The first read of the transaction: it fixes the instant that all others show.
pub(super) async fn head(tx: &mut MySqlConnection, live: &LiveId) -> Result<Head> {
    let row: (u32, u64, String) =
        query_as("-- head\nselect epoch, seq, stream_id from journal_cursor where sale_id = ?")
            .bind(live.book_id())
            .fetch_one(tx)
            .await?;
    Ok(Head {
        epoch: row.0,
        seq: row.1,
        stream_id: StreamId::new(row.2),
    })
}

/// The same, locked until the transaction ends: no writer is at work on the sale meanwhile.
pub(super) async fn lock_head(tx: &mut MySqlConnection, live: &LiveId) -> Result<Head> {
    let row: (u32, u64, String) = query_as(
        "-- lock_head\nselect epoch, seq, stream_id from journal_cursor where sale_id = ? for update",
    )
    .bind(live.book_id())
    .fetch_one(tx)
    .await?;
    Ok(Head {
        epoch: row.0,
        seq: row.1,
        stream_id: StreamId::new(row.2),
    })
}

pub(super) async fn move_cursor(
    tx: &mut MySqlConnection,
    live: &LiveId,
    seq: u64,
    stream_id: &StreamId,
) -> sqlx::Result<()> {
    query("-- move_cursor\nupdate journal_cursor set seq = ?, stream_id = ?, updated_at = utc_timestamp(6) where sale_id = ?")
        .bind(seq)
        .bind(stream_id.as_str())
        .bind(live.book_id())
        .execute(tx)
        .await
        .map(drop)
}

/// Number and raw bytes of events that are dead letters, or were and have been discarded.
pub(super) async fn lettered(
    tx: &mut MySqlConnection,
    live: &LiveId,
) -> sqlx::Result<Vec<(u64, Vec<u8>)>> {
    query_as(
        "-- lettered\nselect j.seq, j.raw from journal j where j.sale_id = ? and (
            j.seq in (select d.seq from dead_letters d where d.sale_id = ?)
            or j.seq in (select c.seq from dead_letter_cases c where c.sale_id = ? and c.outcome = 'discarded'))",
    )
    .bind(live.book_id())
    .bind(live.book_id())
    .bind(live.book_id())
    .fetch_all(tx)
    .await
}

pub(super) async fn dead_letters(
    tx: &mut MySqlConnection,
    live: &LiveId,
) -> sqlx::Result<Vec<(u64, String)>> {
    query_as("-- dead_letters\nselect seq, error from dead_letters where sale_id = ? order by seq")
        .bind(live.book_id())
        .fetch_all(tx)
        .await
}

/// One event as the books keep it.
#[derive(Debug, FromRow)]
pub(super) struct JournalRow {
    pub(super) seq: u64,
    pub(super) kind: String,
    pub(super) raw: Vec<u8>,
}

/// The next `rows` events after `seq`.
pub(super) async fn journal(
    tx: &mut MySqlConnection,
    live: &LiveId,
    seq: u64,
    rows: u32,
) -> sqlx::Result<Vec<JournalRow>> {
    query_as("-- journal\nselect seq, kind, raw from journal where sale_id = ? and seq > ? order by seq limit ?")
        .bind(live.book_id())
        .bind(seq)
        .bind(rows)
        .fetch_all(tx)
        .await
}

#[derive(FromRow)]
struct ReservationRow {
    id: Uuid,
    seq: u64,
    user_id: String,
    status: String,
    reason: Option<String>,
    deadline: DateTime<Utc>,
    body_hash: Vec<u8>,
}

#[derive(FromRow)]
struct ClaimRow {
    id: Uuid,
    seq: u64,
    user_id: String,
    claimed_at: DateTime<Utc>,
}

const RESERVATIONS: &str = "select id, seq, user_id, status, reason, deadline, body_hash from reservations where sale_id = ";
const CLAIMS: &str = "select id, seq, user_id, claimed_at from coupon_claims where coupon_id = ";

/// The next `rows` reservations (or claims) after `seq`.
pub(super) async fn facts_from(
    tx: &mut MySqlConnection,
    live: &LiveId,
    seq: u64,
    rows: u32,
) -> sqlx::Result<Vec<Fact>> {
    let (from, id) = table(live);
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new("-- facts_from\n");
    statement
        .push(from)
        .push_bind(id)
        .push(" and seq > ")
        .push_bind(seq)
        .push(" order by seq limit ")
        .push_bind(rows);
    facts(tx, live, statement).await
}

/// Those of these ids that the books have, by id.
pub(super) async fn facts_of(
    tx: &mut MySqlConnection,
    live: &LiveId,
    ids: &[ReservationId],
) -> sqlx::Result<HashMap<ReservationId, Fact>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let (from, id) = table(live);
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new("-- facts_of\n");
    statement.push(from).push_bind(id).push(" and id in (");
    push_in(&mut statement, ids.iter().map(ReservationId::as_uuid));
    let facts = facts(tx, live, statement).await?;
    Ok(facts.into_iter().map(|fact| (fact.id, fact)).collect())
}

fn table(live: &LiveId) -> (&'static str, String) {
    match live {
        LiveId::Sale(id) => (RESERVATIONS, id.to_string()),
        LiveId::Coupon(id) => (CLAIMS, id.to_string()),
    }
}

async fn facts(
    tx: &mut MySqlConnection,
    live: &LiveId,
    mut statement: QueryBuilder<MySql>,
) -> sqlx::Result<Vec<Fact>> {
    match live {
        LiveId::Sale(id) => {
            let rows: Vec<ReservationRow> = statement.build_query_as().fetch_all(&mut *tx).await?;
            let mut lines = lines(tx, id.as_str(), &rows).await?;
            let seqs = || rows.iter().map(|row| row.seq);
            let span = seqs().min().zip(seqs().max());
            let mut returned = returns_store::between(tx, id.as_str(), span).await?;
            let fact = |row: ReservationRow| {
                let returned = returned.remove(&row.seq).unwrap_or_default();
                reservation(row, &mut lines, returned)
            };
            Ok(rows.into_iter().map(fact).collect())
        }
        LiveId::Coupon(id) => {
            let rows: Vec<ClaimRow> = statement.build_query_as().fetch_all(tx).await?;
            Ok(rows
                .into_iter()
                .map(|row| claim(row, id.as_str()))
                .collect())
        }
    }
}

async fn lines(
    tx: &mut MySqlConnection,
    sale: &str,
    rows: &[ReservationRow],
) -> sqlx::Result<HashMap<Uuid, Lines>> {
    let mut lines: HashMap<Uuid, Lines> = HashMap::new();
    if rows.is_empty() {
        return Ok(lines);
    }
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new(
        "-- lines\nselect reservation_id, sku, quantity from reservation_lines where sale_id = ",
    );
    statement.push_bind(sale).push(" and seq in (");
    push_in(&mut statement, rows.iter().map(|row| row.seq));
    statement.push(" order by sku");
    let found: Vec<(Uuid, String, u32)> = statement.build_query_as().fetch_all(tx).await?;
    for (id, sku, quantity) in found {
        lines.entry(id).or_default().push((sku, quantity));
    }
    Ok(lines)
}

fn reservation(row: ReservationRow, lines: &mut HashMap<Uuid, Lines>, returned: Lines) -> Fact {
    let holding = match row.status.as_str() {
        "held" | "paying" => Holding::Held,
        "paid" => Holding::Sold,
        _ => Holding::Nothing,
    };
    Fact {
        id: ReservationId::from_bytes(*row.id.as_bytes()),
        seq: row.seq,
        user: row.user_id,
        status: status_text(&row.status, row.reason.as_deref()),
        holding,
        at_ms: clock::to_ms(row.deadline),
        lines: lines.remove(&row.id).unwrap_or_default(),
        returned,
        body: row.body_hash.try_into().ok(),
    }
}

fn claim(row: ClaimRow, coupon: &str) -> Fact {
    Fact {
        id: ReservationId::from_bytes(*row.id.as_bytes()),
        seq: row.seq,
        user: row.user_id,
        status: "claimed".to_owned(),
        holding: Holding::Sold,
        at_ms: clock::to_ms(row.claimed_at),
        lines: vec![(coupon.to_owned(), 1)],
        returned: Lines::new(),
        body: None,
    }
}
