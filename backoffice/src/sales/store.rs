//! SQL of sales as staff wrote them. Called by the handlers of `sales`.
//! Times are bound without a zone: with one, MariaDB takes them for a `timestamp`, which ends in 2038.

use anyhow::anyhow;
use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use doorbuster_core::ids::{LiveId, SaleId, SkuId};
use doorbuster_core::line::{LineConfig, LineDraft, Pledge};
use doorbuster_core::money::{Currency, Money};
use serde_json::json;
use sqlx::mysql::{MySqlConnection, MySqlPool};
use sqlx::{FromRow, MySql, QueryBuilder, query, query_as};

use super::draft::{Item, Sale};
use super::edit::store::FIRST_VERSION;
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
    /// What was pledged of its draw, where it has one and has been opened.
    pub(crate) pledge: Option<Pledge>,
    /// Raised by every edit of the draft.
    pub(crate) version: u32,
}

impl StoredSale {
    /// Its line as Redis is told of it.
    pub(crate) fn line(&self) -> Option<LineConfig> {
        let draft = self.sale.line.as_ref()?;
        Some(LineConfig::new(draft, self.pledge.clone()))
    }

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
        values (?, ?, ?, ?, ?, ?, ?, 'draft', ?)",
    )
    .bind(sale.id.as_str())
    .bind(&sale.title)
    .bind(sale.opens_at.naive_utc())
    .bind(sale.closes_at.naive_utc())
    .bind(sale.hold_seconds)
    .bind(sale.payment_seconds)
    .bind(sale.line.is_some())
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
    insert_line(tx, sale).await?;
    Ok(insert_items(tx, sale).await?)
}

async fn insert_line(tx: &mut MySqlConnection, sale: &Sale) -> sqlx::Result<()> {
    let Some(line) = &sale.line else {
        return Ok(());
    };
    query("-- insert_line\ninsert into sale_lines (sale_id, settings) values (?, ?)")
        .bind(sale.id.as_str())
        .bind(json!(line).to_string())
        .execute(tx)
        .await
        .map(drop)
}

/// Writes the pledge of a sale that has none.
pub(crate) async fn pledge(books: &MySqlPool, id: &SaleId, pledge: &Pledge) -> sqlx::Result<()> {
    query(
        "-- pledge\nupdate sale_lines set draw_salt = ?, draw_commitment = ? where sale_id = ? and draw_salt is null",
    )
    .bind(&pledge.salt)
    .bind(&pledge.commitment)
    .bind(id.as_str())
    .execute(books)
    .await
    .map(drop)
}

pub(super) async fn insert_items(tx: &mut MySqlConnection, sale: &Sale) -> sqlx::Result<()> {
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
    waiting_room: bool,
    settings: Option<String>,
    draw_salt: Option<String>,
    draw_commitment: Option<String>,
    version: Option<u32>,
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
    find_on(&mut *books.acquire().await?, id).await
}

/// The same on one connection, such as a transaction's.
///
/// # Errors
/// [`ApiError::UnknownSale`] where there is none.
pub(super) async fn find_on(
    books: &mut MySqlConnection,
    id: &SaleId,
) -> Result<StoredSale, ApiError> {
    let row: Option<SaleRow> = query_as(
        "-- find\nselect s.title, s.opens_at, s.closes_at, s.hold_seconds, s.payment_seconds, s.created_at, s.published_at, s.waiting_room,
            cast(l.settings as char) as settings, l.draw_salt, l.draw_commitment, e.version
        from sales s left join sale_lines l on l.sale_id = s.sale_id left join sale_edits e on e.sale_id = s.sale_id where s.sale_id = ?",
    )
    .bind(id.as_str())
    .fetch_optional(&mut *books)
    .await?;
    let row = row.ok_or(ApiError::UnknownSale)?;
    let sale = Sale {
        id: id.clone(),
        title: row.title,
        opens_at: row.opens_at,
        closes_at: row.closes_at,
        hold_seconds: row.hold_seconds,
        payment_seconds: row.payment_seconds,
        line: line(row.waiting_room, row.settings.as_deref())?,
        items: items(books, id).await?,
    };
    Ok(StoredSale {
        sale,
        created_at: row.created_at,
        published_at: row.published_at,
        pledge: row
            .draw_salt
            .zip(row.draw_commitment)
            .map(|(salt, commitment)| Pledge { salt, commitment }),
        version: row.version.unwrap_or(FIRST_VERSION),
    })
}

fn line(waiting_room: bool, settings: Option<&str>) -> Result<Option<LineDraft>, ApiError> {
    match settings {
        None if waiting_room => Err(ApiError::Internal(anyhow!("a waiting room has no line"))),
        None => Ok(None),
        Some(text) => serde_json::from_str(text)
            .map(Some)
            .map_err(|e| ApiError::Internal(e.into())),
    }
}

async fn items(books: &mut MySqlConnection, id: &SaleId) -> Result<Vec<Item>, ApiError> {
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

/// A sale as a list shows it.
#[derive(Debug)]
pub(crate) struct ListedSale {
    pub(crate) subject: Subject,
    pub(crate) title: String,
    pub(crate) waiting_room: bool,
    pub(crate) created_at: DateTime<Utc>,
}

#[derive(FromRow)]
struct ListedRow {
    sale_id: String,
    title: String,
    opens_at: DateTime<Utc>,
    closes_at: DateTime<Utc>,
    waiting_room: bool,
    state: String,
    created_at: DateTime<Utc>,
}

/// At most `rows` sales written before `after`, newest first.
pub(crate) async fn list(
    books: &MySqlPool,
    after: Option<(DateTime<Utc>, String)>,
    rows: u32,
) -> Result<Vec<ListedSale>, ApiError> {
    let (created_at, id) = after.map(|(at, id)| (at.naive_utc(), id)).unzip();
    let rows: Vec<ListedRow> = query_as(
        "-- list\nselect sale_id, title, opens_at, closes_at, waiting_room, state, created_at from sales
        where ? is null or created_at < ? or (created_at = ? and sale_id < ?)
        order by created_at desc, sale_id desc limit ?",
    )
    .bind(created_at)
    .bind(created_at)
    .bind(created_at)
    .bind(id)
    .bind(rows)
    .fetch_all(books)
    .await?;
    let listed = |row: ListedRow| {
        let id = SaleId::parse(row.sale_id).map_err(|e| ApiError::Internal(e.into()))?;
        Ok(ListedSale {
            subject: Subject {
                live: LiveId::Sale(id),
                window: Window {
                    opens_ms: clock::to_ms(row.opens_at),
                    closes_ms: clock::to_ms(row.closes_at),
                },
                published: row.state == "published",
            },
            title: row.title,
            waiting_room: row.waiting_room,
            created_at: row.created_at,
        })
    };
    rows.into_iter().map(listed).collect()
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
