//! SQL of the front's look-ups and of the engines' signs of life.

use chrono::{DateTime, Utc};
use doorbuster_core::ids::LiveId;
use sqlx::{MySql, MySqlExecutor, MySqlPool, QueryBuilder, Transaction};
use uuid::Uuid;

use super::Durability;
use crate::tallies::Told;

#[derive(Debug, sqlx::FromRow)]
pub(super) struct Row {
    pub(super) title: String,
    pub(super) state: String,
    pub(super) opens_at: DateTime<Utc>,
    pub(super) closes_at: DateTime<Utc>,
}

pub(super) async fn sale(pool: &MySqlPool, id: &str) -> Result<Option<Row>, sqlx::Error> {
    let sql = "-- sale
        select title, state, opens_at, closes_at from sales where sale_id = ?";
    sqlx::query_as(sql).bind(id).fetch_optional(pool).await
}

pub(super) async fn coupon(pool: &MySqlPool, id: &str) -> Result<Option<Row>, sqlx::Error> {
    let sql = "-- coupon
        select coupon_id as title, state, starts_at as opens_at, ends_at as closes_at from coupons where coupon_id = ?";
    sqlx::query_as(sql).bind(id).fetch_optional(pool).await
}

pub(super) async fn schema_version(pool: &MySqlPool) -> Result<i64, sqlx::Error> {
    let sql = "-- schema_version
        select cast(coalesce(max(version), 0) as signed) from _sqlx_migrations where success";
    sqlx::query_scalar(sql).fetch_one(pool).await
}

pub(super) async fn durability(pool: &MySqlPool) -> Result<Durability, sqlx::Error> {
    let sql = "-- durability
        select cast(@@global.innodb_flush_log_at_trx_commit as signed) as flush_log_at_commit,
            cast(@@global.log_bin as signed) as log_bin, cast(@@global.sync_binlog as signed) as sync_binlog";
    sqlx::query_as(sql).fetch_one(pool).await
}

pub(super) async fn sign_of_life(pool: &MySqlPool, id: Uuid) -> Result<(), sqlx::Error> {
    let sql = "-- sign_of_life
        insert into engines (engine_id, seen_at, run_id) values (?, utc_timestamp(3), '')
        on duplicate key update seen_at = utc_timestamp(3)";
    sqlx::query(sql).bind(id).execute(pool).await.map(|_| ())
}

pub(super) async fn put_sightings(
    transaction: &mut Transaction<'_, MySql>,
    id: Uuid,
    sightings: &[(LiveId, u32, u64)],
) -> Result<(), sqlx::Error> {
    let update = " on duplicate key update epoch = values(epoch), seq = values(seq)";
    insert_sightings(transaction, id, sightings, update).await
}

/// Under no engine's id, and never lower than before.
pub(super) async fn raise_sightings(
    transaction: &mut Transaction<'_, MySql>,
    sightings: &[(LiveId, u32, u64)],
) -> Result<(), sqlx::Error> {
    // Assignments are done in order, so the first still sees the epoch as it was.
    let update = " on duplicate key update
        seq = case when values(epoch) > epoch then values(seq) when values(epoch) = epoch then greatest(seq, values(seq)) else seq end,
        epoch = greatest(epoch, values(epoch))";
    insert_sightings(transaction, Uuid::nil(), sightings, update).await
}

async fn insert_sightings(
    transaction: &mut Transaction<'_, MySql>,
    id: Uuid,
    sightings: &[(LiveId, u32, u64)],
    update: &'static str,
) -> Result<(), sqlx::Error> {
    let mut query = QueryBuilder::<MySql>::new(
        "-- insert_sightings\n insert into engine_sightings (engine_id, sale_id, epoch, seq) ",
    );
    query.push_values(sightings, |mut row, (live, epoch, seq)| {
        row.push_bind(id)
            .push_bind(live.book_id())
            .push_bind(*epoch)
            .push_bind(*seq);
    });
    query.push(update);
    query
        .build()
        .persistent(false)
        .execute(&mut **transaction)
        .await
        .map(|_| ())
}

/// In one order, so that engines that add at the same time do not wait for each other in a circle.
pub(super) async fn add_answers(pool: &MySqlPool, told: &[Told]) -> Result<(), sqlx::Error> {
    let mut rows: Vec<(String, &Told)> = told.iter().map(|t| (t.live.book_id(), t)).collect();
    rows.sort_unstable_by(|a, b| (&a.0, a.1.code).cmp(&(&b.0, b.1.code)));
    let mut query = QueryBuilder::<MySql>::new(
        "-- add_answers\n insert into sale_answers (sale_id, code, answers, updated_at) ",
    );
    query.push_values(rows, |mut row, (sale, told)| {
        row.push_bind(sale)
            .push_bind(told.code)
            .push_bind(told.count)
            .push("utc_timestamp(3)");
    });
    query.push(
        " on duplicate key update answers = answers + values(answers), updated_at = values(updated_at)",
    );
    let done = query.build().persistent(false).execute(pool).await;
    done.map(|_| ())
}

pub(super) async fn put_run_id(
    transaction: &mut Transaction<'_, MySql>,
    id: Uuid,
    run_id: &str,
) -> Result<(), sqlx::Error> {
    let sql = "-- put_run_id
        insert into engines (engine_id, seen_at, run_id) values (?, utc_timestamp(3), ?)
        on duplicate key update seen_at = utc_timestamp(3), run_id = values(run_id)";
    sqlx::query(sql)
        .bind(id)
        .bind(run_id)
        .execute(&mut **transaction)
        .await
        .map(|_| ())
}

pub(super) async fn open_asks(pool: &MySqlPool) -> Result<Vec<(String, u32)>, sqlx::Error> {
    let sql = "-- open_asks
        select sale_id, ask from rebuilds where state = 'asked'";
    sqlx::query_as(sql).fetch_all(pool).await
}

/// What engine `id` handed over of this sale before it was asked for the `ask`th time.
pub(super) async fn drop_handover(
    transaction: &mut Transaction<'_, MySql>,
    id: Uuid,
    live: &LiveId,
    ask: u32,
) -> Result<(), sqlx::Error> {
    let sql = "-- drop_handover
        delete from handovers where sale_id = ? and engine_id = ? and ask < ?";
    sqlx::query(sql)
        .bind(live.book_id())
        .bind(id)
        .bind(ask)
        .execute(&mut **transaction)
        .await
        .map(|_| ())
}

pub(super) async fn put_handover(
    executor: impl MySqlExecutor<'_>,
    id: Uuid,
    live: &LiveId,
    (ask, number): (u32, u32),
    part: &[u8],
) -> Result<(), sqlx::Error> {
    let sql = "-- put_handover
        insert into handovers (sale_id, ask, engine_id, part, events) values (?, ?, ?, ?, ?)
        on duplicate key update events = values(events)";
    sqlx::query(sql)
        .bind(live.book_id())
        .bind(ask)
        .bind(id)
        .bind(number)
        .bind(part)
        .execute(executor)
        .await
        .map(|_| ())
}

pub(super) async fn leave(pool: &MySqlPool, id: Uuid) -> Result<(), sqlx::Error> {
    let sightings = "-- leave
        delete from engine_sightings where engine_id = ?";
    sqlx::query(sightings).bind(id).execute(pool).await?;
    let engine = "-- leave
        delete from engines where engine_id = ?";
    sqlx::query(engine).bind(id).execute(pool).await.map(|_| ())
}
