//! Fills an empty shop with a believable catalog, to look at and to measure with. What is there already stays as it is, so it may
//! run again. Called by `run`.

pub mod config;
mod goods;
mod store;

use std::fmt;

use anyhow::{Context as _, Result};
use doorbuster_core::ids::UserId;
use serde::Serialize;

use self::config::Seed;
use crate::app;
use crate::extract::{Caller, RequestId};
use crate::limits::SEED_PRODUCTS_AT_ONCE;

/// What was added.
#[derive(Debug, Serialize)]
pub struct Seeded {
    sellers: u64,
    categories: u64,
    products: u64,
    notices: u64,
}

impl fmt::Display for Seeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            sellers,
            categories,
            products,
            notices,
        } = self;
        write!(
            f,
            "added {sellers} sellers, {categories} categories, {products} products, {notices} notices"
        )
    }
}

/// # Errors
/// What MySQL says; what was added before stays.
pub async fn seed(request: &Seed) -> Result<Seeded> {
    let books = app::connect_books(request.database.options()?);
    let (sellers, categories, notices) = store::shop(&books)
        .await
        .context("the shop's tables are not there, or not reachable: run doorbuster-backoffice migrate first")?;
    let caller = Caller {
        user: UserId::parse("seed")?,
        request_id: RequestId::new(),
        is_admin: false,
    };
    let mut products = 0;
    let wanted = request.products as usize;
    for from in (0..wanted).step_by(SEED_PRODUCTS_AT_ONCE) {
        let to = wanted.min(from + SEED_PRODUCTS_AT_ONCE);
        products += store::products(&books, &caller, from..to).await?;
        tracing::info!("{to} of {wanted} products are there");
    }
    books.close().await;
    Ok(Seeded {
        sellers,
        categories,
        products,
        notices,
    })
}
