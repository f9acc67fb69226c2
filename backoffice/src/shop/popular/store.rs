//! SQL of what is popular. Called by `popular`.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use doorbuster_core::clock;
use doorbuster_core::ids::{SaleId, SkuId};
use sqlx::mysql::{MySql, MySqlPool};
use sqlx::pool::PoolConnection;
use sqlx::{FromRow, QueryBuilder, query, query_as, query_scalar};

use crate::limits::{STATISTICS_PRODUCTS_MAX, STATISTICS_ROWS, STATISTICS_SALES_MAX};

/// One product's.
#[derive(Debug, FromRow)]
pub(crate) struct Statistics {
    product_no: u32,
    views: u64,
    units: u64,
    carts: u64,
    wishes: u64,
    score: u64,
}

/// Named after the database, because servers may have several.
const TURN: &str = "concat('doorbuster:', left(sha1(database()), 16), ':statistics')";

/// The right to refresh, for one at a time; a connection that breaks gives it back.
pub(crate) struct Turn(PoolConnection<MySql>);

impl Turn {
    /// `None` where another has it, or has just had it.
    pub(crate) async fn take(books: &MySqlPool, pause: Duration) -> sqlx::Result<Option<Self>> {
        let mut connection = books.acquire().await?;
        let taken: Option<i64> = query_scalar(sqlx::AssertSqlSafe(format!(
            "-- take\nselect get_lock({TURN}, 0)"
        )))
        .fetch_one(&mut *connection)
        .await?;
        if taken != Some(1) {
            return Ok(None);
        }
        let turn = Self(connection);
        let last: sqlx::Result<Option<NaiveDateTime>> =
            query_scalar("-- take\nselect max(refreshed_at) from product_statistics")
                .fetch_one(books)
                .await;
        let is_recent = match last {
            Ok(last) => last.is_some_and(|at| {
                (clock::now().naive_utc() - at)
                    .to_std()
                    .is_ok_and(|age| age < pause)
            }),
            Err(error) => {
                turn.end().await?;
                return Err(error);
            }
        };
        if is_recent {
            turn.end().await?;
            return Ok(None);
        }
        Ok(Some(turn))
    }

    pub(crate) async fn end(mut self) -> sqlx::Result<()> {
        let _: Option<i64> = query_scalar(sqlx::AssertSqlSafe(format!(
            "-- end\nselect release_lock({TURN})"
        )))
        .fetch_one(&mut *self.0)
        .await?;
        Ok(())
    }
}

/// Adds reads to today's.
pub(crate) async fn add_views(books: &MySqlPool, counts: &[(u32, u64)]) -> sqlx::Result<()> {
    let today = clock::now().date_naive();
    for chunk in counts.chunks(STATISTICS_ROWS) {
        let mut statement: QueryBuilder<MySql> =
            QueryBuilder::new("-- add_views\ninsert into product_views (day, product_no, views) ");
        statement.push_values(chunk, |mut row, (no, views)| {
            row.push_bind(today).push_bind(*no).push_bind(*views);
        });
        statement.push(" on duplicate key update views = views + values(views)");
        statement.build().execute(books).await?;
    }
    Ok(())
}

/// Published sales of these days, the last to close first.
pub(crate) async fn sales(books: &MySqlPool, since: DateTime<Utc>) -> anyhow::Result<Vec<SaleId>> {
    let ids: Vec<String> = query_scalar(
        "-- sales\nselect sale_id from sales where state = 'published' and closes_at >= ? order by closes_at desc limit ?",
    )
    .bind(since.naive_utc())
    .bind(STATISTICS_SALES_MAX)
    .fetch_all(books)
    .await?;
    ids.into_iter().map(|id| Ok(SaleId::parse(id)?)).collect()
}

