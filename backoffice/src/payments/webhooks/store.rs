//! SQL of the inbox. Called through `gathered`, by `inbox`, and by the sweep.

use std::time::Duration;

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use sqlx::mysql::MySqlPool;
use sqlx::{FromRow, MySql, QueryBuilder, query, query_as};
use uuid::Uuid;

use crate::bulk::{padded, push_in};
use crate::gathered::Together;
use crate::limits::SWEEP_ROWS_MAX;
use crate::payments::limits::{
    INBOX_DELAY, INBOX_KEPT, INBOX_LEASE, INBOX_ROWS, WEBHOOKS_PER_STATEMENT, WEBHOOKS_WAITING_MAX,
};
use crate::payments::provider::Event;

/// Nobody is answered before his is committed.
impl Together for Event {
    type Answer = ();

    const AT_ONCE: usize = WEBHOOKS_PER_STATEMENT;
    const WAITING_MAX: usize = WEBHOOKS_WAITING_MAX;

    async fn ask(books: &MySqlPool, all: &[Self]) -> sqlx::Result<Vec<()>> {
        insert(books, all).await?;
        Ok(vec![(); all.len()])
    }
}

/// All of them, each once: those that are there already stay as they are. One statement, so that nothing of it is half-done.
async fn insert(books: &MySqlPool, events: &[Event]) -> sqlx::Result<()> {
    let now = clock::now();
    let (now, due) = (now.naive_utc(), (now + INBOX_DELAY).naive_utc());
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new(
        "-- insert\ninsert into webhook_inbox (event_id, kind, attempt_id, state, tries, due_at, received_at) ",
    );
    // What is there already stays as it is, so it may as well be named twice.
    statement.push_values(padded(events), |mut row, event| {
        row.push_bind(&event.id)
            .push_bind(&event.kind)
            .push_bind(event.attempt.uuid())
            .push_bind("waiting")
            .push_bind(0_u32)
            .push_bind(due)
            .push_bind(now);
    });
    statement.push(" on duplicate key update event_id = webhook_inbox.event_id");
    statement.build().execute(books).await.map(drop)
}

/// One that is due.
#[derive(Debug, FromRow)]
pub(super) struct Due {
    pub(super) event_id: String,
    pub(super) attempt_id: Uuid,
    pub(super) tries: u32,
}

/// Takes those that have been due for longest, and that nobody else is at, for the length of a lease.
pub(super) async fn take(books: &MySqlPool) -> sqlx::Result<Vec<Due>> {
    let mut tx = books.begin().await?;
    let now = clock::now();
    let due: Vec<Due> = query_as(
        "-- take\nselect event_id, attempt_id, tries from webhook_inbox
        where state = 'waiting' and due_at <= ? order by due_at limit ? for update skip locked",
    )
    .bind(now.naive_utc())
    .bind(INBOX_ROWS)
    .fetch_all(&mut *tx)
    .await?;
    if !due.is_empty() {
        let mut statement: QueryBuilder<MySql> =
            QueryBuilder::new("-- take\nupdate webhook_inbox set tries = tries + 1, due_at = ");
        statement.push_bind((now + INBOX_LEASE).naive_utc());
        push_waiting(&mut statement, due.iter().map(|due| due.event_id.as_str()));
        statement.build().execute(&mut *tx).await?;
    }
    tx.commit().await?;
    Ok(due)
}

/// They need no more looking after. Only those that still wait: a lease may have run out meanwhile.
pub(super) async fn finish(
    books: &MySqlPool,
    outcome: &'static str,
    events: &[&str],
) -> sqlx::Result<()> {
    let mut statement: QueryBuilder<MySql> =
        QueryBuilder::new("-- finish\nupdate webhook_inbox set state = 'done', outcome = ");
    statement.push_bind(outcome).push(", due_at = ");
    statement.push_bind(clock::now().naive_utc());
    push_waiting(&mut statement, events.iter().copied());
    statement.build().execute(books).await.map(drop)
}

/// They are taken up again after a pause.
pub(super) async fn put_off(
    books: &MySqlPool,
    pause: Duration,
    outcome: &'static str,
    events: &[&str],
) -> sqlx::Result<()> {
    let mut statement: QueryBuilder<MySql> =
        QueryBuilder::new("-- put_off\nupdate webhook_inbox set outcome = ");
    statement.push_bind(outcome).push(", due_at = ");
    statement.push_bind((clock::now() + pause).naive_utc());
    push_waiting(&mut statement, events.iter().copied());
    statement.build().execute(books).await.map(drop)
}

fn push_waiting<'a>(statement: &mut QueryBuilder<MySql>, events: impl Iterator<Item = &'a str>) {
    statement.push(" where state = 'waiting' and event_id in (");
    push_in(statement, events);
}

/// How many wait, and since when the oldest of them has.
#[derive(Debug, FromRow)]
pub(crate) struct Waiting {
    pub(crate) waiting: i64,
    pub(crate) oldest: Option<DateTime<Utc>>,
}

pub(crate) async fn waiting(books: &MySqlPool) -> sqlx::Result<Waiting> {
    query_as("-- waiting\nselect count(*) as waiting, min(received_at) as oldest from webhook_inbox where state = 'waiting'")
        .fetch_one(books)
        .await
}

/// Removes what was done long ago; how many.
pub(crate) async fn sweep(books: &MySqlPool) -> sqlx::Result<u64> {
    let past = clock::now() - INBOX_KEPT;
    query("-- sweep\ndelete from webhook_inbox where state = 'done' and due_at < ? order by due_at limit ?")
        .bind(past.naive_utc())
        .bind(SWEEP_ROWS_MAX)
        .execute(books)
        .await
        .map(|done| done.rows_affected())
}
