//! A product's page, as shoppers get it. Pure.

use std::collections::BTreeMap;

use doorbuster_core::clock;
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::store::PageRow;
use crate::catalog::products::draft::Choice;
use crate::catalog::products::images::Image;
use crate::catalog::products::view::SkuView;
use crate::catalog::text::{Amount, Text};
use crate::error::ApiError;

/// A published product.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PageView {
    #[schema(example = "moon-mug")]
    pub id: String,
    pub seller: SellerName,
    /// /v1/categories has what is above it
    #[schema(example = "mugs")]
    pub category: String,
    pub title: Text,
    pub description: Text,
    pub options: Vec<Choice>,
    pub skus: Vec<SkuView>,
    pub images: Vec<Image>,
    /// Published sales of its skus that are not over: the first to open first
    pub sales: Vec<ProductSale>,
    #[schema(example = 3)]
    pub version: u32,
    #[schema(format = DateTime)]
    pub published_at: Option<String>,
    /// When the first of the sales ends, after which the page is another.
    #[serde(skip)]
    pub ends_ms: Option<u64>,
}

/// Who sells it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SellerName {
    #[schema(example = "maru")]
    pub id: String,
    pub name: Text,
}

/// A sale of some of its skus; the engine says what is left.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProductSale {
    #[schema(example = "drop-1")]
    pub id: String,
    #[schema(example = "한정판 머그")]
    pub title: String,
    #[schema(format = DateTime)]
    pub opens_at: String,
    #[schema(format = DateTime)]
    pub closes_at: String,
    pub items: Vec<ProductSaleItem>,
}

/// One sku of it, at the price of the sale.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProductSaleItem {
    #[schema(example = "moon-mug-s")]
    pub sku: String,
    pub price: Amount,
    /// 0: no limit
    #[schema(example = 1)]
    pub limit_per_user: u32,
}

type SkuTuple = (u32, String, String, i64, String);
type SaleTuple = (String, String, i64, i64, String, i64, String, u32);

impl PageView {
    /// # Errors
    /// [`ApiError::Internal`] where the books hold what this program does not write.
    pub(crate) fn of(row: PageRow) -> Result<Self, ApiError> {
        let mut skus: Vec<SkuTuple> = listed(row.skus)?;
        skus.sort_unstable();
        let skus: Result<Vec<SkuView>, ApiError> = skus.into_iter().map(sku).collect();
        let listed_sales: Vec<SaleTuple> = listed(row.sales)?;
        let closes = listed_sales.iter().map(|(_, _, _, closes, ..)| *closes);
        let ends_ms = closes
            .min()
            .and_then(|closes| u64::try_from(closes / 1_000).ok());
        Ok(Self {
            id: row.product_id,
            seller: SellerName {
                id: row.seller_id,
                name: Text {
                    ko: row.name_ko,
                    en: row.name_en,
                },
            },
            category: row.category_id,
            title: Text {
                ko: row.title_ko,
                en: row.title_en,
            },
            description: Text {
                ko: row.description_ko,
                en: row.description_en,
            },
            options: parsed(&row.options)?,
            skus: skus?,
            images: parsed(&row.images)?,
            sales: sales(listed_sales),
            version: row.version,
            published_at: row.published_at.map(|at| clock::rfc3339(clock::to_ms(at))),
            ends_ms,
        })
    }
}

fn parsed<T: DeserializeOwned>(text: &str) -> Result<T, ApiError> {
    serde_json::from_str(text).map_err(|e| ApiError::Internal(e.into()))
}

/// Nothing at all is `null`.
fn listed<T: DeserializeOwned>(text: Option<String>) -> Result<Vec<T>, ApiError> {
    text.map_or_else(|| Ok(Vec::new()), |text| parsed(&text))
}

fn sku((_, sku, choices, amount, currency): SkuTuple) -> Result<SkuView, ApiError> {
    Ok(SkuView {
        sku,
        choices: parsed(&choices)?,
        price: Amount { amount, currency },
    })
}

fn sales(rows: Vec<SaleTuple>) -> Vec<ProductSale> {
    let written =
        |microseconds: i64| clock::rfc3339(u64::try_from(microseconds / 1_000).unwrap_or(0));
    let mut by_opening: BTreeMap<(i64, String), ProductSale> = BTreeMap::new();
    for (id, title, opens, closes, sku, amount, currency, limit_per_user) in rows {
        let sale = by_opening
            .entry((opens, id.clone()))
            .or_insert_with(|| ProductSale {
                id,
                title,
                opens_at: written(opens),
                closes_at: written(closes),
                items: Vec::new(),
            });
        let price = Amount { amount, currency };
        sale.items.push(ProductSaleItem {
            sku,
            price,
            limit_per_user,
        });
    }
    let mut sales: Vec<ProductSale> = by_opening.into_values().collect();
    for sale in &mut sales {
        sale.items.sort_by(|a, b| a.sku.cmp(&b.sku));
    }
    sales
}
