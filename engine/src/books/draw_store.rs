//! SQL of draws, as conductors need them.

use doorbuster_core::draw::{DrawSecret, Drawn};
use doorbuster_core::hex::{from_hex, to_hex};
use sqlx::MySqlPool;

pub(super) async fn draw_of(pool: &MySqlPool, sale_id: &str) -> Result<Option<Drawn>, sqlx::Error> {
    let sql = "-- draw_of
        select early, seed, list_hash, secret from draws where sale_id = ?";
    let row: Option<(u32, String, String, String)> = sqlx::query_as(sql)
        .bind(sale_id)
        .fetch_optional(pool)
        .await?;
    row.map(|(early, seed, list_hash, secret)| {
        let drawn = || {
            Some(Drawn {
                early,
                seed: from_hex(&seed)?,
                list_hash: from_hex(&list_hash)?,
                secret: DrawSecret::from_bytes(from_hex(&secret)?),
            })
        };
        drawn().ok_or_else(|| sqlx::Error::Decode(format!("the draw of {sale_id}").into()))
    })
    .transpose()
}

pub(super) async fn put_part(
    pool: &MySqlPool,
    sale_id: &str,
    list_hash: &[u8; 32],
    part: u32,
    entries: &[u8],
) -> Result<(), sqlx::Error> {
    let sql = "-- put_part
        insert into draw_lists (sale_id, list_hash, part, entries) values (?, ?, ?, ?)
        on duplicate key update entries = values(entries)";
    sqlx::query(sql)
        .bind(sale_id)
        .bind(to_hex(list_hash))
        .bind(part)
        .bind(entries)
        .execute(pool)
        .await
        .map(|_| ())
}

pub(super) async fn drop_others(
    pool: &MySqlPool,
    sale_id: &str,
    list_hash: &[u8; 32],
) -> Result<(), sqlx::Error> {
    let sql = "-- drop_others
        delete from draw_lists where sale_id = ? and list_hash <> ?";
    sqlx::query(sql)
        .bind(sale_id)
        .bind(to_hex(list_hash))
        .execute(pool)
        .await
        .map(|_| ())
}
