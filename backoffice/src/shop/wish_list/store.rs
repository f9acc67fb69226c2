//! SQL of wish lists. Called by `wish_list`.

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use doorbuster_core::ids::UserId;
use sqlx::mysql::MySqlPool;
use sqlx::{FromRow, query, query_as, query_scalar};

use super::WishView;
use crate::catalog::error::Refusal;
use crate::catalog::ids::{Named as _, ProductId};
use crate::catalog::text::{Amount, Text};
use crate::error::ApiError;
use crate::limits::WISHES_MAX;
use crate::shop::cart::store::begin_counting;
use crate::users;

#[derive(FromRow)]
struct WishRow {
    product_id: String,
    title_ko: String,
    title_en: String,
    amount: Option<i64>,
    currency: Option<String>,
    added_at: DateTime<Utc>,
}

impl From<WishRow> for WishView {
    fn from(row: WishRow) -> Self {
        let price = row
            .amount
            .zip(row.currency)
            .map(|(amount, currency)| Amount { amount, currency });
        Self {
            id: row.product_id,
            title: Text {
                ko: row.title_ko,
                en: row.title_en,
            },
            available: price.is_some(),
            price,
            added_at: clock::rfc3339(clock::to_ms(row.added_at)),
        }
    }
}

pub(crate) async fn wishes(books: &MySqlPool, user: &UserId) -> sqlx::Result<Vec<WishView>> {
    let rows: Vec<WishRow> = query_as(
        "-- wishes\nselect p.product_id, p.title_ko, p.title_en, l.amount, l.currency, w.added_at
        from wishes w join products p on p.product_no = w.product_no
        left join shop_products l on l.product_no = w.product_no
        where w.user_id = ? order by w.added_at desc, w.product_no desc limit ?",
    )
    .bind(user.as_str())
    .bind(WISHES_MAX)
    .fetch_all(books)
    .await?;
    Ok(rows.into_iter().map(WishView::from).collect())
}

/// # Errors
/// [`Refusal::UnknownProduct`] where no published product has this name; [`Refusal::WishListFull`]; [`ApiError::UnknownUser`] where
/// his account is not active.
pub(crate) async fn put(books: &MySqlPool, user: &UserId, id: &ProductId) -> Result<(), ApiError> {
    let mut tx = begin_counting(books).await?;
    let no: Option<u32> = query_scalar("-- put\nselect product_no from shop_products where product_no = (select product_no from products where product_id = ?)")
        .bind(id.as_str())
        .fetch_optional(&mut *tx)
        .await?;
    let no = no.ok_or_else(ProductId::unknown)?;
    users::store::lock_if_ours(&mut tx, user).await?;
    query("-- put\nselect product_no from wishes where user_id = ? for update")
        .bind(user.as_str())
        .execute(&mut *tx)
        .await?;
    let there: Vec<u32> = query_scalar("-- put\nselect product_no from wishes where user_id = ?")
        .bind(user.as_str())
        .fetch_all(&mut *tx)
        .await?;
    if there.contains(&no) {
        return Ok(());
    }
    if there.len() >= WISHES_MAX as usize {
        return Err(Refusal::WishListFull.into());
    }
    query("-- put\ninsert into wishes (user_id, product_no, added_at) values (?, ?, ?)")
        .bind(user.as_str())
        .bind(no)
        .bind(clock::now().naive_utc())
        .execute(&mut *tx)
        .await?;
    Ok(tx.commit().await?)
}

pub(crate) async fn remove(books: &MySqlPool, user: &UserId, id: &ProductId) -> sqlx::Result<()> {
    query("-- remove\ndelete from wishes where user_id = ? and product_no = (select product_no from products where product_id = ?)")
        .bind(user.as_str())
        .bind(id.as_str())
        .execute(books)
        .await
        .map(drop)
}
