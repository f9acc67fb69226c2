//! SQL that sales and coupons share: publishing, the journal's cursor, and what the books count. Called by `publish`, `switch` and `view`.
//! Runs on MySQL 8+ and MariaDB 10.11+ alike.

use chrono::{DateTime, Utc};
use doorbuster_core::ids::{LiveId, SaleId};
use doorbuster_core::journal::StreamId;
use sqlx::mysql::{MySqlConnection, MySqlExecutor, MySqlPool};
use sqlx::{query, query_as, query_scalar};

use crate::limits::LOCK_WAIT_S;
use crate::shop::search::limits::LIST_BYTES_MAX;

/// How far the books are with a published sale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) epoch: u32,
    /// Last event in the books; 0: none yet, so nothing can have been sold.
    pub(crate) seq: u64,
    pub(crate) stream_id: StreamId,
}

type CursorRow = (u32, u64, String);

impl From<CursorRow> for Cursor {
    fn from((epoch, seq, stream_id): CursorRow) -> Self {
        Self {
            epoch,
            seq,
            stream_id: StreamId::new(stream_id),
        }
    }
}

/// Once per connection: a row lock is waited for no longer than a request may take, and a list of numbers is not cut short.
pub(crate) async fn set_session(connection: &mut MySqlConnection) -> sqlx::Result<()> {
    query("-- set_session\nset session innodb_lock_wait_timeout = ?, session group_concat_max_len = ?")
        .bind(LOCK_WAIT_S)
        .bind(LIST_BYTES_MAX)
        .execute(connection)
        .await
        .map(drop)
}

/// How a sale was last switched, for lists of the shop; an older word never wins.
pub(crate) async fn set_state(
    books: &MySqlPool,
    sale: &SaleId,
    state: &str,
    seq: u64,
) -> sqlx::Result<()> {
    query(
        "-- set_state\ninsert into sale_states (sale_id, state, seq) values (?, ?, ?)
        on duplicate key update state = if(values(seq) >= seq, values(state), state), seq = greatest(seq, values(seq))",
    )
    .bind(sale.as_str())
    .bind(state)
    .bind(seq)
    .execute(books)
    .await
    .map(drop)
}

/// Whether it is published, with its row locked until the transaction ends; `None` where there is none.
pub(crate) async fn lock_published(
    tx: &mut MySqlConnection,
    live: &LiveId,
) -> sqlx::Result<Option<bool>> {
    let (statement, id) = match live {
        LiveId::Sale(id) => (
            "-- lock_published\nselect state from sales where sale_id = ? for update",
            id.as_str(),
        ),
        LiveId::Coupon(id) => (
            "-- lock_published\nselect state from coupons where coupon_id = ? for update",
            id.as_str(),
        ),
    };
    let state: Option<String> = query_scalar(statement).bind(id).fetch_optional(tx).await?;
    Ok(state.map(|state| state == "published"))
}

/// Marks a draft published and gives it its cursor: from this commit on, a missing key in Redis means recovering, never new.
pub(crate) async fn mark_published(
    tx: &mut MySqlConnection,
    live: &LiveId,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    let (statement, id) = match live {
        LiveId::Sale(id) => (
            "-- mark_published\nupdate sales set state = 'published', published_at = ? where sale_id = ?",
            id.as_str(),
        ),
        LiveId::Coupon(id) => (
            "-- mark_published\nupdate coupons set state = 'published', published_at = ? where coupon_id = ?",
            id.as_str(),
        ),
    };
    query(statement)
        .bind(at.naive_utc())
        .bind(id)
        .execute(&mut *tx)
        .await?;
    query("-- mark_published\ninsert into journal_cursor (sale_id, epoch, seq, stream_id, updated_at) values (?, 1, 0, '0-0', ?)")
        .bind(live.book_id())
        .bind(at.naive_utc())
        .execute(tx)
        .await
        .map(drop)
}

