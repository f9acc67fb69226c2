//! SQL of mails. Called by all that write one, by `sender`, and by the sweep.

use std::time::Duration;

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use sqlx::mysql::{MySqlConnection, MySqlPool};
use sqlx::{FromRow, MySql, QueryBuilder, query, query_as, query_scalar};
use uuid::Uuid;

use super::{Kind, Letter};
use crate::accounts::keys::Hash;
use crate::bulk::{parts, push_in};
use crate::limits::{DEAD_MAILS_KEPT, SWEEP_ROWS_MAX};

/// A mail that is due.
#[derive(FromRow)]
pub(crate) struct Due {
    pub(crate) mail_id: u64,
    pub(crate) kind: String,
    pub(crate) language: String,
    pub(crate) recipient: String,
    pub(crate) nonce: Option<Vec<u8>>,
    pub(crate) tries: u32,
    pub(crate) expires_at: DateTime<Utc>,
    pub(crate) created_at: DateTime<Utc>,
}

pub(crate) async fn insert(tx: &mut MySqlConnection, letter: &Letter<'_>) -> sqlx::Result<()> {
    let now = clock::now();
    query(
        "-- insert\ninsert into mails (kind, language, recipient, nonce, state, tries, next_try_at, expires_at, created_at)
        values (?, ?, ?, ?, 'waiting', 0, ?, ?, ?)",
    )
    .bind(letter.kind.word())
    .bind(letter.language.code())
    .bind(letter.recipient.as_str())
    .bind(letter.nonce.map(Vec::from))
    .bind(now.naive_utc())
    .bind((now + letter.life).naive_utc())
    .bind(now.naive_utc())
    .execute(tx)
    .await
    .map(drop)
}

/// To the buyers of these orders, as far as they have accounts here; a shop writes to its own users itself.
pub(crate) async fn insert_of_orders(
    tx: &mut MySqlConnection,
    kind: Kind,
    orders: &[Uuid],
    life: Duration,
) -> sqlx::Result<()> {
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new(
        "-- insert_of_orders\nselect o.order_id, u.email, u.language from orders o join users u on u.user_id = o.user_id
        where u.state = 'active' and o.order_id in (",
    );
    push_in(&mut statement, orders.iter().copied());
    let buyers: Vec<(Uuid, String, String)> =
        statement.build_query_as().fetch_all(&mut *tx).await?;
    let now = clock::now();
    for part in parts(&buyers) {
        let mut statement: QueryBuilder<MySql> = QueryBuilder::new(
            "-- insert_of_orders\ninsert into mails (kind, language, recipient, nonce, state, tries, next_try_at, expires_at, created_at) ",
        );
        statement.push_values(part, |mut row, (order, email, language)| {
            row.push_bind(kind.word())
                .push_bind(language)
                .push_bind(email)
                .push_bind(order)
                .push_bind("waiting")
                .push_bind(0)
                .push_bind(now.naive_utc())
                .push_bind((now + life).naive_utc())
                .push_bind(now.naive_utc());
        });
        statement.build().execute(&mut *tx).await?;
    }
    Ok(())
}

/// The mail that has been due for longest and that nobody else is sending, locked until the transaction ends.
pub(crate) async fn lock_due(tx: &mut MySqlConnection) -> sqlx::Result<Option<Due>> {
    query_as(
        "-- lock_due\nselect mail_id, kind, language, recipient, nonce, tries, expires_at, created_at from mails
        where state = 'waiting' and next_try_at <= ? order by next_try_at limit 1 for update skip locked",
    )
    .bind(clock::now().naive_utc())
    .fetch_optional(tx)
    .await
}

/// Whether a row waits for the token with this hash.
pub(crate) async fn is_awaited(books: &MySqlPool, token: &Hash) -> sqlx::Result<bool> {
    let rows: Vec<i32> = query_scalar(
        "-- is_awaited\nselect 1 from sign_ups where token_hash = ? union all select 1 from one_time_tokens where token_hash = ?
        union all select 1 from email_changes where token_hash = ?",
    )
    .bind(&token[..])
    .bind(&token[..])
    .bind(&token[..])
    .fetch_all(books)
    .await?;
    Ok(!rows.is_empty())
}

/// It is sent: nothing of it is kept.
pub(crate) async fn delete(tx: &mut MySqlConnection, mail: u64) -> sqlx::Result<()> {
    query("-- delete\ndelete from mails where mail_id = ?")
        .bind(mail)
        .execute(tx)
        .await
        .map(drop)
}

pub(crate) async fn retry(
    tx: &mut MySqlConnection,
    mail: u64,
    pause: Duration,
    error: &'static str,
) -> sqlx::Result<()> {
    query("-- retry\nupdate mails set tries = tries + 1, next_try_at = ?, error = ? where mail_id = ?")
        .bind((clock::now() + pause).naive_utc())
        .bind(error)
        .bind(mail)
        .execute(tx)
        .await
        .map(drop)
}

/// It will not be sent.
pub(crate) async fn bury(
    tx: &mut MySqlConnection,
    mail: u64,
    error: &'static str,
) -> sqlx::Result<()> {
    query(
        "-- bury\nupdate mails set state = 'dead', tries = tries + 1, error = ? where mail_id = ?",
    )
    .bind(error)
    .bind(mail)
    .execute(tx)
    .await
    .map(drop)
}

/// A mail that was not sent.
#[derive(FromRow)]
pub(crate) struct DeadRow {
    pub(crate) mail_id: u64,
    pub(crate) kind: String,
    pub(crate) recipient: String,
    pub(crate) error: Option<String>,
    pub(crate) tries: u32,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) expires_at: DateTime<Utc>,
}

