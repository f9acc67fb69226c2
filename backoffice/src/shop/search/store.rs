//! SQL of searches. Called by `search`. Where to begin is written into each statement (`straight_join`, `force index`): the
//! servers' own choice differs between them, and with the statistics of the day.

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use sqlx::mysql::MySqlPool;
use sqlx::{FromRow, MySql, QueryBuilder, query, query_scalar};

use super::cursor::{Position, Sort};
use super::ids::{IdSet, listed};
use super::plan::{Conditions, Driver};
use crate::bulk::push_in;

/// A product in a list.
#[derive(Debug, FromRow)]
pub(crate) struct ListedRow {
    pub(crate) product_no: u32,
    pub(crate) product_id: String,
    pub(crate) seller_id: String,
    pub(crate) category_id: String,
    pub(crate) title_ko: String,
    pub(crate) title_en: String,
    pub(crate) image_url: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) published_at: DateTime<Utc>,
    pub(crate) score: u64,
}

impl ListedRow {
    pub(crate) fn position(&self, sort: Sort) -> Position {
        let key = match sort {
            Sort::Newest => clock::to_ms(self.published_at),
            Sort::Popular => self.score,
            // The column has none below 0.
            Sort::PriceAsc | Sort::PriceDesc => self.amount.unsigned_abs(),
        };
        Position {
            sort,
            key,
            product_no: self.product_no,
        }
    }
}

/// How many products each probe begins with, counted to one more than `bound` at most.
pub(crate) async fn counts(
    books: &MySqlPool,
    probes: &[Driver],
    conditions: &Conditions,
    bound: u32,
) -> sqlx::Result<Vec<u64>> {
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new("-- counts\n");
    for (i, probe) in (0_u32..).zip(probes) {
        let head = if i == 0 {
            "select "
        } else {
            " union all select "
        };
        statement
            .push(head)
            .push(i)
            .push(" i, count(*) n from (select 1 from ");
        push_source(&mut statement, probe, conditions);
        statement.push(" limit ").push(bound + 1).push(") t");
    }
    if probes.is_empty() {
        return Ok(Vec::new());
    }
    let mut rows: Vec<(i64, i64)> = statement.build_query_as().fetch_all(books).await?;
    rows.sort_unstable();
    Ok(rows
        .into_iter()
        .map(|(_, count)| count.unsigned_abs())
        .collect())
}

/// The products that each probe begins with; `None` where they are more than `bound`.
pub(crate) async fn lists(
    books: &MySqlPool,
    probes: &[Driver],
    conditions: &Conditions,
    bound: u32,
) -> sqlx::Result<Vec<Option<Vec<u32>>>> {
    if probes.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new("-- lists\n");
    for (i, probe) in (0_u32..).zip(probes) {
        let head = if i == 0 {
            "select "
        } else {
            " union all select "
        };
        statement.push(head).push(i);
        statement.push(" i, count(*) n, cast(coalesce(group_concat(product_no), '') as char) ids from (select product_no from ");
        push_source(&mut statement, probe, conditions);
        statement.push(" limit ").push(bound + 1).push(") t");
    }
    let mut rows: Vec<(i64, i64, String)> = statement.build_query_as().fetch_all(books).await?;
    rows.sort_unstable_by_key(|(i, ..)| *i);
    let list = |(_, count, ids): (i64, i64, String)| {
        let count = count.unsigned_abs();
        (count <= u64::from(bound))
            .then(|| listed(&ids, count))
            .flatten()
    };
    Ok(rows.into_iter().map(list).collect())
}

/// The number of a product that was ever written down.
pub(crate) async fn product_no(books: &MySqlPool, id: &str) -> sqlx::Result<Option<u32>> {
    query_scalar("-- product_no\nselect product_no from products where product_id = ?")
        .bind(id)
        .fetch_optional(books)
        .await
}

