//! What lists and searches of the shop have of a published product: one narrow row and its grams. Written in the transaction of
//! every edit, so that a search never finds what is not there, nor misses what is.

pub(crate) mod store;

use doorbuster_core::money::Money;

use crate::catalog::products::draft::Product;
use crate::shop::search::text::search_text;

/// The row of one product.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) price: Money,
    pub(crate) image_url: String,
    pub(crate) search_text: String,
}

impl Listing {
    /// `None` where it has no sku, and so no price.
    pub(crate) fn of(product: &Product) -> Option<Self> {
        let price = product
            .skus
            .iter()
            .map(|sku| sku.price)
            .min_by_key(|price| price.amount)?;
        let titles = [product.title.ko.as_str(), product.title.en.as_str()];
        let keywords = product.keywords.iter().map(String::as_str);
        Some(Self {
            price,
            image_url: product
                .images
                .first()
                .map(|image| image.url.clone())
                .unwrap_or_default(),
            search_text: search_text(titles.into_iter().chain(keywords)),
        })
    }
}