/// At most `rows` dead ones older than `before`, newest first.
pub(crate) async fn dead(
    books: &MySqlPool,
    before: Option<u64>,
    rows: u32,
) -> sqlx::Result<Vec<DeadRow>> {
    query_as(
        "-- dead\nselect mail_id, kind, recipient, error, tries, created_at, expires_at from mails
        where state = 'dead' and (? is null or mail_id < ?) order by mail_id desc limit ?",
    )
    .bind(before)
    .bind(before)
    .bind(rows)
    .fetch_all(books)
    .await
}

/// What one that may be dead says of itself.
#[derive(FromRow)]
pub(crate) struct Locked {
    pub(crate) is_dead: bool,
    pub(crate) kind: String,
    pub(crate) error: Option<String>,
    pub(crate) tries: u32,
    pub(crate) expires_at: DateTime<Utc>,
}

/// The mail, locked until the transaction ends.
pub(crate) async fn lock(tx: &mut MySqlConnection, mail: u64) -> sqlx::Result<Option<Locked>> {
    query_as(
        "-- lock\nselect state = 'dead' as is_dead, kind, error, tries, expires_at from mails where mail_id = ? for update",
    )
    .bind(mail)
    .fetch_optional(tx)
    .await
}

/// It waits again, as if it had just been written.
pub(crate) async fn revive(tx: &mut MySqlConnection, mail: u64) -> sqlx::Result<()> {
    query("-- revive\nupdate mails set state = 'waiting', tries = 0, next_try_at = ?, error = null where mail_id = ?")
        .bind(clock::now().naive_utc())
        .bind(mail)
        .execute(tx)
        .await
        .map(drop)
}

/// How many wait, and how many are dead.
pub(crate) async fn count(books: &MySqlPool, state: &'static str) -> sqlx::Result<i64> {
    query_scalar("-- count\nselect count(*) from mails where state = ?")
        .bind(state)
        .fetch_one(books)
        .await
}

/// Removes dead ones of long ago; how many.
pub(crate) async fn sweep(books: &MySqlPool) -> sqlx::Result<u64> {
    let past = clock::now() - DEAD_MAILS_KEPT;
    query("-- sweep\ndelete from mails where state = 'dead' and next_try_at < ? order by next_try_at limit ?")
        .bind(past.naive_utc())
        .bind(SWEEP_ROWS_MAX)
        .execute(books)
        .await
        .map(|done| done.rows_affected())
}

/// Makes dead what waits although it tells of something that is over, as all does in the end where nobody sends; how many. Looked for
/// without locks, and then locked one by one: other mails that are being sent, or written, are none of its business.
pub(crate) async fn bury_expired(books: &MySqlPool) -> sqlx::Result<u64> {
    let expired: Vec<u64> = query_scalar(
        "-- bury_expired\nselect mail_id from mails where state = 'waiting' and expires_at < ? limit ?",
    )
    .bind(clock::now().naive_utc())
    .bind(SWEEP_ROWS_MAX)
    .fetch_all(books)
    .await?;
    if expired.is_empty() {
        return Ok(0);
    }
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new(
        "-- bury_expired\nupdate mails force index (primary) set state = 'dead', error = 'expired' where state = 'waiting' and mail_id in (",
    );
    push_in(&mut statement, expired);
    let done = statement.build().execute(books).await?;
    Ok(done.rows_affected())
}
