//! The items of a sale as staff write them, and what they must be. Pure. Called by `draft`.

use std::collections::HashSet;

use doorbuster_core::ids::SkuId;
use doorbuster_core::limits::SKUS_PER_SALE_MAX;
use serde::Deserialize;
use utoipa::ToSchema;

use super::draft::{Item, PriceDraft, validate_price};
use crate::catalog::offers::{Offer, Offers};
use crate::limits::UNITS_MAX;
use crate::validate::Problems;

/// One sku of a sale. Title and price may be left to the catalog, if a published product there has the sku: they are taken from it
/// now, and later edits of the product do not change them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ItemDraft {
    /// 1 to 64 characters of A-Z a-z 0-9 _ -
    #[schema(pattern = "^[A-Za-z0-9_-]{1,64}$")]
    pub sku: String,
    /// Absent: the product's Korean title, and the sku's options
    #[schema(min_length = 1, max_length = 200)]
    #[serde(default)]
    pub title: Option<String>,
    /// Absent: what it costs outside of sales
    #[serde(default)]
    pub price: Option<PriceDraft>,
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub stock: i64,
    /// Units that one buyer may hold and own at a time; absent or 0: no limit
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    #[serde(default)]
    pub limit_per_user: Option<i64>,
}

/// The skus of items that leave something out.
pub(crate) fn left_to_the_catalog(drafts: &[ItemDraft]) -> Vec<SkuId> {
    let bounded = drafts.iter().take(SKUS_PER_SALE_MAX);
    bounded
        .filter(|item| item.title.is_none() || item.price.is_none())
        .filter_map(|item| SkuId::parse(item.sku.as_str()).ok())
        .collect()
}

/// The items, as far as nothing is wrong with them. `offers` is what the catalog says of those that are left to it.
pub(crate) fn validate(
    problems: &mut Problems,
    drafts: &[ItemDraft],
    offers: &Offers,
) -> Vec<Item> {
    if !(1..=SKUS_PER_SALE_MAX).contains(&drafts.len()) {
        problems.add(
            "/items",
            format_args!("must have 1 to {SKUS_PER_SALE_MAX} items"),
        );
        return Vec::new();
    }
    let (mut skus, mut first_currency) = (HashSet::new(), None);
    let mut items = Vec::with_capacity(drafts.len());
    for (i, draft) in drafts.iter().enumerate() {
        let at = format!("/items/{i}");
        if !skus.insert(draft.sku.as_str()) {
            problems.add(format!("{at}/sku"), "must not be in the sale twice");
        }
        let offer = SkuId::parse(draft.sku.as_str())
            .ok()
            .and_then(|sku| offers.get(&sku));
        let currency = draft
            .price
            .as_ref()
            .map(|price| price.currency.clone())
            .or_else(|| offer.map(|offer| offer.price.currency.to_string()));
        if let Some(currency) = currency
            && *first_currency.get_or_insert_with(|| currency.clone()) != currency
        {
            problems.add(
                format!("{at}/price/currency"),
                "must be the same for all items of a sale",
            );
        }
        items.extend(validate_item(problems, &at, draft, offer));
    }
    items
}

fn validate_item(
    problems: &mut Problems,
    at: &str,
    draft: &ItemDraft,
    offer: Option<&Offer>,
) -> Option<Item> {
    let sku = problems.parsed(&format!("{at}/sku"), SkuId::parse(draft.sku.as_str()));
    if sku.is_some() && offer.is_none() && (draft.title.is_none() || draft.price.is_none()) {
        let detail = "must be a sku of a published product, or have a title and a price here";
        problems.add(format!("{at}/sku"), detail);
    }
    let title = match &draft.title {
        Some(title) => problems.title(&format!("{at}/title"), title),
        None => offer.map(|offer| offer.title.clone()),
    };
    let is_foreign =
        |price: &PriceDraft, offer: &Offer| price.currency != offer.price.currency.to_string();
    if let (Some(price), Some(offer)) = (&draft.price, offer)
        && is_foreign(price, offer)
    {
        problems.add(
            format!("{at}/price/currency"),
            "must be the catalog's, whose title it has",
        );
    }
    let price = match &draft.price {
        Some(price) => validate_price(problems, &format!("{at}/price"), price),
        None => offer.map(|offer| offer.price),
    };
    let stock = problems.number(&format!("{at}/stock"), draft.stock, 0..=UNITS_MAX);
    let limit = problems.number(
        &format!("{at}/limit_per_user"),
        draft.limit_per_user.unwrap_or(0),
        0..=UNITS_MAX,
    );
    Some(Item {
        sku: sku?,
        title: title?,
        price: price?,
        stock: stock?,
        limit_per_user: limit?,
    })
}

#[cfg(test)]
mod tests {
    use doorbuster_core::money::{Currency, Money};
    use serde_json::json;

    use super::*;
    use crate::error::ApiError;

    fn drafts(second: serde_json::Value) -> Vec<ItemDraft> {
        let whole = json!({"sku": "a", "title": "A", "price": {"amount": 1, "currency": "KRW"}, "stock": 5});
        serde_json::from_value(json!([whole, second])).unwrap()
    }

    fn offers(currency: &str) -> Offers {
        let price = Money {
            amount: 18_000,
            currency: Currency::parse(currency).unwrap(),
        };
        let title = "머그, 먹색".to_owned();
        Offers::from([(SkuId::parse("mug").unwrap(), Offer { title, price })])
    }

    fn pointers(second: serde_json::Value, offers: &Offers) -> Vec<String> {
        let mut problems = Problems::default();
        validate(&mut problems, &drafts(second), offers);
        match problems.none() {
            Err(ApiError::InvalidFields(found)) => found.into_iter().map(|p| p.pointer).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_an_item_leaves_out_is_what_the_catalog_has() {
        let bare = drafts(json!({"sku": "mug", "stock": 1}));
        let asked = left_to_the_catalog(&bare);
        assert_eq!(asked, [SkuId::parse("mug").unwrap()], "not for `a`");
        let told = |drafts: &[ItemDraft]| {
            let mut problems = Problems::default();
            let items = validate(&mut problems, drafts, &offers("KRW"));
            problems.none().unwrap();
            (items[1].title.clone(), items[1].price.amount)
        };
        assert_eq!(told(&bare), ("머그, 먹색".to_owned(), 18_000));

        let price = json!({"amount": 9_000, "currency": "KRW"});
        let cheaper = drafts(json!({"sku": "mug", "stock": 1, "price": price}));
        assert_eq!(told(&cheaper), ("머그, 먹색".to_owned(), 9_000));
        let renamed = drafts(json!({"sku": "mug", "stock": 1, "title": "Mug"}));
        assert_eq!(told(&renamed), ("Mug".to_owned(), 18_000));
    }

    #[test]
    fn what_the_catalog_does_not_have_cannot_be_left_out() {
        let bare = || json!({"sku": "mug", "stock": 1});
        assert_eq!(pointers(bare(), &Offers::new()), ["/items/1/sku"]);
        let of_sale = ["/items/1/price/currency"];
        assert_eq!(pointers(bare(), &offers("USD")), of_sale);
        let priced = json!({"sku": "mug", "stock": 1, "price": {"amount": 1, "currency": "KRW"}});
        assert_eq!(pointers(priced, &offers("USD")), of_sale);
    }
}
