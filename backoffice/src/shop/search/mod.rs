//! Lists of products for shoppers: searched, filtered, sorted, page by page.

mod common;
pub(crate) mod cursor;
mod ids;
pub(crate) mod limits;
pub(crate) mod lists;
pub(crate) mod plan;
pub(crate) mod store;
pub(crate) mod text;

use axum::Json;
use axum::extract::State;
use doorbuster_core::clock;
use doorbuster_core::money::Currency;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::catalog::categories;
use crate::catalog::ids::{CategoryId, Named as _, SellerId};
use crate::catalog::page::{cut, rows};
use crate::catalog::text::{Amount, Text};
use crate::error::{ApiError, Problem};
use crate::extract::StrictQuery;
use crate::limits::AMOUNT_MAX;
use cursor::{Position, Sort};
use limits::{SEARCH_CHARS_MAX, SEARCH_WORDS_MAX};
use plan::{Conditions, Driver};
use store::{ListedRow, Page};

/// Which products are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SearchQuery {
    /// Words that are all in the titles or keywords: Korean anywhere inside a word, others by their beginning
    #[param(max_length = 100, example = "머그")]
    pub q: Option<String>,
    /// Only this category and those below it
    #[param(example = "kitchen")]
    pub category: Option<String>,
    /// Only of this seller
    pub seller: Option<String>,
    /// Only with prices in this currency; needed with price_min, price_max and sorts by price
    #[param(pattern = "^[A-Z]{3}$", example = "KRW")]
    pub currency: Option<String>,
    /// Minor units that the cheapest sku costs at least
    #[param(minimum = 0, maximum = 9_000_000_000_i64)]
    pub price_min: Option<i64>,
    /// Minor units that it costs at most
    #[param(minimum = 0, maximum = 9_000_000_000_i64)]
    pub price_max: Option<i64>,
    /// true: only what a sale sells at this moment
    pub in_sale: Option<bool>,
    /// newest (where absent), popular, price_asc or price_desc
    #[param(inline)]
    pub sort: Option<Sort>,
    /// Rows of the page
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before, with the same sort; absent for the first
    pub cursor: Option<String>,
}

/// A page of published products.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListedPage {
    pub products: Vec<ListedView>,
    /// For the next page; null where this is the last
    pub next_cursor: Option<String>,
}

/// A product in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListedView {
    #[schema(example = "moon-mug")]
    pub id: String,
    #[schema(example = "maru")]
    pub seller: String,
    #[schema(example = "mugs")]
    pub category: String,
    pub title: Text,
    /// Its address
    pub image: Option<String>,
    /// Of the cheapest sku
    pub price: Amount,
    #[schema(format = DateTime)]
    pub published_at: String,
}

/// Published products
#[utoipa::path(get, path = "/v1/products", tag = "shop", params(SearchQuery), responses(
    (status = 200, body = ListedPage),
    (status = 400, description = "invalid_request", body = Problem),
    (status = 404, description = "unknown_category", body = Problem)))]
pub(crate) async fn list(
    State(app): State<App>,
    StrictQuery(query): StrictQuery<SearchQuery>,
) -> Result<Json<ListedPage>, ApiError> {
    search(&app, query).await.map(Json)
}

/// # Errors
/// [`ApiError::InvalidRequest`] where something is asked that cannot be; [`ApiError`] of MySQL.
pub(crate) async fn search(app: &App, query: SearchQuery) -> Result<ListedPage, ApiError> {
    let (sort, limit) = (query.sort.unwrap_or_default(), rows(query.limit)?);
    let after = query
        .cursor
        .as_deref()
        .map(|cursor| Position::parse(cursor, sort))
        .transpose()?;
    let asks_for_words = query.q.as_ref().is_some_and(|q| !q.trim().is_empty());
    let conditions = conditions(app, query, sort).await?;
    if asks_for_words && conditions.needles.is_empty() {
        // Nothing has a title of punctuation alone.
        return Ok(ListedPage {
            products: Vec::new(),
            next_cursor: None,
        });
    }
    let mut found = page(app, &conditions, (sort, after), limit + 1).await?;
    let next_cursor = cut(&mut found, limit, |row| row.position(sort).to_string());
    let products = found.into_iter().map(ListedView::from).collect();
    Ok(ListedPage {
        products,
        next_cursor,
    })
}

