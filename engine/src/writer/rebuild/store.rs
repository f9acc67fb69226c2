//! SQL of a rebuild's course: locks, asks, handovers, proofs, and what staff are told.

use std::time::Duration;

use chrono::{DateTime, Utc};
use doorbuster_core::ids::LiveId;
use sqlx::{MySql, MySqlPool, Transaction};
use uuid::Uuid;

use super::super::store::Cursor;
use super::report::Report;
use doorbuster_core::journal::{RawEvent, StreamId};

type Tx<'a> = Transaction<'a, MySql>;

/// Waits for whoever holds it, up to the session's lock wait.
pub(super) async fn wait_for_cursor(
    tx: &mut Tx<'_>,
    sale_id: &str,
) -> Result<Option<Cursor>, sqlx::Error> {
    let sql = "-- wait_for_cursor
        select epoch, seq, stream_id from journal_cursor where sale_id = ? for update";
    let row: Option<(u32, u64, String)> = sqlx::query_as(sql)
        .bind(sale_id)
        .fetch_optional(&mut **tx)
        .await?;
    Ok(row.map(|(epoch, seq, stream_id)| Cursor {
        epoch,
        seq,
        stream_id: StreamId::new(stream_id),
    }))
}

/// The journal of the new generation begins after `seq`.
pub(super) async fn raise_epoch(
    tx: &mut Tx<'_>,
    sale_id: &str,
    epoch: u32,
    seq: u64,
) -> Result<(), sqlx::Error> {
    let sql = "-- raise_epoch
        update journal_cursor set epoch = ?, seq = ?, stream_id = ?, updated_at = utc_timestamp(6) where sale_id = ? and epoch < ?";
    let query = sqlx::query(sql)
        .bind(epoch)
        .bind(seq)
        .bind(StreamId::START)
        .bind(sale_id)
        .bind(epoch);
    match query.execute(&mut **tx).await?.rows_affected() {
        1 => Ok(()),
        _ => Err(sqlx::Error::RowNotFound),
    }
}

pub(super) async fn dead_letters(tx: &mut Tx<'_>, sale_id: &str) -> Result<i64, sqlx::Error> {
    let sql = "-- dead_letters
        select count(*) from dead_letters where sale_id = ?";
    sqlx::query_scalar(sql)
        .bind(sale_id)
        .fetch_one(&mut **tx)
        .await
}

/// Takes the sale's dead letters, of which there were none before this transaction, and marks their events lost; numbers, and why each was
/// refused.
pub(super) async fn take_letters(
    tx: &mut Tx<'_>,
    sale_id: &str,
) -> Result<Vec<(u64, String)>, sqlx::Error> {
    let sql = "-- take_letters
        select seq, error from dead_letters where sale_id = ? order by seq";
    let letters: Vec<(u64, String)> = sqlx::query_as(sql)
        .bind(sale_id)
        .fetch_all(&mut **tx)
        .await?;
    for (seq, _) in &letters {
        let sql = "-- take_letters
            update journal set kind = 'lost', reservation_id = null, user_id = null, sku = null, quantity = null, raw = ?
            where sale_id = ? and seq = ?";
        sqlx::query(sql)
            .bind(RawEvent::lost(*seq).raw())
            .bind(sale_id)
            .bind(seq)
            .execute(&mut **tx)
            .await?;
    }
    let sql = "-- take_letters
        delete from dead_letters where sale_id = ?";
    sqlx::query(sql).bind(sale_id).execute(&mut **tx).await?;
    Ok(letters)
}

/// Sales whose rebuild staff have asked for.
pub(super) async fn requests(pool: &MySqlPool) -> Result<Vec<LiveId>, sqlx::Error> {
    let sql = "-- requests
        select sale_id from rebuilds where requested_at is not null";
    let ids: Vec<String> = sqlx::query_scalar(sql).fetch_all(pool).await?;
    Ok(ids
        .iter()
        .filter_map(|id| LiveId::from_book_id(id).ok())
        .collect())
}

pub(super) async fn is_requested(tx: &mut Tx<'_>, sale_id: &str) -> Result<bool, sqlx::Error> {
    let sql = "-- is_requested
        select count(*) from rebuilds where sale_id = ? and requested_at is not null";
    let count: i64 = sqlx::query_scalar(sql)
        .bind(sale_id)
        .fetch_one(&mut **tx)
        .await?;
    Ok(count > 0)
}

