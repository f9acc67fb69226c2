//! SQL of carts. Called by `cart`.

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use doorbuster_core::ids::{SkuId, UserId};
use sqlx::mysql::MySqlPool;
use sqlx::{FromRow, MySql, Transaction, query, query_as, query_scalar, raw_sql};

use super::CartItem;
use crate::catalog::error::Refusal;
use crate::catalog::text::{Amount, Text};
use crate::error::ApiError;
use crate::limits::CART_ITEMS_MAX;
use crate::users;

#[derive(FromRow)]
struct ItemRow {
    sku: String,
    quantity: u32,
    product_id: String,
    title_ko: String,
    title_en: String,
    amount: i64,
    currency: String,
    state: String,
    added_at: DateTime<Utc>,
}

impl From<ItemRow> for CartItem {
    fn from(row: ItemRow) -> Self {
        Self {
            sku: row.sku,
            quantity: row.quantity,
            product: row.product_id,
            title: Text {
                ko: row.title_ko,
                en: row.title_en,
            },
            price: Amount {
                amount: row.amount,
                currency: row.currency,
            },
            available: row.state == "published",
            added_at: clock::rfc3339(clock::to_ms(row.added_at)),
        }
    }
}

pub(crate) async fn items(books: &MySqlPool, user: &UserId) -> sqlx::Result<Vec<CartItem>> {
    let rows: Vec<ItemRow> = query_as(
        "-- items\nselect c.sku, c.quantity, p.product_id, p.title_ko, p.title_en, k.amount, k.currency, p.state, c.added_at
        from cart_items c join skus k on k.sku = c.sku join products p on p.product_no = k.product_no
        where c.user_id = ? order by c.added_at, c.sku limit ?",
    )
    .bind(user.as_str())
    .bind(CART_ITEMS_MAX)
    .fetch_all(books)
    .await?;
    Ok(rows.into_iter().map(CartItem::from).collect())
}

/// A transaction for one who counts a user's rows before adding one: first he locks them, so that two at once do not both take the
/// last place, then he looks again. Read committed, because otherwise the gaps beside the rows are locked too, and users who
/// begin a list at the same time would stop each other.
pub(crate) async fn begin_counting(books: &MySqlPool) -> sqlx::Result<Transaction<'static, MySql>> {
    let mut connection = books.acquire().await?;
    raw_sql("-- begin_counting\nset transaction isolation level read committed")
        .execute(&mut *connection)
        .await?;
    Transaction::begin(connection, None).await
}

/// # Errors
/// [`ApiError::UnknownSku`] where no published product has it; [`Refusal::CartFull`]; [`ApiError::UnknownUser`] where his account
/// is not active.
pub(crate) async fn put(
    books: &MySqlPool,
    user: &UserId,
    sku: &SkuId,
    quantity: u32,
) -> Result<(), ApiError> {
    let mut tx = begin_counting(books).await?;
    let known: Option<i64> = query_scalar(
        "-- put\nselect 1 from skus k join products p on p.product_no = k.product_no where k.sku = ? and p.state = 'published'",
    )
    .bind(sku.as_str())
    .fetch_optional(&mut *tx)
    .await?;
    known.ok_or(ApiError::UnknownSku)?;
    users::store::lock_if_ours(&mut tx, user).await?;
    query("-- put\nselect sku from cart_items where user_id = ? for update")
        .bind(user.as_str())
        .execute(&mut *tx)
        .await?;
    let there: Vec<String> = query_scalar("-- put\nselect sku from cart_items where user_id = ?")
        .bind(user.as_str())
        .fetch_all(&mut *tx)
        .await?;
    let is_new = there.iter().all(|other| other != sku.as_str());
    if is_new && there.len() >= CART_ITEMS_MAX as usize {
        return Err(Refusal::CartFull.into());
    }
    query(
        "-- put\ninsert into cart_items (user_id, sku, quantity, added_at) values (?, ?, ?, ?)
        on duplicate key update quantity = values(quantity)",
    )
    .bind(user.as_str())
    .bind(sku.as_str())
    .bind(quantity)
    .bind(clock::now().naive_utc())
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

pub(crate) async fn remove(books: &MySqlPool, user: &UserId, sku: &SkuId) -> sqlx::Result<()> {
    query("-- remove\ndelete from cart_items where user_id = ? and sku = ?")
        .bind(user.as_str())
        .bind(sku.as_str())
        .execute(books)
        .await
        .map(drop)
}

pub(crate) async fn clear(books: &MySqlPool, user: &UserId) -> sqlx::Result<()> {
    query("-- clear\ndelete from cart_items where user_id = ?")
        .bind(user.as_str())
        .execute(books)
        .await
        .map(drop)
}