/// The first rows after a position.
async fn page(
    app: &App,
    conditions: &Conditions,
    (sort, after): (Sort, Option<Position>),
    rows: u32,
) -> sqlx::Result<Vec<ListedRow>> {
    let probes = conditions.probes();
    let lists = app.lists.read(&app.books, conditions);
    let counts = lists.counts(&probes).await?;
    let driver = plan::first(conditions, &probes, &counts, rows);
    let mut page = Page {
        conditions,
        driver: driver.clone().unwrap_or(Driver::Order),
        sort,
        after,
        rows,
    };
    match driver {
        Some(_) => store::page(&app.books, &page).await,
        None => common::page(&app.books, &lists, &mut page).await,
    }
}

async fn conditions(app: &App, query: SearchQuery, sort: Sort) -> Result<Conditions, ApiError> {
    let refuse = |what: &str| ApiError::InvalidRequest(what.to_owned());
    let q = query.q.unwrap_or_default();
    if q.chars().count() > SEARCH_CHARS_MAX {
        return Err(refuse(&format!(
            "q must be at most {SEARCH_CHARS_MAX} characters"
        )));
    }
    let needles = text::needles(&q);
    if needles.len() > SEARCH_WORDS_MAX {
        return Err(refuse(&format!(
            "q must be at most {SEARCH_WORDS_MAX} words"
        )));
    }
    let prices = [query.price_min, query.price_max];
    if prices
        .into_iter()
        .flatten()
        .any(|price| !(0..=AMOUNT_MAX).contains(&price))
    {
        return Err(refuse(&format!(
            "price_min and price_max must be 0 to {AMOUNT_MAX}, in minor units"
        )));
    }
    if let Some(currency) = &query.currency {
        Currency::parse(currency).map_err(|e| refuse(&e.to_string()))?;
    } else if sort.is_by_price() || prices.iter().any(Option::is_some) {
        return Err(refuse(
            "currency is needed too: amounts of different currencies do not compare",
        ));
    }
    if let Some(seller) = &query.seller {
        SellerId::parse(seller.clone()).map_err(|e| refuse(&e.to_string()))?;
    }
    let categories = match query.category {
        Some(category) => subtree(app, category).await?,
        None => Vec::new(),
    };
    Ok(Conditions {
        needles,
        categories,
        seller: query.seller,
        currency: query.currency,
        price_min: query.price_min,
        price_max: query.price_max,
        in_sale: query.in_sale.unwrap_or(false),
    })
}

/// The category and all below it; at least itself.
async fn subtree(app: &App, category: String) -> Result<Vec<String>, ApiError> {
    let id = CategoryId::parse(category).map_err(|_| CategoryId::unknown())?;
    let tree = categories::store::tree(&app.books).await?;
    let found = tree.subtree(id.as_str());
    if found.is_empty() {
        return Err(CategoryId::unknown());
    }
    Ok(found.into_iter().map(str::to_owned).collect())
}

impl From<ListedRow> for ListedView {
    fn from(row: ListedRow) -> Self {
        Self {
            id: row.product_id,
            seller: row.seller_id,
            category: row.category_id,
            title: Text {
                ko: row.title_ko,
                en: row.title_en,
            },
            image: Some(row.image_url).filter(|url| !url.is_empty()),
            price: Amount {
                amount: row.amount,
                currency: row.currency,
            },
            published_at: clock::rfc3339(clock::to_ms(row.published_at)),
        }
    }
}
