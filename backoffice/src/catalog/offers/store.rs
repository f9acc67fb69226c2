//! SQL of what the catalog knows of skus. Called by the handler that writes sales down.

use doorbuster_core::ids::SkuId;
use doorbuster_core::money::{Currency, Money};
use serde::de::DeserializeOwned;
use sqlx::mysql::MySqlPool;
use sqlx::{FromRow, MySql, QueryBuilder};

use super::{Offer, Offers, title};
use crate::bulk::push_in;
use crate::error::ApiError;

#[derive(FromRow)]
struct OfferRow {
    sku: String,
    title_ko: String,
    options: String,
    choices: String,
    amount: i64,
    currency: String,
}

/// Those of these skus that published products have.
///
/// # Errors
/// [`ApiError`] of MySQL.
pub(crate) async fn offers(books: &MySqlPool, skus: &[SkuId]) -> Result<Offers, ApiError> {
    if skus.is_empty() {
        return Ok(Offers::new());
    }
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new(
        "-- offers\nselect k.sku, p.title_ko, cast(p.options as char) options, cast(k.choices as char) choices, k.amount, k.currency
        from skus k join products p on p.product_no = k.product_no where p.state = 'published' and k.sku in (",
    );
    push_in(&mut statement, skus.iter().map(SkuId::as_str));
    let rows: Vec<OfferRow> = statement.build_query_as().fetch_all(books).await?;
    rows.into_iter().map(offer).collect()
}

fn offer(row: OfferRow) -> Result<(SkuId, Offer), ApiError> {
    let sku = SkuId::parse(row.sku).map_err(|e| ApiError::Internal(e.into()))?;
    let price = Money {
        amount: row.amount,
        currency: Currency::parse(&row.currency).map_err(|e| ApiError::Internal(e.into()))?,
    };
    let (options, choices): (Vec<_>, Vec<_>) = (parsed(&row.options)?, parsed(&row.choices)?);
    let title = title(&row.title_ko, &options, &choices);
    Ok((sku, Offer { title, price }))
}

fn parsed<T: DeserializeOwned>(text: &str) -> Result<T, ApiError> {
    serde_json::from_str(text).map_err(|e| ApiError::Internal(e.into()))
}
