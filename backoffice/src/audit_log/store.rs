//! SQL of the audit log and its chain. Called by `audit_log`. There is no statement here that alters a row, and none may come:
//! the account of the programs has no right to.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::mysql::{MySqlConnection, MySqlExecutor, MySqlPool};
use sqlx::{FromRow, MySql, QueryBuilder, query, query_as, query_scalar};

use super::chain::{Head, Link, Row};

/// The end of the chain, locked until the transaction ends.
pub(crate) async fn lock_head(tx: &mut MySqlConnection) -> sqlx::Result<Head> {
    head_of(
        query_as("-- lock_head\nselect position, hash from audit_head where one = 1 for update")
            .fetch_one(tx)
            .await?,
    )
}

/// The same, as of now.
pub(crate) async fn head(books: impl MySqlExecutor<'_>) -> sqlx::Result<Head> {
    head_of(
        query_as("-- head\nselect position, hash from audit_head where one = 1")
            .fetch_one(books)
            .await?,
    )
}

fn head_of((position, hash): (u64, Vec<u8>)) -> sqlx::Result<Head> {
    Ok(Head {
        position,
        hash: fixed(hash)?,
    })
}

/// Its id.
pub(crate) async fn insert(tx: &mut MySqlConnection, row: &Row) -> sqlx::Result<u64> {
    query(
        "-- insert\ninsert into audit_log (at, actor, action, subject, request_id, before_state, after_state)
        values (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(row.at.naive_utc())
    .bind(&row.actor)
    .bind(&row.action)
    .bind(&row.subject)
    .bind(&row.request_id)
    // As text: MariaDB has no JSON type on the wire.
    .bind(row.before.as_ref().map(Value::to_string))
    .bind(row.after.as_ref().map(Value::to_string))
    .execute(tx)
    .await
    .map(|done| done.last_insert_id())
}

pub(crate) async fn append_link(tx: &mut MySqlConnection, link: &Link) -> sqlx::Result<()> {
    query("-- append_link\ninsert into audit_links (position, id, previous, hash) values (?, ?, ?, ?)")
        .bind(link.position)
        .bind(link.id)
        .bind(&link.previous[..])
        .bind(&link.hash[..])
        .execute(tx)
        .await
        .map(drop)
}

/// Several at once, so that the head is not locked for long.
pub(crate) async fn append_links(tx: &mut MySqlConnection, links: &[Link]) -> sqlx::Result<()> {
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new(
        "-- append_links\ninsert into audit_links (position, id, previous, hash) ",
    );
    statement.push_values(links, |mut row, link| {
        row.push_bind(link.position)
            .push_bind(link.id)
            .push_bind(&link.previous[..])
            .push_bind(&link.hash[..]);
    });
    statement.build().execute(tx).await.map(drop)
}

pub(crate) async fn move_head(tx: &mut MySqlConnection, head: &Head) -> sqlx::Result<()> {
    query("-- move_head\nupdate audit_head set position = ?, hash = ? where one = 1")
        .bind(head.position)
        .bind(&head.hash[..])
        .execute(tx)
        .await
        .map(drop)
}

#[derive(FromRow)]
struct LogRow {
    id: u64,
    at: DateTime<Utc>,
    actor: String,
    action: String,
    subject: String,
    request_id: String,
    before: Option<String>,
    after: Option<String>,
}

impl LogRow {
    fn row(self) -> sqlx::Result<Row> {
        let parsed = |text: Option<String>| {
            text.map(|text| serde_json::from_str(&text))
                .transpose()
                .map_err(|e| sqlx::Error::Decode(e.into()))
        };
        Ok(Row {
            id: self.id,
            at: self.at,
            actor: self.actor,
            action: self.action,
            subject: self.subject,
            request_id: self.request_id,
            before: parsed(self.before)?,
            after: parsed(self.after)?,
        })
    }
}

/// Rows behind this id that no link has, in the order of their ids.
pub(crate) async fn unlinked(
    books: impl MySqlExecutor<'_>,
    after: u64,
    rows_max: u32,
) -> sqlx::Result<Vec<Row>> {
    let rows: Vec<LogRow> = query_as(
        "-- unlinked\nselect a.id, a.at, a.actor, a.action, a.subject, a.request_id,
            cast(a.before_state as char) as `before`, cast(a.after_state as char) as `after`
        from audit_log a left join audit_links l on l.id = a.id where l.id is null and a.id > ? order by a.id limit ?",
    )
    .bind(after)
    .bind(rows_max)
    .fetch_all(books)
    .await?;
    rows.into_iter().map(LogRow::row).collect()
}

/// A link, and its row where there is one that can be read.
#[derive(Debug)]
pub(crate) struct Linked {
    pub(crate) link: Link,
    pub(crate) row: Option<Row>,
}

#[derive(FromRow)]
struct LinkedRow {
    position: u64,
    link_id: u64,
    previous: Vec<u8>,
    hash: Vec<u8>,
    id: Option<u64>,
    at: Option<DateTime<Utc>>,
    actor: Option<String>,
    action: Option<String>,
    subject: Option<String>,
    request_id: Option<String>,
    before: Option<String>,
    after: Option<String>,
}

/// Links behind `position`, in order.
pub(crate) async fn links(
    books: impl MySqlExecutor<'_>,
    position: u64,
    rows_max: u32,
) -> sqlx::Result<Vec<Linked>> {
    let rows: Vec<LinkedRow> = query_as(
        "-- links\nselect l.position, l.id as link_id, l.previous, l.hash, a.id, a.at, a.actor, a.action, a.subject, a.request_id,
            cast(a.before_state as char) as `before`, cast(a.after_state as char) as `after`
        from audit_links l left join audit_log a on a.id = l.id where l.position > ? order by l.position limit ?",
    )
    .bind(position)
    .bind(rows_max)
    .fetch_all(books)
    .await?;
    rows.into_iter().map(linked).collect()
}

fn linked(row: LinkedRow) -> sqlx::Result<Linked> {
    let link = Link {
        position: row.position,
        id: row.link_id,
        previous: fixed(row.previous)?,
        hash: fixed(row.hash)?,
    };
    let read = || {
        let log_row = LogRow {
            id: row.id?,
            at: row.at?,
            actor: row.actor?,
            action: row.action?,
            subject: row.subject?,
            request_id: row.request_id?,
            before: row.before,
            after: row.after,
        };
        log_row.row().ok()
    };
    Ok(Linked { link, row: read() })
}

/// The hash of the link at `position`.
pub(crate) async fn hash_at(
    books: impl MySqlExecutor<'_>,
    position: u64,
) -> sqlx::Result<Option<Vec<u8>>> {
    query_scalar("-- hash_at\nselect hash from audit_links where position = ?")
        .bind(position)
        .fetch_optional(books)
        .await
}

/// Which rows a page shows.
#[derive(Debug, Default)]
pub(crate) struct Wanted<'a> {
    pub(crate) subject: Option<&'a str>,
    pub(crate) actor: Option<&'a str>,
    /// Only rows older than this one.
    pub(crate) before_id: Option<u64>,
}

/// At most `rows_max` of them, newest first, each with its link where it has one.
pub(crate) async fn page(
    books: &MySqlPool,
    wanted: &Wanted<'_>,
    rows_max: u32,
) -> sqlx::Result<Vec<(Row, Option<Head>)>> {
    #[derive(FromRow)]
    struct Shown {
        #[sqlx(flatten)]
        row: LogRow,
        position: Option<u64>,
        hash: Option<Vec<u8>>,
    }
    let rows: Vec<Shown> = query_as(
        "-- page\nselect a.id, a.at, a.actor, a.action, a.subject, a.request_id,
            cast(a.before_state as char) as `before`, cast(a.after_state as char) as `after`, l.position, l.hash
        from audit_log a left join audit_links l on l.id = a.id
        where (? is null or a.subject = ?) and (? is null or a.actor = ?) and a.id < ?
        order by a.id desc limit ?",
    )
    .bind(wanted.subject)
    .bind(wanted.subject)
    .bind(wanted.actor)
    .bind(wanted.actor)
    .bind(wanted.before_id.unwrap_or(u64::MAX))
    .bind(rows_max)
    .fetch_all(books)
    .await?;
    let shown = |shown: Shown| {
        let head = match (shown.position, shown.hash) {
            (Some(position), Some(hash)) => Some(head_of((position, hash))?),
            _ => None,
        };
        Ok((shown.row.row()?, head))
    };
    rows.into_iter().map(shown).collect()
}

fn fixed<const N: usize>(bytes: Vec<u8>) -> sqlx::Result<[u8; N]> {
    <[u8; N]>::try_from(bytes)
        .map_err(|bytes| sqlx::Error::Decode(format!("{} bytes, not {N}", bytes.len()).into()))
}
