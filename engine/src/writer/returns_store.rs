//! SQL of units that came back. Called by `apply`, in the order of keys, as all writers take their locks.

use doorbuster_core::returns::Return;
use sqlx::{MySql, QueryBuilder, Transaction};

use super::chunks::chunks;

/// How many of these are of a sku that its reservation has.
pub(super) async fn bought(
    tx: &mut Transaction<'_, MySql>,
    sale_id: &str,
    rows: &[&Return],
) -> Result<u64, sqlx::Error> {
    let mut found = 0;
    for chunk in chunks(rows) {
        let mut query = QueryBuilder::<MySql>::new(
            "-- bought\n select cast(count(*) as unsigned) from reservation_lines where sale_id = ",
        );
        query.push_bind(sale_id).push(" and (");
        for (i, row) in chunk.iter().enumerate() {
            query
                .push(if i > 0 { " or seq = " } else { "seq = " })
                .push_bind(row.began)
                .push(" and sku = ")
                .push_bind(row.sku.as_str());
        }
        query.push(")");
        let count: u64 = query.build_query_scalar().fetch_one(&mut **tx).await?;
        found += count;
    }
    Ok(found)
}

/// What has come back by now, in the place of what had before.
pub(super) async fn put_returns(
    tx: &mut Transaction<'_, MySql>,
    sale_id: &str,
    rows: &[&Return],
) -> Result<(), sqlx::Error> {
    let head = "-- put_returns\n insert into reservation_returns (sale_id, seq, sku, reservation_id, quantity) ";
    for chunk in chunks(rows) {
        let mut query = QueryBuilder::<MySql>::new(head);
        query.push_values(chunk, |mut row, returned| {
            row.push_bind(sale_id)
                .push_bind(returned.began)
                .push_bind(returned.sku.as_str())
                .push_bind(returned.id.as_bytes().as_slice())
                .push_bind(returned.total);
        });
        query.push(" on duplicate key update quantity = values(quantity)");
        query.build().execute(&mut **tx).await?;
    }
    Ok(())
}