/// At most so many of `found` that pass the filters and come after the page's position, the first of its order, told by its index.
pub(crate) async fn first_of(
    books: &MySqlPool,
    page: &Page<'_>,
    found: &IdSet,
    wanted: usize,
) -> sqlx::Result<Vec<u32>> {
    let mut statement: QueryBuilder<MySql> =
        QueryBuilder::new("-- first_of\nselect p.product_no from ");
    push_order_index(&mut statement, page.sort);
    statement
        .push(" where ord(substr(@found, (p.product_no >> 3) + 1, 1)) & (1 << (p.product_no & 7))");
    push_filters(&mut statement, page.conditions);
    push_after(&mut statement, page);
    push_order(&mut statement, page.sort);
    statement.push_bind(wanted as u64);
    // A value that is bound would be copied for every entry of the index.
    let mut connection = books.acquire().await?;
    query("-- first_of\nset @found = ?")
        .bind(found.bytes())
        .execute(&mut *connection)
        .await?;
    statement
        .build_query_scalar()
        .fetch_all(&mut *connection)
        .await
}

/// The page as far as it is among these products.
pub(crate) async fn of(
    books: &MySqlPool,
    page: &Page<'_>,
    ids: &[u32],
) -> sqlx::Result<Vec<ListedRow>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new("-- of\nselect ");
    statement.push(LISTED);
    // Left to itself a server may take an index of the filters instead.
    statement.push("shop_products p force index (primary) where p.product_no in (");
    let mut list = statement.separated(",");
    for id in ids {
        // Numbers, and as many as there are: no statement to keep.
        list.push(id);
    }
    statement.push(")");
    push_conditions(&mut statement, page);
    push_after(&mut statement, page);
    push_order(&mut statement, page.sort);
    statement.push_bind(page.rows);
    let query = statement.build_query_as().persistent(false);
    query.fetch_all(books).await
}

/// What a probe counts.
fn push_source(statement: &mut QueryBuilder<MySql>, driver: &Driver, conditions: &Conditions) {
    match driver {
        Driver::Gram(gram) => {
            statement.push("search_grams where ");
            push_gram(statement, gram);
        }
        Driver::Seller | Driver::Categories | Driver::Price => {
            push_filter_index(statement, driver);
            statement.push(" where true");
            push_filters(statement, conditions);
        }
        // None of them is counted.
        Driver::InSale | Driver::Window(_) | Driver::Order => {
            statement.push("(select 1) one");
        }
    }
}

/// All grams that begin so: no UTF-8 has a byte 0xFF.
fn push_gram(statement: &mut QueryBuilder<MySql>, gram: &str) {
    let mut end = gram.as_bytes().to_vec();
    end.push(0xFF);
    statement
        .push("gram >= ")
        .push_bind(gram.as_bytes().to_vec());
    statement.push(" and gram < ").push_bind(end);
}

/// Of a row, and where it is.
const LISTED: &str = "p.product_no, p.product_id, p.seller_id, p.category_id, p.title_ko, p.title_en, p.image_url, p.amount,
            p.currency, p.published_at, p.score
        from ";

/// What a page is made of.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    pub(crate) conditions: &'a Conditions,
    pub(crate) driver: Driver,
    pub(crate) sort: Sort,
    pub(crate) after: Option<Position>,
    pub(crate) rows: u32,
}

pub(crate) async fn page(books: &MySqlPool, page: &Page<'_>) -> sqlx::Result<Vec<ListedRow>> {
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new("-- page\nselect ");
    statement.push(LISTED);
    push_driver(&mut statement, page);
    push_conditions(&mut statement, page);
    push_after(&mut statement, page);
    push_order(&mut statement, page.sort);
    statement.push_bind(page.rows);
    statement.build_query_as().fetch_all(books).await
}

fn push_driver(statement: &mut QueryBuilder<MySql>, page: &Page<'_>) {
    match &page.driver {
        Driver::Gram(gram) => {
            statement.push("(select distinct product_no from search_grams where ");
            push_gram(statement, gram);
            statement.push(") d straight_join shop_products p on p.product_no = d.product_no");
        }
        Driver::InSale => {
            let now = clock::now().naive_utc();
            statement
                .push(
                    "(select distinct k.product_no from sales s left join sale_states t on t.sale_id = s.sale_id
                        join sale_items i on i.sale_id = s.sale_id join skus k on k.sku = i.sku
                    where s.state = 'published' and coalesce(t.state, 'open') = 'open' and s.opens_at <= ",
                )
                .push_bind(now)
                .push(" and s.closes_at > ")
                .push_bind(now)
                .push(") d straight_join shop_products p on p.product_no = d.product_no");
        }
        Driver::Seller | Driver::Categories | Driver::Price => {
            push_filter_index(statement, &page.driver);
        }
        Driver::Window(rows) => {
            statement.push("(select p.product_no from ");
            push_order_index(statement, page.sort);
            // All of it is in the index: no row is looked at here.
            statement.push(" where true");
            push_filters(statement, page.conditions);
            push_after(statement, page);
            push_order(statement, page.sort);
            statement.push_bind(*rows);
            statement.push(") d straight_join shop_products p on p.product_no = d.product_no");
        }
        Driver::Order => push_order_index(statement, page.sort),
    }
    statement.push(" where true");
}

