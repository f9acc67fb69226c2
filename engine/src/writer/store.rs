//! SQL of the writer: the cursor, the journal, and what is projected from it. All within the caller's transaction.
//!
//! Times are bound without their zone, which is UTC: with one, the driver sends a TIMESTAMP, which MariaDB ends in 2038.
//! Bulk statements come in a few fixed sizes, so that the server's and the driver's statement caches stay small.

use std::time::Duration;

use doorbuster_core::clock;
use doorbuster_core::ids::ReservationId;
use doorbuster_core::journal::{Event, StreamId};
use doorbuster_core::record::{Claim, Reason, Status};
use sqlx::mysql::{MySqlConnection, MySqlDatabaseError};
use sqlx::{MySql, MySqlPool, QueryBuilder, Row, Transaction};

use super::chunks::chunks;
use super::projection::{HeldRow, MovedRow, Numbered};

type Tx<'a> = Transaction<'a, MySql>;

/// How far the books are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) epoch: u32,
    pub(super) seq: u64,
    pub(super) stream_id: StreamId,
}

/// One event as the books have it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct JournalRow {
    pub(super) epoch: u32,
    pub(super) raw: Vec<u8>,
}

/// A live engine's word.
#[derive(Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Witness {
    pub(super) run_id: String,
    pub(super) epoch: Option<u32>,
    pub(super) seq: Option<u64>,
}

pub(super) async fn prepare_session(
    connection: &mut MySqlConnection,
    wait_timeout_s: u32,
) -> Result<(), sqlx::Error> {
    let sql = "-- prepare_session
        set session wait_timeout = ?, session net_read_timeout = 5, session net_write_timeout = 5,
            session innodb_lock_wait_timeout = 5, session transaction_isolation = 'READ-COMMITTED'";
    let older = "-- prepare_session
        set session wait_timeout = ?, session net_read_timeout = 5, session net_write_timeout = 5,
            session innodb_lock_wait_timeout = 5, session tx_isolation = 'READ-COMMITTED'";
    // MariaDB before 11.1 knows the variable by its older name only.
    match sqlx::query(sql)
        .bind(wait_timeout_s)
        .execute(&mut *connection)
        .await
    {
        Ok(_) => Ok(()),
        Err(sqlx::Error::Database(_)) => sqlx::query(older)
            .bind(wait_timeout_s)
            .execute(connection)
            .await
            .map(|_| ()),
        Err(e) => Err(e),
    }
}

/// Every published sale with how far the books are: epoch and event.
pub(super) async fn published_sales(
    pool: &MySqlPool,
) -> Result<Vec<(String, u32, u64)>, sqlx::Error> {
    let sql = "-- published_sales
        select sale_id, epoch, seq from journal_cursor order by sale_id";
    sqlx::query_as(sql).fetch_all(pool).await
}

/// `None` where another writer holds it.
pub(super) async fn lock_cursor(
    tx: &mut Tx<'_>,
    sale_id: &str,
) -> Result<Option<Cursor>, sqlx::Error> {
    let sql = "-- lock_cursor
        select epoch, seq, stream_id from journal_cursor where sale_id = ? for update skip locked";
    let row = sqlx::query(sql)
        .bind(sale_id)
        .fetch_optional(&mut **tx)
        .await?;
    row.map(|row| {
        Ok(Cursor {
            epoch: row.try_get(0)?,
            seq: row.try_get(1)?,
            stream_id: StreamId::new(row.try_get::<String, _>(2)?),
        })
    })
    .transpose()
}

pub(super) async fn move_cursor(
    tx: &mut Tx<'_>,
    sale_id: &str,
    to: &Cursor,
) -> Result<(), sqlx::Error> {
    let sql = "-- move_cursor
        update journal_cursor set seq = ?, stream_id = ?, updated_at = utc_timestamp(6) where sale_id = ? and epoch = ? and seq < ?";
    let query = sqlx::query(sql)
        .bind(to.seq)
        .bind(to.stream_id.as_str())
        .bind(sale_id)
        .bind(to.epoch)
        .bind(to.seq);
    match query.execute(&mut **tx).await?.rows_affected() {
        1 => Ok(()),
        _ => Err(sqlx::Error::RowNotFound),
    }
}

pub(super) async fn journal_row(
    tx: &mut Tx<'_>,
    sale_id: &str,
    seq: u64,
) -> Result<Option<JournalRow>, sqlx::Error> {
    let sql = "-- journal_row
        select epoch, raw from journal where sale_id = ? and seq = ?";
    let row = sqlx::query(sql)
        .bind(sale_id)
        .bind(seq)
        .fetch_optional(&mut **tx)
        .await?;
    row.map(|row| {
        Ok(JournalRow {
            epoch: row.try_get(0)?,
            raw: row.try_get(1)?,
        })
    })
    .transpose()
}

