//! SQL of sales as staff wrote them. Called by the handlers of `sales`.
//! Times are bound without a zone: with one, MariaDB takes them for a `timestamp`, which ends in 2038.

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use doorbuster_core::ids::{LiveId, SaleId, SkuId};
use doorbuster_core::money::{Currency, Money};
use sqlx::mysql::{MySqlConnection, MySqlPool};
use sqlx::{FromRow, MySql, QueryBuilder, query, query_as};

use super::draft::{Item, Sale};
use crate::error::ApiError;
use crate::limits::PAUSE_ALL_SALES_MAX;
use crate::live::{Subject, Window};

/// A sale in the books.
#[derive(Debug, Clone)]
pub(crate) struct StoredSale {
    pub(crate) sale: Sale,
    pub(crate) created_at: DateTime<Utc>,
    /// `None`: a draft.
    pub(crate) published_at: Option<DateTime<Utc>>,
}

impl StoredSale {
    pub(crate) fn subject(&self) -> Subject {
        let window = Window {
            opens_ms: clock::to_ms(self.sale.opens_at),
            closes_ms: clock::to_ms(self.sale.closes_at),
        };
        Subject {
            live: LiveId::Sale(self.sale.id.clone()),
            window,
            published: self.published_at.is_some(),
        }
    }
}

/// Writes a draft with its items.
///
/// # Errors
/// [`ApiError::SaleExists`] where the id is taken.
pub(crate) async fn insert(tx: &mut MySqlConnection, sale: &Sale) -> Result<(), ApiError> {
    let inserted = query(
        "-- insert\ninsert into sales
            (sale_id, title, opens_at, closes_at, hold_seconds, payment_seconds, waiting_room, state, created_at)
        values (?, ?, ?, ?, ?, ?, false, 'draft', ?)",
    )
    .bind(sale.id.as_str())
    .bind(&sale.title)
    .bind(sale.opens_at.naive_utc())
    .bind(sale.closes_at.naive_utc())
    .bind(sale.hold_seconds)
    .bind(sale.payment_seconds)
    .bind(clock::now().naive_utc())
    .execute(&mut *tx)
    .await;
    match inserted {
        // The primary key is the table's only unique index.
        Err(sqlx::Error::Database(e)) if e.is_unique_violation() => {
            return Err(ApiError::SaleExists);
        }
        other => other?,
    };
    Ok(insert_items(tx, sale).await?)
}

async fn insert_items(tx: &mut MySqlConnection, sale: &Sale) -> sqlx::Result<()> {
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new(
        "-- insert_items\ninsert into sale_items (sale_id, sku, position, title, amount, currency, stock, limit_per_user) ",
    );
    statement.push_values((0_u32..).zip(&sale.items), |mut row, (position, item)| {
        row.push_bind(sale.id.as_str())
            .push_bind(item.sku.as_str())
            .push_bind(position)
            .push_bind(&item.title)
            .push_bind(item.price.amount)
            .push_bind(item.price.currency.to_string())
            .push_bind(item.stock)
            .push_bind(item.limit_per_user);
    });
    statement.build().execute(tx).await.map(drop)
}

#[derive(FromRow)]
struct SaleRow {
    title: String,
    opens_at: DateTime<Utc>,
    closes_at: DateTime<Utc>,
    hold_seconds: u32,
    payment_seconds: u32,
    created_at: DateTime<Utc>,
    published_at: Option<DateTime<Utc>>,
}

#[derive(FromRow)]
struct ItemRow {
    sku: String,
    title: String,
    amount: i64,
    currency: String,
    stock: u32,
    limit_per_user: u32,
}

/// # Errors
/// [`ApiError::UnknownSale`] where there is none.
pub(crate) async fn find(books: &MySqlPool, id: &SaleId) -> Result<StoredSale, ApiError> {
    let row: Option<SaleRow> = query_as(
        "-- find\nselect title, opens_at, closes_at, hold_seconds, payment_seconds, created_at, published_at
        from sales where sale_id = ?",
    )
    .bind(id.as_str())
    .fetch_optional(books)
    .await?;
    let row = row.ok_or(ApiError::UnknownSale)?;
    let sale = Sale {
        id: id.clone(),
        title: row.title,
        opens_at: row.opens_at,
        closes_at: row.closes_at,
        hold_seconds: row.hold_seconds,
        payment_seconds: row.payment_seconds,
        items: items(books, id).await?,
    };
    Ok(StoredSale {
        sale,
        created_at: row.created_at,
        published_at: row.published_at,
    })
}

async fn items(books: &MySqlPool, id: &SaleId) -> Result<Vec<Item>, ApiError> {
    let rows: Vec<ItemRow> = query_as(
        "-- items\nselect sku, title, amount, currency, stock, limit_per_user
        from sale_items where sale_id = ? order by position",
    )
    .bind(id.as_str())
    .fetch_all(books)
    .await?;
    rows.into_iter().map(item).collect()
}

fn item(row: ItemRow) -> Result<Item, ApiError> {
    let sku = SkuId::parse(row.sku).map_err(|e| ApiError::Internal(e.into()))?;
    let currency = Currency::parse(&row.currency).map_err(|e| ApiError::Internal(e.into()))?;
    let price = Money {
        amount: row.amount,
        currency,
    };
    Ok(Item {
        sku,
        title: row.title,
        price,
        stock: row.stock,
        limit_per_user: row.limit_per_user,
    })
}

/// Published sales whose window has not passed.
pub(crate) async fn current(books: &MySqlPool) -> Result<Vec<Subject>, ApiError> {
    let rows: Vec<(String, DateTime<Utc>, DateTime<Utc>)> = query_as(
        "-- current\nselect sale_id, opens_at, closes_at from sales
        where state = 'published' and closes_at > ? order by sale_id limit ?",
    )
    .bind(clock::now().naive_utc())
    .bind(PAUSE_ALL_SALES_MAX)
    .fetch_all(books)
    .await?;
    rows.into_iter()
        .map(|(id, opens_at, closes_at)| {
            let live = LiveId::Sale(SaleId::parse(id).map_err(|e| ApiError::Internal(e.into()))?);
            let window = Window {
                opens_ms: clock::to_ms(opens_at),
                closes_ms: clock::to_ms(closes_at),
            };
            Ok(Subject {
                live,
                window,
                published: true,
            })
        })
        .collect()
}