fn push_order_index(statement: &mut QueryBuilder<MySql>, sort: Sort) {
    statement.push(match sort {
        Sort::Newest => "shop_products p force index (shop_products_newest)",
        Sort::Popular => "shop_products p force index (shop_products_popular)",
        Sort::PriceAsc | Sort::PriceDesc => "shop_products p force index (shop_products_price)",
    });
}

fn push_order(statement: &mut QueryBuilder<MySql>, sort: Sort) {
    statement
        .push(" order by ")
        .push(order(sort))
        .push(" limit ");
}

fn order(sort: Sort) -> &'static str {
    match sort {
        Sort::Newest => "p.published_at desc, p.product_no desc",
        Sort::Popular => "p.score desc, p.product_no desc",
        Sort::PriceAsc => "p.currency, p.amount, p.product_no",
        Sort::PriceDesc => "p.currency desc, p.amount desc, p.product_no desc",
    }
}

fn push_filter_index(statement: &mut QueryBuilder<MySql>, driver: &Driver) {
    statement.push(match driver {
        Driver::Seller => "shop_products p force index (shop_products_seller)",
        Driver::Categories => "shop_products p force index (shop_products_category)",
        _ => "shop_products p force index (shop_products_price)",
    });
}

/// What does not take the row's text.
fn push_filters(statement: &mut QueryBuilder<MySql>, conditions: &Conditions) {
    if let Some(seller) = &conditions.seller {
        statement
            .push(" and p.seller_id = ")
            .push_bind(seller.clone());
    }
    if !conditions.categories.is_empty() {
        statement.push(" and p.category_id in (");
        push_in(statement, &conditions.categories);
    }
    if let Some(currency) = &conditions.currency {
        statement
            .push(" and p.currency = ")
            .push_bind(currency.clone());
    }
    if let Some(min) = conditions.price_min {
        statement.push(" and p.amount >= ").push_bind(min);
    }
    if let Some(max) = conditions.price_max {
        statement.push(" and p.amount <= ").push_bind(max);
    }
}

fn push_conditions(statement: &mut QueryBuilder<MySql>, page: &Page<'_>) {
    let conditions = page.conditions;
    push_filters(statement, conditions);
    for needle in &conditions.needles {
        statement
            .push(" and locate(")
            .push_bind(needle.clone())
            .push(", p.search_text) > 0");
    }
}

fn push_after(statement: &mut QueryBuilder<MySql>, page: &Page<'_>) {
    let Some(after) = page.after else { return };
    match page.sort {
        Sort::Newest => {
            let at = clock::from_ms(after.key).naive_utc();
            statement.push(" and p.published_at <= ").push_bind(at);
            statement.push(" and (p.published_at < ").push_bind(at);
            statement
                .push(" or p.product_no < ")
                .push_bind(after.product_no);
        }
        Sort::Popular => {
            statement.push(" and p.score <= ").push_bind(after.key);
            statement.push(" and (p.score < ").push_bind(after.key);
            statement
                .push(" or p.product_no < ")
                .push_bind(after.product_no);
        }
        Sort::PriceAsc => {
            statement.push(" and p.amount >= ").push_bind(after.key);
            statement.push(" and (p.amount > ").push_bind(after.key);
            statement
                .push(" or p.product_no > ")
                .push_bind(after.product_no);
        }
        Sort::PriceDesc => {
            statement.push(" and p.amount <= ").push_bind(after.key);
            statement.push(" and (p.amount < ").push_bind(after.key);
            statement
                .push(" or p.product_no < ")
                .push_bind(after.product_no);
        }
    }
    statement.push(")");
}
