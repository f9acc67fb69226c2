//! Changes of products: each is one transaction over the product, what lists have of it, and the audit log.

use doorbuster_core::clock;
use serde_json::{Value, json};
use sqlx::mysql::MySqlConnection;

use super::State;
use super::draft::Product;
use super::store::{self, StoredProduct};
use crate::app::App;
use crate::audit_log::{self, Change};
use crate::catalog::error::Refusal;
use crate::catalog::ids::ProductId;
use crate::catalog::listing;
use crate::error::ApiError;
use crate::extract::Caller;
use crate::shop::cache::Name;

pub(crate) async fn create(
    app: &App,
    caller: &Caller,
    id: &ProductId,
    product: &Product,
) -> Result<(), ApiError> {
    let mut tx = app.books.begin().await?;
    store::insert(&mut tx, id, product).await?;
    let after = Some(told(State::Draft, product));
    note(&mut tx, caller, id, ("product.create", None, after)).await?;
    Ok(tx.commit().await?)
}

/// # Errors
/// [`Refusal::UnknownProduct`], [`Refusal::VersionConflict`], [`Refusal::Incomplete`], and those of [`store::update`].
pub(crate) async fn update(
    app: &App,
    caller: &Caller,
    id: &ProductId,
    version: u32,
    product: &Product,
) -> Result<(), ApiError> {
    let mut tx = app.books.begin().await?;
    let before = store::lock(&mut tx, id, Some(version)).await?;
    if before.state == State::Published {
        must_be_complete(product)?;
    }
    store::update(&mut tx, &before, product).await?;
    relist(&mut tx, &before, before.state, product).await?;
    let told = (
        "product.update",
        Some(told(before.state, &before.product)),
        Some(told(before.state, product)),
    );
    note(&mut tx, caller, id, told).await?;
    tx.commit().await?;
    show(app, id, &before).await;
    Ok(())
}

/// # Errors
/// [`Refusal::UnknownProduct`]; [`Refusal::Incomplete`] where it cannot be published yet.
pub(crate) async fn set_state(
    app: &App,
    caller: &Caller,
    id: &ProductId,
    state: State,
) -> Result<(), ApiError> {
    let mut tx = app.books.begin().await?;
    let mut before = store::lock(&mut tx, id, None).await?;
    if before.state == state {
        return Ok(());
    }
    if state == State::Published {
        must_be_complete(&before.product)?;
        before.published_at = before.published_at.or_else(|| Some(clock::now()));
    }
    store::set_state(&mut tx, before.no, state, before.published_at).await?;
    relist(&mut tx, &before, state, &before.product).await?;
    let action = match state {
        State::Published => "product.publish",
        State::Archived => "product.archive",
        State::Draft => "product.draft",
    };
    let states = (
        Some(json!({"state": before.state})),
        Some(json!({"state": state})),
    );
    note(&mut tx, caller, id, (action, states.0, states.1)).await?;
    tx.commit().await?;
    show(app, id, &before).await;
    Ok(())
}

/// Shoppers see it from here on: each change raises the version of the page by one.
async fn show(app: &App, id: &ProductId, before: &StoredProduct) {
    app.shop
        .written(app, &Name::Product(id.clone()), before.page_version + 1)
        .await;
}

fn must_be_complete(product: &Product) -> Result<(), ApiError> {
    match product.missing().none() {
        Err(ApiError::InvalidFields(missing)) => Err(Refusal::Incomplete(missing).into()),
        other => other,
    }
}

async fn relist(
    tx: &mut MySqlConnection,
    stored: &StoredProduct,
    state: State,
    product: &Product,
) -> sqlx::Result<()> {
    match stored.published_at.filter(|_| state == State::Published) {
        Some(published_at) => {
            listing::store::list(tx, stored.no, &stored.id, published_at, product).await
        }
        None => listing::store::withdraw(tx, stored.no).await,
    }
}

/// What the audit log keeps: what a customer could complain about.
fn told(state: State, product: &Product) -> Value {
    let prices: Vec<Value> = product
        .skus
        .iter()
        .map(|sku| json!({"sku": sku.sku.as_str(), "price": sku.price}))
        .collect();
    json!({
        "state": state, "seller": product.seller.as_str(), "category": product.category.as_str(), "title": product.title,
        "description_chars": product.description.ko.chars().count() + product.description.en.chars().count(),
        "skus": prices, "images": product.images.len()
    })
}

async fn note(
    tx: &mut MySqlConnection,
    caller: &Caller,
    id: &ProductId,
    (action, before, after): (&'static str, Option<Value>, Option<Value>),
) -> sqlx::Result<()> {
    let subject = format!("product:{id}");
    let change = Change {
        action,
        subject,
        before,
        after,
    };
    audit_log::in_transaction(tx, caller, change).await
}
