//! SQL of dead letters, their cases, and the sales that were stopped by them. Called by `dead_letters`.

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use doorbuster_core::ids::LiveId;
use sqlx::mysql::{MySqlConnection, MySqlPool};
use sqlx::{FromRow, query, query_as, query_scalar};
use uuid::Uuid;

use super::id::LetterId;
use crate::limits::ERROR_CHARS_MAX;

/// An open letter with its event and its case.
#[derive(Debug, FromRow)]
pub(super) struct LetterRow {
    pub(super) sale_id: String,
    pub(super) seq: u64,
    pub(super) epoch: u32,
    pub(super) error: String,
    pub(super) created_at: DateTime<Utc>,
    pub(super) kind: Option<String>,
    pub(super) reservation_id: Option<Uuid>,
    pub(super) user_id: Option<String>,
    pub(super) tries: u32,
}

/// At most `rows` of them after `after`.
pub(super) async fn page(
    books: &MySqlPool,
    sale: Option<&LiveId>,
    after: Option<&LetterId>,
    rows: u32,
) -> sqlx::Result<Vec<LetterRow>> {
    let sale = sale.map(LiveId::book_id);
    let (after_sale, after_seq) = after.map(|id| (id.live.book_id(), id.seq)).unzip();
    query_as(
        "-- page\nselect d.sale_id, d.seq, d.epoch, d.error, d.created_at, j.kind, j.reservation_id, j.user_id,
            cast(coalesce(c.tries, 0) as unsigned) as tries
        from dead_letters d
        left join journal j on j.sale_id = d.sale_id and j.seq = d.seq
        left join dead_letter_cases c on c.sale_id = d.sale_id and c.seq = d.seq
        where (? is null or d.sale_id = ?) and (? is null or d.sale_id > ? or (d.sale_id = ? and d.seq > ?))
        order by d.sale_id, d.seq limit ?",
    )
    .bind(&sale)
    .bind(&sale)
    .bind(&after_sale)
    .bind(&after_sale)
    .bind(&after_sale)
    .bind(after_seq)
    .bind(rows)
    .fetch_all(books)
    .await
}

/// Sale, why and since when.
pub(super) async fn stops(
    books: &MySqlPool,
    sale: Option<&LiveId>,
) -> sqlx::Result<Vec<(String, String, DateTime<Utc>)>> {
    let sale = sale.map(LiveId::book_id);
    query_as("-- stops\nselect sale_id, why, stopped_at from writer_stops where ? is null or sale_id = ? order by sale_id")
        .bind(&sale)
        .bind(&sale)
        .fetch_all(books)
        .await
}

/// What a letter says of itself.
#[derive(Debug, FromRow)]
pub(super) struct Letter {
    pub(super) epoch: u32,
    pub(super) error: String,
    pub(super) created_at: DateTime<Utc>,
}

/// The open letter, locked until the transaction ends; `None` where none is open.
pub(super) async fn lock(tx: &mut MySqlConnection, id: &LetterId) -> sqlx::Result<Option<Letter>> {
    query_as("-- lock\nselect epoch, error, created_at from dead_letters where sale_id = ? and seq = ? for update")
        .bind(id.live.book_id())
        .bind(id.seq)
        .fetch_optional(tx)
        .await
}

/// How the case ended; `None` where there is none, or it has not.
pub(super) async fn outcome(
    tx: &mut MySqlConnection,
    id: &LetterId,
) -> sqlx::Result<Option<String>> {
    let outcome: Option<Option<String>> = query_scalar(
        "-- outcome\nselect outcome from dead_letter_cases where sale_id = ? and seq = ?",
    )
    .bind(id.live.book_id())
    .bind(id.seq)
    .fetch_optional(tx)
    .await?;
    Ok(outcome.flatten())
}

/// Notes a try that was refused.
pub(super) async fn tried(
    tx: &mut MySqlConnection,
    id: &LetterId,
    letter: &Letter,
    error: &str,
    actor: &str,
) -> sqlx::Result<()> {
    let error: String = error.chars().take(ERROR_CHARS_MAX).collect();
    open_case(tx, id, letter, &error, actor).await?;
    query("-- tried\nupdate dead_letters set error = ? where sale_id = ? and seq = ?")
        .bind(&error)
        .bind(id.live.book_id())
        .bind(id.seq)
        .execute(tx)
        .await
        .map(drop)
}

async fn open_case(
    tx: &mut MySqlConnection,
    id: &LetterId,
    letter: &Letter,
    error: &str,
    actor: &str,
) -> sqlx::Result<()> {
    let now = clock::now().naive_utc();
    query(
        "-- open_case\ninsert into dead_letter_cases (sale_id, seq, epoch, error, tries, tried_at, actor, created_at)
        values (?, ?, ?, ?, 1, ?, ?, ?)
        on duplicate key update error = values(error), tries = tries + 1, tried_at = values(tried_at), actor = values(actor)",
    )
    .bind(id.live.book_id())
    .bind(id.seq)
    .bind(letter.epoch)
    .bind(error)
    .bind(now)
    .bind(actor)
    .bind(letter.created_at.naive_utc())
    .execute(tx)
    .await
    .map(drop)
}

/// How a case ends.
#[derive(Debug)]
pub(super) struct End<'a> {
    pub(super) outcome: &'static str,
    pub(super) reason: Option<&'a str>,
    pub(super) actor: &'a str,
}

/// Ends the case and takes the letter away. A discard has noted its try before.
pub(super) async fn close(
    tx: &mut MySqlConnection,
    id: &LetterId,
    letter: &Letter,
    end: &End<'_>,
) -> sqlx::Result<()> {
    if end.reason.is_none() {
        open_case(tx, id, letter, &letter.error, end.actor).await?;
    }
    query("-- close\nupdate dead_letter_cases set outcome = ?, reason = ?, ended_at = ? where sale_id = ? and seq = ?")
        .bind(end.outcome)
        .bind(end.reason)
        .bind(clock::now().naive_utc())
        .bind(id.live.book_id())
        .bind(id.seq)
        .execute(&mut *tx)
        .await?;
    query("-- close\ndelete from dead_letters where sale_id = ? and seq = ?")
        .bind(id.live.book_id())
        .bind(id.seq)
        .execute(tx)
        .await
        .map(drop)
}