/// How many units of its skus a sale has brought away.
pub(crate) async fn set_units(
    books: &MySqlPool,
    sale: &SaleId,
    units: &[(SkuId, u64)],
) -> sqlx::Result<()> {
    for chunk in units.chunks(STATISTICS_ROWS) {
        let mut statement: QueryBuilder<MySql> =
            QueryBuilder::new("-- set_units\ninsert into sold_units (sale_id, sku, units) ");
        statement.push_values(chunk, |mut row, (sku, units)| {
            row.push_bind(sale.as_str())
                .push_bind(sku.as_str())
                .push_bind(*units);
        });
        statement.push(" on duplicate key update units = values(units)");
        statement.build().execute(books).await?;
    }
    Ok(())
}

/// Of sales that do not count any more.
pub(crate) async fn forget_units(books: &MySqlPool, since: DateTime<Utc>) -> sqlx::Result<()> {
    query("-- forget_units\ndelete u from sold_units u join sales s on s.sale_id = u.sale_id where s.closes_at < ?")
        .bind(since.naive_utc())
        .execute(books)
        .await
        .map(drop)
}

/// The most popular products by what happened since. A plain read: `insert … select` would lock what the writer writes.
pub(crate) async fn gather(
    books: &MySqlPool,
    since: DateTime<Utc>,
) -> sqlx::Result<Vec<Statistics>> {
    query_as(
        "-- gather\nselect t.product_no, cast(sum(t.views) as unsigned) views, cast(sum(t.units) as unsigned) units,
            cast(sum(t.carts) as unsigned) carts, cast(sum(t.wishes) as unsigned) wishes,
            cast(sum(t.views + 20 * t.units + 5 * t.carts + 3 * t.wishes) as unsigned) score
        from (
            select product_no, sum(views) views, 0 units, 0 carts, 0 wishes from product_views where day >= ? group by product_no
            union all
            select k.product_no, 0, sum(u.units), 0, 0
                from sales s join sold_units u on u.sale_id = s.sale_id join skus k on k.sku = u.sku
                where s.state = 'published' and s.closes_at >= ? group by k.product_no
            union all
            select k.product_no, 0, 0, count(distinct c.user_id), 0
                from cart_items c join skus k on k.sku = c.sku group by k.product_no
            union all
            select product_no, 0, 0, 0, count(*) from wishes group by product_no
        ) t
        group by t.product_no order by score desc limit ?",
    )
    .bind(since.date_naive())
    .bind(since.naive_utc())
    .bind(STATISTICS_PRODUCTS_MAX)
    .fetch_all(books)
    .await
}

/// Makes these the statistics; all other products have none any more.
pub(crate) async fn write(books: &MySqlPool, statistics: &[Statistics]) -> sqlx::Result<()> {
    let now = clock::now().naive_utc();
    for chunk in statistics.chunks(STATISTICS_ROWS) {
        let mut statement: QueryBuilder<MySql> = QueryBuilder::new(
            "-- write\ninsert into product_statistics (product_no, views, units, carts, wishes, score, refreshed_at) ",
        );
        statement.push_values(chunk, |mut row, one| {
            row.push_bind(one.product_no)
                .push_bind(one.views)
                .push_bind(one.units)
                .push_bind(one.carts)
                .push_bind(one.wishes)
                .push_bind(one.score)
                .push_bind(now);
        });
        statement.push(
            " on duplicate key update views = values(views), units = values(units), carts = values(carts),
                wishes = values(wishes), score = values(score), refreshed_at = values(refreshed_at)",
        );
        statement.build().execute(books).await?;
    }
    query(
        "-- write\nupdate shop_products p join product_statistics s on s.product_no = p.product_no
        set p.score = 0 where s.refreshed_at < ? and p.score <> 0",
    )
    .bind(now)
    .execute(books)
    .await?;
    query("-- write\ndelete from product_statistics where refreshed_at < ?")
        .bind(now)
        .execute(books)
        .await?;
    query(
        "-- write\nupdate shop_products p join product_statistics s on s.product_no = p.product_no
        set p.score = s.score where p.score <> s.score",
    )
    .execute(books)
    .await
    .map(drop)
}

/// Reads of days that do not count any more.
pub(crate) async fn forget_views(books: &MySqlPool, since: DateTime<Utc>) -> sqlx::Result<()> {
    query("-- forget_views\ndelete from product_views where day < ?")
        .bind(since.date_naive())
        .execute(books)
        .await
        .map(drop)
}
