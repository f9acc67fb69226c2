//! A product as staff see it.

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use serde::Serialize;
use utoipa::ToSchema;

use super::State;
use super::draft::Choice;
use super::images::Image;
use super::store::{ProductRow, StoredProduct};
use crate::catalog::text::{Amount, Text};

/// A product.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProductView {
    #[schema(example = "moon-mug")]
    pub id: String,
    #[schema(example = "maru")]
    pub seller: String,
    #[schema(example = "mugs")]
    pub category: String,
    pub state: State,
    pub title: Text,
    pub description: Text,
    pub keywords: Vec<String>,
    pub options: Vec<Choice>,
    pub skus: Vec<SkuView>,
    pub images: Vec<Image>,
    /// For the next edit
    #[schema(example = 1)]
    pub version: u32,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// Of the first publication
    #[schema(format = DateTime)]
    pub published_at: Option<String>,
}

/// A sellable option of a product.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct SkuView {
    #[schema(example = "moon-mug-s")]
    pub sku: String,
    /// Which value of each option, counted from 0
    #[schema(example = json!([0]))]
    pub choices: Vec<usize>,
    pub price: Amount,
}

/// A product in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProductLine {
    #[schema(example = "moon-mug")]
    pub id: String,
    #[schema(example = "maru")]
    pub seller: String,
    #[schema(example = "mugs")]
    pub category: String,
    #[schema(example = "draft")]
    pub state: String,
    pub title: Text,
    #[schema(example = 1)]
    pub version: u32,
    #[schema(format = DateTime)]
    pub updated_at: String,
}

/// A page of products, in the order of their ids.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProductLines {
    pub products: Vec<ProductLine>,
    /// For the next page; null where this is the last
    pub next_cursor: Option<String>,
}

fn written(at: DateTime<Utc>) -> String {
    clock::rfc3339(clock::to_ms(at))
}

impl From<StoredProduct> for ProductView {
    fn from(stored: StoredProduct) -> Self {
        let product = stored.product;
        let skus = product.skus.into_iter().map(|sku| SkuView {
            sku: sku.sku.to_string(),
            choices: sku.choices,
            price: sku.price.into(),
        });
        Self {
            id: stored.id,
            seller: product.seller.to_string(),
            category: product.category.to_string(),
            state: stored.state,
            title: product.title,
            description: product.description,
            keywords: product.keywords,
            options: product.options,
            skus: skus.collect(),
            images: product.images,
            version: stored.version,
            created_at: written(stored.created_at),
            updated_at: written(stored.updated_at),
            published_at: stored.published_at.map(written),
        }
    }
}

impl From<ProductRow> for ProductLine {
    fn from(row: ProductRow) -> Self {
        Self {
            id: row.product_id,
            seller: row.seller_id,
            category: row.category_id,
            state: row.state,
            title: Text {
                ko: row.title_ko,
                en: row.title_en,
            },
            version: row.version,
            updated_at: written(row.updated_at),
        }
    }
}