/// Asks every engine for what it remembers, at once visible to all; the number of the ask.
pub(super) async fn ask(
    pool: &MySqlPool,
    sale_id: &str,
    epoch: u32,
    why: &str,
) -> Result<u32, sqlx::Error> {
    let sql = "-- ask
        insert into rebuilds (sale_id, epoch, ask, state, why, began_at) values (?, ?, 1, 'asked', ?, utc_timestamp(6))
        on duplicate key update epoch = values(epoch), ask = ask + 1, state = 'asked', why = values(why),
            report = null, began_at = values(began_at), ended_at = null";
    let mut tx = pool.begin().await?;
    let why: String = why.chars().take(1_000).collect();
    sqlx::query(sql)
        .bind(sale_id)
        .bind(epoch)
        .bind(why)
        .execute(&mut *tx)
        .await?;
    let ask = sqlx::query_scalar("-- ask\n select ask from rebuilds where sale_id = ?")
        .bind(sale_id)
        .fetch_one(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(ask)
}

/// The books are settled.
pub(super) async fn is_loading(tx: &mut Tx<'_>, sale_id: &str) -> Result<(), sqlx::Error> {
    let sql = "-- is_loading
        update rebuilds set state = 'loading' where sale_id = ?";
    sqlx::query(sql)
        .bind(sale_id)
        .execute(&mut **tx)
        .await
        .map(|_| ())
}

/// What came of it; a request is answered by it.
pub(super) async fn end(
    pool: &MySqlPool,
    sale_id: &str,
    state: &str,
    why: &str,
    report: Option<&Report>,
) -> Result<(), sqlx::Error> {
    let sql = "-- end
        insert into rebuilds (sale_id, epoch, ask, state, why, report, ended_at) values (?, 0, 0, ?, ?, ?, utc_timestamp(6))
        on duplicate key update state = values(state), why = case values(why) when '' then why else values(why) end,
            report = values(report), ended_at = values(ended_at), requested_at = null";
    let why: String = why.chars().take(1_000).collect();
    let report = report.and_then(|report| serde_json::to_string(report).ok());
    sqlx::query(sql)
        .bind(sale_id)
        .bind(state)
        .bind(why)
        .bind(report)
        .execute(pool)
        .await
        .map(|_| ())
}

/// Engines that were there within `memory`, and whether each has given a sign of life since it was asked.
pub(super) async fn engines(
    tx: &mut Tx<'_>,
    sale_id: &str,
    memory: Duration,
) -> Result<Vec<(Uuid, bool)>, sqlx::Error> {
    let sql = "-- engines
        select e.engine_id, e.seen_at > r.began_at from engines e join rebuilds r on r.sale_id = ?
        where e.seen_at > date_sub(utc_timestamp(3), interval ? second)";
    sqlx::query_as(sql)
        .bind(sale_id)
        .bind(memory.as_secs())
        .fetch_all(&mut **tx)
        .await
}

/// Engines that hand over to this ask: whether it is all there, and how many parts are.
pub(super) async fn handing_over(
    tx: &mut Tx<'_>,
    sale_id: &str,
    ask: u32,
) -> Result<Vec<(Uuid, bool, i64)>, sqlx::Error> {
    let sql = "-- handing_over
        select engine_id, min(part) = 0, count(*) from handovers where sale_id = ? and ask = ? group by engine_id";
    sqlx::query_as(sql)
        .bind(sale_id)
        .bind(ask)
        .fetch_all(&mut **tx)
        .await
}

/// Ask, engine and number of each part that was handed over; also to earlier asks, by engines that may be gone since.
pub(super) async fn handover_parts(
    tx: &mut Tx<'_>,
    sale_id: &str,
) -> Result<Vec<(u32, Uuid, u32)>, sqlx::Error> {
    let sql = "-- handover_parts
        select ask, engine_id, part from handovers where sale_id = ? order by ask, engine_id, part";
    sqlx::query_as(sql).bind(sale_id).fetch_all(&mut **tx).await
}

pub(super) async fn handover_part(
    tx: &mut Tx<'_>,
    sale_id: &str,
    (ask, engine, part): (u32, Uuid, u32),
) -> Result<Vec<u8>, sqlx::Error> {
    let sql = "-- handover_part
        select events from handovers where sale_id = ? and ask = ? and engine_id = ? and part = ?";
    sqlx::query_scalar(sql)
        .bind(sale_id)
        .bind(ask)
        .bind(engine)
        .bind(part)
        .fetch_one(&mut **tx)
        .await
}

pub(super) async fn drop_handovers(pool: &MySqlPool, sale_id: &str) -> Result<(), sqlx::Error> {
    let sql = "-- drop_handovers
        delete from handovers where sale_id = ?";
    sqlx::query(sql)
        .bind(sale_id)
        .execute(pool)
        .await
        .map(|_| ())
}

/// The last event of this generation that any engine, alive or not, has seen; 0 where none has.
pub(super) async fn proven_seq(
    tx: &mut Tx<'_>,
    sale_id: &str,
    epoch: u32,
) -> Result<u64, sqlx::Error> {
    let sql = "-- proven_seq
        select cast(coalesce(max(seq), 0) as unsigned) from engine_sightings where sale_id = ? and epoch = ?";
    sqlx::query_scalar(sql)
        .bind(sale_id)
        .bind(epoch)
        .fetch_one(&mut **tx)
        .await
}

/// Generation and number of the newest event that any engine, alive or not, has seen.
pub(in super::super) async fn newest_sighting(
    tx: &mut Tx<'_>,
    sale_id: &str,
) -> Result<Option<(u32, u64)>, sqlx::Error> {
    let sql = "-- newest_sighting
        select epoch, seq from engine_sightings where sale_id = ? order by epoch desc, seq desc limit 1";
    sqlx::query_as(sql)
        .bind(sale_id)
        .fetch_optional(&mut **tx)
        .await
}

/// A change by staff.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Audited {
    pub(super) action: String,
    /// JSON.
    pub(super) after: String,
    pub(super) at: DateTime<Utc>,
}

/// In the order in which they were written down.
pub(super) async fn audited(tx: &mut Tx<'_>, subject: &str) -> Result<Vec<Audited>, sqlx::Error> {
    let sql = "-- audited
        select action, cast(after_state as char) as `after`, at from audit_log
        where subject = ? and after_state is not null order by id";
    sqlx::query_as(sql).bind(subject).fetch_all(&mut **tx).await
}
