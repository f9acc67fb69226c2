//! SQL of sales' policies. Called by `policies`.

use doorbuster_core::clock;
use doorbuster_core::ids::SaleId;
use sqlx::mysql::{MySqlConnection, MySqlExecutor};
use sqlx::{query, query_as};

use super::SalePolicy;
use crate::error::ApiError;
use crate::orders::model::Late;

pub(crate) async fn find(
    books: impl MySqlExecutor<'_>,
    sale: &SaleId,
) -> Result<SalePolicy, ApiError> {
    let row: Option<(String, i64, Option<i64>, u32)> = query_as(
        "-- find\nselect late_payment, shipping_fee, free_from, earn_per_mille from sale_policies where sale_id = ?",
    )
    .bind(sale.as_str())
    .fetch_optional(books)
    .await?;
    let Some((late, shipping_fee, free_from, earn_per_mille)) = row else {
        return Ok(SalePolicy::default());
    };
    let late = Late::of_word(&late);
    Ok(SalePolicy {
        late_payment: late.ok_or_else(|| ApiError::Internal(anyhow::anyhow!("a sale's policy")))?,
        shipping_fee,
        free_from,
        earn_per_mille,
    })
}

pub(crate) async fn set(
    tx: &mut MySqlConnection,
    sale: &SaleId,
    policy: &SalePolicy,
) -> sqlx::Result<()> {
    query(
        "-- set\ninsert into sale_policies (sale_id, late_payment, shipping_fee, free_from, earn_per_mille, updated_at) values (?, ?, ?, ?, ?, ?)
        on duplicate key update late_payment = values(late_payment), shipping_fee = values(shipping_fee), free_from = values(free_from),
            earn_per_mille = values(earn_per_mille), updated_at = values(updated_at)",
    )
    .bind(sale.as_str())
    .bind(policy.late_payment.word())
    .bind(policy.shipping_fee)
    .bind(policy.free_from)
    .bind(policy.earn_per_mille)
    .bind(clock::now().naive_utc())
    .execute(tx)
    .await
    .map(drop)
}
