//! A buyer's cart: skus that he means to buy. It reserves nothing; a sale's engine does.

pub(crate) mod store;

use axum::Json;
use axum::extract::State;
use doorbuster_core::ids::SkuId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::catalog::ids::IdPath;
use crate::catalog::text::{Amount, Text, checked};
use crate::error::{ApiError, Problem};
use crate::extract::{Caller, StrictJson};
use crate::limits::CART_QUANTITY_MAX;
use crate::validate::Problems;

/// How many of a sku the cart is to have.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"quantity": 2}))]
pub(crate) struct CartQuantity {
    #[schema(minimum = 1, maximum = 999)]
    pub quantity: i64,
}

/// The bearer's cart, what was put in first first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CartView {
    pub items: Vec<CartItem>,
    /// Of the available ones, for each currency
    pub totals: Vec<Amount>,
}

/// A sku in it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CartItem {
    #[schema(example = "moon-mug-s")]
    pub sku: String,
    #[schema(example = 2)]
    pub quantity: u32,
    #[schema(example = "moon-mug")]
    pub product: String,
    pub title: Text,
    /// Of one unit, now and outside of sales
    pub price: Amount,
    /// false: its product is not in the shop at the moment
    pub available: bool,
    #[schema(format = DateTime)]
    pub added_at: String,
}

/// The bearer's cart
#[utoipa::path(get, path = "/v1/me/cart", tag = "buyers", security(("token" = [])), responses((status = 200, body = CartView)))]
pub(crate) async fn read(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<CartView>, ApiError> {
    show(&app, &caller).await
}

/// Puts so many of a sku into the cart, instead of those that are there
#[utoipa::path(put, path = "/v1/me/cart/{id}", tag = "buyers", request_body = CartQuantity, security(("token" = [])),
    params(("id" = String, Path, description = "a sku")), responses(
    (status = 200, body = CartView),
    (status = 400, description = "invalid_request", body = Problem),
    (status = 404, description = "unknown_sku: there is none, or its product is not in the shop; unknown_user: the account is not active", body = Problem),
    (status = 409, description = "cart_full", body = Problem)))]
pub(crate) async fn put(
    State(app): State<App>,
    caller: Caller,
    IdPath(sku): IdPath<SkuId>,
    StrictJson(body): StrictJson<CartQuantity>,
) -> Result<Json<CartView>, ApiError> {
    let mut problems = Problems::default();
    let quantity = problems.number("/quantity", body.quantity, 1..=CART_QUANTITY_MAX);
    let quantity = checked(problems, quantity)?;
    store::put(&app.books, &caller.user, &sku, quantity).await?;
    show(&app, &caller).await
}

/// Takes a sku out of the cart; repeatable without effect
#[utoipa::path(delete, path = "/v1/me/cart/{id}", tag = "buyers", security(("token" = [])),
    params(("id" = String, Path, description = "a sku")), responses(
    (status = 200, body = CartView),
    (status = 404, description = "unknown_sku: it cannot be one", body = Problem)))]
pub(crate) async fn remove(
    State(app): State<App>,
    caller: Caller,
    IdPath(sku): IdPath<SkuId>,
) -> Result<Json<CartView>, ApiError> {
    store::remove(&app.books, &caller.user, &sku).await?;
    show(&app, &caller).await
}

/// Empties the cart; repeatable without effect
#[utoipa::path(delete, path = "/v1/me/cart", tag = "buyers", security(("token" = [])), responses((status = 200, body = CartView)))]
pub(crate) async fn clear(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<CartView>, ApiError> {
    store::clear(&app.books, &caller.user).await?;
    show(&app, &caller).await
}

async fn show(app: &App, caller: &Caller) -> Result<Json<CartView>, ApiError> {
    let items = store::items(&app.books, &caller.user).await?;
    let totals = totals(&items);
    Ok(Json(CartView { items, totals }))
}

/// No sum overflows: it is bounded by the limits of the cart and of prices.
fn totals(items: &[CartItem]) -> Vec<Amount> {
    let mut totals: Vec<Amount> = Vec::new();
    for item in items.iter().filter(|item| item.available) {
        let amount = item.price.amount * i64::from(item.quantity);
        match totals
            .iter_mut()
            .find(|total| total.currency == item.price.currency)
        {
            Some(total) => total.amount += amount,
            None => totals.push(Amount {
                amount,
                currency: item.price.currency.clone(),
            }),
        }
    }
    totals.sort_by(|a, b| a.currency.cmp(&b.currency));
    totals
}
