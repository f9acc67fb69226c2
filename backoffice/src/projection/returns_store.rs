//! SQL of units of paid reservations that have come back. Called by `store` and by reconcile.

use std::collections::HashMap;

use sqlx::mysql::MySqlConnection;
use sqlx::{MySql, QueryBuilder, query_as};

use super::fold::Projection;

/// Those of one reservation; the books have none of it.
pub(super) async fn insert(
    tx: &mut MySqlConnection,
    sale: &str,
    projection: &Projection,
) -> sqlx::Result<()> {
    if projection.returned.is_empty() {
        return Ok(());
    }
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new(
        "-- insert_returns\ninsert into reservation_returns (sale_id, seq, sku, reservation_id, quantity) ",
    );
    statement.push_values(&projection.returned, |mut row, (sku, units)| {
        row.push_bind(sale)
            .push_bind(projection.seq())
            .push_bind(sku.as_str())
            .push_bind(projection.id.as_bytes().as_slice())
            .push_bind(*units);
    });
    statement.build().execute(tx).await.map(drop)
}

/// Those of the reservations of a sale in a stretch of numbers, each in the order of skus.
pub(crate) async fn between(
    tx: &mut MySqlConnection,
    sale: &str,
    span: Option<(u64, u64)>,
) -> sqlx::Result<HashMap<u64, Vec<(String, u32)>>> {
    let mut returned: HashMap<u64, Vec<(String, u32)>> = HashMap::new();
    let Some((first, last)) = span else {
        return Ok(returned);
    };
    let found: Vec<(u64, String, u32)> = query_as(
        "-- returned\nselect seq, sku, quantity from reservation_returns
        where sale_id = ? and seq between ? and ? order by seq, sku",
    )
    .bind(sale)
    .bind(first)
    .bind(last)
    .fetch_all(tx)
    .await?;
    for (seq, sku, units) in found {
        returned.entry(seq).or_default().push((sku, units));
    }
    Ok(returned)
}
