//! SQL of stopped sales. Called by `stops`, outside any transaction.

use sqlx::MySqlPool;

/// Sales that need a person.
pub(super) async fn stops(pool: &MySqlPool) -> Result<Vec<String>, sqlx::Error> {
    let sql = "-- stops
        select sale_id from writer_stops";
    sqlx::query_scalar(sql).fetch_all(pool).await
}

pub(super) async fn put_stop(
    pool: &MySqlPool,
    sale_id: &str,
    why: &str,
) -> Result<(), sqlx::Error> {
    let sql = "-- put_stop
        insert into writer_stops (sale_id, why, stopped_at) values (?, ?, utc_timestamp(6)) on duplicate key update why = why";
    sqlx::query(sql)
        .bind(sale_id)
        .bind(why)
        .execute(pool)
        .await
        .map(|_| ())
}

pub(super) async fn take_stop(pool: &MySqlPool, sale_id: &str) -> Result<(), sqlx::Error> {
    let sql = "-- take_stop
        delete from writer_stops where sale_id = ?";
    sqlx::query(sql)
        .bind(sale_id)
        .execute(pool)
        .await
        .map(|_| ())
}

pub(super) async fn open_letters(pool: &MySqlPool, sale_id: &str) -> Result<i64, sqlx::Error> {
    let sql = "-- open_letters
        select count(*) from dead_letters where sale_id = ?";
    sqlx::query_scalar(sql).bind(sale_id).fetch_one(pool).await
}