/// The cursor, as of now.
pub(crate) async fn cursor(
    books: impl MySqlExecutor<'_>,
    live: &LiveId,
) -> sqlx::Result<Option<Cursor>> {
    query_as::<_, CursorRow>(
        "-- cursor\nselect epoch, seq, stream_id from journal_cursor where sale_id = ?",
    )
    .bind(live.book_id())
    .fetch_optional(books)
    .await
    .map(|row| row.map(Cursor::from))
}

/// The cursor, locked until the transaction ends: no writer moves it meanwhile.
pub(crate) async fn lock_cursor(
    tx: &mut MySqlConnection,
    live: &LiveId,
) -> sqlx::Result<Option<Cursor>> {
    query_as::<_, CursorRow>("-- lock_cursor\nselect epoch, seq, stream_id from journal_cursor where sale_id = ? for update")
        .bind(live.book_id())
        .fetch_optional(tx)
        .await
        .map(|row| row.map(Cursor::from))
}

/// What the books say of one sale, all as of one instant.
#[derive(Debug, Default)]
pub(crate) struct BookCounts {
    pub(crate) cursor: Option<Cursor>,
    /// The journal's `opened` events, raw, and by sku what was adjusted or written off.
    pub(crate) opened: Vec<Vec<u8>>,
    pub(crate) adjusted: Vec<(String, i64)>,
    /// Per sku: units held or being paid for, units sold.
    pub(crate) taken: Vec<(String, i64, i64)>,
}

/// Reads them in one transaction, whose first statement fixes the instant for all (repeatable read).
pub(crate) async fn book_counts(books: &MySqlPool, live: &LiveId) -> sqlx::Result<BookCounts> {
    let mut tx = books.begin().await?;
    let counts = BookCounts {
        cursor: cursor(&mut *tx, live).await?,
        opened: opened(&mut tx, live).await?,
        adjusted: adjusted(&mut tx, live).await?,
        taken: taken(&mut tx, live).await?,
    };
    tx.rollback().await?;
    Ok(counts)
}

async fn opened(tx: &mut MySqlConnection, live: &LiveId) -> sqlx::Result<Vec<Vec<u8>>> {
    query_scalar(
        "-- opened\nselect raw from journal where sale_id = ? and kind = 'opened' and seq = 1",
    )
    .bind(live.book_id())
    .fetch_all(tx)
    .await
}

async fn adjusted(tx: &mut MySqlConnection, live: &LiveId) -> sqlx::Result<Vec<(String, i64)>> {
    query_as(
        "-- adjusted\nselect sku, cast(sum(quantity) as signed) from journal
        where sale_id = ? and kind in ('adjusted', 'written_off') and sku is not null group by sku",
    )
    .bind(live.book_id())
    .fetch_all(tx)
    .await
}

async fn taken(tx: &mut MySqlConnection, live: &LiveId) -> sqlx::Result<Vec<(String, i64, i64)>> {
    match live {
        LiveId::Sale(id) => {
            let lines = "-- taken\nselect l.sku,
                    cast(sum(case when r.status in ('held', 'paying') then l.quantity else 0 end) as signed),
                    cast(sum(case when r.status = 'paid' then l.quantity else 0 end) as signed)
                        - cast(sum(case when r.status = 'paid' then coalesce(b.quantity, 0) else 0 end) as signed)
                from reservations r
                join reservation_lines l on l.sale_id = r.sale_id and l.seq = r.seq
                left join reservation_returns b on b.sale_id = l.sale_id and b.seq = l.seq and b.sku = l.sku
                where r.sale_id = ? and r.status <> 'released'
                group by l.sku";
            query_as(lines).bind(id.as_str()).fetch_all(tx).await
        }
        LiveId::Coupon(id) => {
            let claims = "-- taken\nselect coupon_id, cast(0 as signed), count(*) from coupon_claims where coupon_id = ? group by coupon_id";
            query_as(claims).bind(id.as_str()).fetch_all(tx).await
        }
    }
}