pub(super) async fn witnesses(
    tx: &mut Tx<'_>,
    sale_id: &str,
    life: Duration,
) -> Result<Vec<Witness>, sqlx::Error> {
    let sql = "-- witnesses
        select e.run_id, s.epoch, s.seq from engines e
        left join engine_sightings s on s.engine_id = e.engine_id and s.sale_id = ?
        where e.seen_at > date_sub(utc_timestamp(3), interval ? second)";
    sqlx::query_as(sql)
        .bind(sale_id)
        .bind(life.as_secs())
        .fetch_all(&mut **tx)
        .await
}

pub(super) async fn savepoint(tx: &mut Tx<'_>) -> Result<(), sqlx::Error> {
    // MySQL takes this in its text protocol only.
    sqlx::raw_sql("savepoint part")
        .execute(&mut **tx)
        .await
        .map(|_| ())
}

pub(super) async fn rollback_to_savepoint(tx: &mut Tx<'_>) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("rollback to savepoint part")
        .execute(&mut **tx)
        .await
        .map(|_| ())
}

pub(super) async fn insert_journal(
    tx: &mut Tx<'_>,
    sale_id: &str,
    events: &[Numbered<'_>],
) -> Result<(), sqlx::Error> {
    let head = "-- insert_journal\n insert into journal (sale_id, seq, epoch, kind, reservation_id, user_id, sku, quantity, at, raw) ";
    for chunk in chunks(events) {
        let mut query = QueryBuilder::<MySql>::new(head);
        query.push_values(chunk, |mut row, numbered| {
            let (id, user, sku, quantity) = columns(numbered);
            row.push_bind(sale_id)
                .push_bind(numbered.raw.seq)
                .push_bind(numbered.epoch)
                .push_bind(kind(numbered));
            row.push_bind(id)
                .push_bind(user)
                .push_bind(sku)
                .push_bind(quantity)
                .push_bind(numbered.at.naive_utc())
                .push_bind(numbered.raw.raw());
        });
        query.build().execute(&mut **tx).await?;
    }
    Ok(())
}

fn kind(numbered: &Numbered<'_>) -> &'static str {
    numbered.event.as_ref().map_or("unreadable", Event::kind)
}

type Columns<'a> = (
    Option<&'a [u8]>,
    Option<&'a str>,
    Option<&'a str>,
    Option<i64>,
);

fn columns<'a>(numbered: &'a Numbered<'_>) -> Columns<'a> {
    match &numbered.event {
        Ok(Event::Reservation { id, record }) => {
            (Some(id.as_bytes()), Some(record.user.as_str()), None, None)
        }
        Ok(Event::Claimed { id, claim }) => {
            (Some(id.as_bytes()), Some(claim.user.as_str()), None, None)
        }
        Ok(Event::Adjusted { sku, by }) => (None, None, Some(sku.as_str()), Some(*by)),
        Ok(Event::Reacquired { id, record }) => {
            (Some(id.as_bytes()), Some(record.user.as_str()), None, None)
        }
        Ok(Event::Returned(returned)) => (
            Some(returned.id.as_bytes()),
            Some(returned.user.as_str()),
            Some(returned.sku.as_str()),
            Some(returned.stocked_by()),
        ),
        Ok(
            Event::Opened(_)
            | Event::Paused
            | Event::Resumed
            | Event::Closed
            | Event::Rebuilt
            | Event::Lost
            | Event::Drawn(_),
        )
        | Err(_) => (None, None, None, None),
    }
}

pub(super) async fn insert_reservations(
    tx: &mut Tx<'_>,
    sale_id: &str,
    rows: &[HeldRow<'_>],
) -> Result<(), sqlx::Error> {
    let head = "-- insert_reservations\n insert into reservations
        (sale_id, seq, id, user_id, status, reason, epoch, deadline, body_hash, created_at, ended_at) ";
    for chunk in chunks(rows) {
        let mut query = QueryBuilder::<MySql>::new(head);
        query.push_values(chunk, |mut row, held| {
            let (record, deadline) = (held.record, clock::from_ms(held.deadline_ms));
            row.push_bind(sale_id)
                .push_bind(record.seq)
                .push_bind(held.id.as_bytes().as_slice())
                .push_bind(record.user.as_str());
            row.push_bind(held.status.as_str())
                .push_bind(reason(held.status))
                .push_bind(held.epoch)
                .push_bind(deadline.naive_utc());
            row.push_bind(record.body.as_bytes().as_slice())
                .push_bind(held.created_at.naive_utc())
                .push_bind(held.ended_at.map(|at| at.naive_utc()));
        });
        query.build().execute(&mut **tx).await?;
    }
    Ok(())
}

pub(super) async fn insert_lines(
    tx: &mut Tx<'_>,
    sale_id: &str,
    rows: &[HeldRow<'_>],
) -> Result<(), sqlx::Error> {
    let lines: Vec<_> = rows
        .iter()
        .flat_map(|held| held.record.lines.iter().map(move |line| (held, line)))
        .collect();
    let head = "-- insert_lines\n insert into reservation_lines (sale_id, seq, sku, reservation_id, quantity) ";
    for chunk in chunks(&lines) {
        let mut query = QueryBuilder::<MySql>::new(head);
        query.push_values(chunk, |mut row, (held, line)| {
            row.push_bind(sale_id)
                .push_bind(held.record.seq)
                .push_bind(line.sku.as_str());
            row.push_bind(held.id.as_bytes().as_slice())
                .push_bind(line.quantity);
        });
        query.build().execute(&mut **tx).await?;
    }
    Ok(())
}

/// How many reservations were there to change.
pub(super) async fn update_reservations(
    tx: &mut Tx<'_>,
    sale_id: &str,
    rows: &[MovedRow],
) -> Result<u64, sqlx::Error> {
    let mut found = 0;
    for chunk in chunks(rows) {
        let mut query = QueryBuilder::<MySql>::new(
            "-- update_reservations\n update reservations set status = case seq",
        );
        whens(&mut query, chunk, |row| Some(row.status.as_str()));
        query.push(", reason = case seq");
        whens(&mut query, chunk, |row| reason(row.status));
        query.push(", deadline = case seq");
        whens(&mut query, chunk, |row| {
            clock::from_ms(row.deadline_ms).naive_utc()
        });
        query.push(", ended_at = case seq");
        whens(&mut query, chunk, |row| {
            row.ended_at.map(|at| at.naive_utc())
        });
        query
            .push(" where sale_id = ")
            .push_bind(sale_id)
            .push(" and seq in (");
        let mut seqs = query.separated(", ");
        chunk.iter().for_each(|row| {
            seqs.push_bind(row.seq);
        });
        query.push(")");
        found += query.build().execute(&mut **tx).await?.rows_affected();
    }
    Ok(found)
}

fn whens<'a, T>(
    query: &mut QueryBuilder<MySql>,
    rows: &'a [MovedRow],
    value: impl Fn(&'a MovedRow) -> T,
) where
    T: sqlx::Encode<'a, MySql> + sqlx::Type<MySql> + Send + 'a,
{
    for row in rows {
        query
            .push(" when ")
            .push_bind(row.seq)
            .push(" then ")
            .push_bind(value(row));
    }
    query.push(" end");
}

pub(super) async fn insert_claims(
    tx: &mut Tx<'_>,
    coupon_id: &str,
    rows: &[(&Numbered<'_>, ReservationId, &Claim)],
) -> Result<(), sqlx::Error> {
    let head = "-- insert_claims\n insert into coupon_claims (coupon_id, seq, id, user_id, epoch, claimed_at) ";
    for chunk in chunks(rows) {
        let mut query = QueryBuilder::<MySql>::new(head);
        query.push_values(chunk, |mut row, (numbered, id, claim)| {
            let claimed_at = clock::from_ms(claim.claimed_ms);
            row.push_bind(coupon_id)
                .push_bind(claim.seq)
                .push_bind(id.as_bytes().as_slice())
                .push_bind(claim.user.as_str());
            row.push_bind(numbered.epoch)
                .push_bind(claimed_at.naive_utc());
        });
        query.build().execute(&mut **tx).await?;
    }
    Ok(())
}

pub(super) async fn insert_dead_letter(
    tx: &mut Tx<'_>,
    sale_id: &str,
    poison: &Numbered<'_>,
    why: &str,
) -> Result<(), sqlx::Error> {
    let sql = "-- insert_dead_letter
        insert into dead_letters (sale_id, seq, epoch, error, created_at) values (?, ?, ?, ?, utc_timestamp(6))";
    let error: String = why.chars().take(1_000).collect();
    sqlx::query(sql)
        .bind(sale_id)
        .bind(poison.raw.seq)
        .bind(poison.epoch)
        .bind(error)
        .execute(&mut **tx)
        .await
        .map(|_| ())
}

/// Whether the server refuses what the rows say, rather than being unable to take them.
pub(super) fn is_data_error(error: &sqlx::Error) -> bool {
    // Not null, duplicate key, out of range, truncated, bad value, foreign key, too long, check constraint (MySQL and MariaDB).
    const DATA: [u16; 11] = [
        1048, 1062, 1264, 1265, 1292, 1366, 1406, 1452, 1690, 3819, 4025,
    ];
    let database = match error {
        sqlx::Error::Database(e) => e.try_downcast_ref::<MySqlDatabaseError>(),
        _ => None,
    };
    database.is_some_and(|e| DATA.contains(&e.number()))
}

fn reason(status: Status) -> Option<&'static str> {
    status.reason().map(Reason::as_str)
}
