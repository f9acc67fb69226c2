//! A product as staff write it, and what it must be to be kept. Pure. Called by the handlers of `products`.

use std::collections::HashSet;

use doorbuster_core::ids::SkuId;
use doorbuster_core::limits::SKUS_PER_SALE_MAX;
use doorbuster_core::money::Money;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::images::{Image, images};
use crate::catalog::ids::{CategoryId, Named as _, SellerId};
use crate::catalog::text::Text;
use crate::limits::{
    KEYWORD_CHARS_MAX, KEYWORDS_MAX, OPTION_VALUES_MAX, OPTIONS_MAX, PROSE_CHARS_MAX,
};
use crate::sales::draft::{PriceDraft, validate_price};
use crate::validate::Problems;

/// A product to be written down as a draft, or as it is to be from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "id": "moon-mug", "seller": "maru", "category": "mugs",
    "title": {"ko": "달 항아리 머그컵", "en": "Moon jar mug"},
    "description": {"ko": "손으로 빚은 백자 머그.", "en": "A mug of white porcelain, made by hand."},
    "keywords": ["도자기", "ceramic"],
    "options": [{"name": {"ko": "크기", "en": "Size"}, "values": [{"ko": "작은 것", "en": "Small"}, {"ko": "큰 것", "en": "Large"}]}],
    "skus": [
        {"sku": "moon-mug-s", "choices": [0], "price": {"amount": 28000, "currency": "KRW"}},
        {"sku": "moon-mug-l", "choices": [1], "price": {"amount": 34000, "currency": "KRW"}}]
}))]
pub(crate) struct ProductDraft {
    /// 1 to 64 characters of A-Z a-z 0-9 _ -; needed in a POST
    #[schema(pattern = "^[A-Za-z0-9_-]{1,64}$")]
    pub id: Option<String>,
    /// Needed in a PUT: the one that was read
    pub version: Option<u32>,
    pub seller: String,
    pub category: String,
    pub title: Text,
    #[serde(default)]
    pub description: Text,
    /// Further words to be found by
    #[schema(max_items = 20)]
    #[serde(default)]
    pub keywords: Vec<String>,
    /// What a buyer chooses between: size, colour
    #[schema(max_items = 3)]
    #[serde(default)]
    pub options: Vec<Choice>,
    /// What can be sold: one for each combination of the options' values that there is
    #[schema(max_items = 256)]
    #[serde(default)]
    pub skus: Vec<SkuDraft>,
    /// The first is the one in lists
    #[schema(max_items = 20)]
    #[serde(default)]
    pub images: Vec<Image>,
}

/// Something that a buyer chooses, and between what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Choice {
    pub name: Text,
    #[schema(min_items = 1, max_items = 50)]
    pub values: Vec<Text>,
}

/// A sellable option of it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SkuDraft {
    /// 1 to 64 characters of A-Z a-z 0-9 _ -; unique in the whole catalog
    #[schema(pattern = "^[A-Za-z0-9_-]{1,64}$")]
    pub sku: String,
    /// Which value of each option, counted from 0
    #[serde(default)]
    pub choices: Vec<usize>,
    /// Outside of sales, which have prices of their own; one currency for the whole product
    pub price: PriceDraft,
}

/// A product that may be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Product {
    pub(crate) seller: SellerId,
    pub(crate) category: CategoryId,
    pub(crate) title: Text,
    pub(crate) description: Text,
    pub(crate) keywords: Vec<String>,
    pub(crate) options: Vec<Choice>,
    pub(crate) skus: Vec<Sku>,
    pub(crate) images: Vec<Image>,
}

/// One sku of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sku {
    pub(crate) sku: SkuId,
    pub(crate) choices: Vec<usize>,
    pub(crate) price: Money,
}

impl ProductDraft {
    /// The product, or `None` and what is wrong with it.
    pub(crate) fn validate(self, problems: &mut Problems) -> Option<Product> {
        let seller = problems.parsed("/seller", SellerId::parse(self.seller));
        let category = problems.parsed("/category", CategoryId::parse(self.category));
        let title = self.title.draft_title(problems, "/title");
        let description = self
            .description
            .prose(problems, "/description", PROSE_CHARS_MAX);
        let keywords = keywords(problems, self.keywords);
        let options = options(problems, self.options);
        let images = images(problems, self.images);
        let skus = skus(problems, &self.skus, options.as_deref());
        Some(Product {
            seller: seller?,
            category: category?,
            title: title?,
            description: description?,
            keywords: keywords?,
            options: options?,
            skus: skus?,
            images: images?,
        })
    }
}

impl Product {
    /// What is missing before shoppers may see it.
    pub(crate) fn missing(&self) -> Problems {
        let mut problems = Problems::default();
        for (language, title) in [("ko", &self.title.ko), ("en", &self.title.en)] {
            if title.is_empty() {
                problems.add(format!("/title/{language}"), "must be there");
            }
        }
        if self.skus.is_empty() {
            problems.add("/skus", "must have one at least");
        }
        problems
    }
}

pub(super) fn at_most<T>(
    problems: &mut Problems,
    at: &str,
    items: Vec<T>,
    max: usize,
) -> Option<Vec<T>> {
    if items.len() > max {
        problems.add(at, format_args!("must have at most {max} items"));
        return None;
    }
    Some(items)
}

fn keywords(problems: &mut Problems, words: Vec<String>) -> Option<Vec<String>> {
    let words = at_most(problems, "/keywords", words, KEYWORDS_MAX)?;
    let mut fits = true;
    for (i, word) in words.iter().enumerate() {
        let readable = !word.trim().is_empty() && !word.chars().any(char::is_control);
        if !readable || word.chars().count() > KEYWORD_CHARS_MAX {
            let detail = format_args!(
                "must be 1 to {KEYWORD_CHARS_MAX} characters, not all spaces, without control characters"
            );
            problems.add(format!("/keywords/{i}"), detail);
            fits = false;
        }
    }
    fits.then_some(words)
}

fn options(problems: &mut Problems, options: Vec<Choice>) -> Option<Vec<Choice>> {
    let options = at_most(problems, "/options", options, OPTIONS_MAX)?;
    let mut checked = Vec::with_capacity(options.len());
    for (i, option) in options.into_iter().enumerate() {
        let at = format!("/options/{i}");
        if !(1..=OPTION_VALUES_MAX).contains(&option.values.len()) {
            problems.add(
                format!("{at}/values"),
                format_args!("must have 1 to {OPTION_VALUES_MAX} items"),
            );
            continue;
        }
        let name = option.name.draft_title(problems, &format!("{at}/name"));
        let count = option.values.len();
        let values: Vec<Text> = (0..)
            .zip(option.values)
            .filter_map(|(j, value): (usize, Text)| {
                value.draft_title(problems, &format!("{at}/values/{j}"))
            })
            .collect();
        let whole = name.filter(|_| values.len() == count);
        checked.extend(whole.map(|name| Choice { name, values }));
    }
    // One that is missing has left a problem behind.
    Some(checked)
}

fn skus(
    problems: &mut Problems,
    drafts: &[SkuDraft],
    options: Option<&[Choice]>,
) -> Option<Vec<Sku>> {
    if drafts.len() > SKUS_PER_SALE_MAX {
        problems.add(
            "/skus",
            format_args!("must have at most {SKUS_PER_SALE_MAX} items"),
        );
        return None;
    }
    let (mut names, mut combinations) = (HashSet::new(), HashSet::new());
    let mut checked = Vec::with_capacity(drafts.len());
    for (i, draft) in drafts.iter().enumerate() {
        let at = format!("/skus/{i}");
        if !names.insert(&draft.sku) {
            problems.add(format!("{at}/sku"), "must not be in the product twice");
        }
        if !combinations.insert(&draft.choices) {
            problems.add(
                format!("{at}/choices"),
                "must differ from those of the other skus",
            );
        }
        if options.is_some_and(|options| !is_choice(&draft.choices, options)) {
            problems.add(
                format!("{at}/choices"),
                "must name a value of each option, counted from 0",
            );
        }
        if draft.price.currency != drafts[0].price.currency {
            problems.add(
                format!("{at}/price/currency"),
                "must be the same for all skus of a product",
            );
        }
        let sku = problems.parsed(&format!("{at}/sku"), SkuId::parse(draft.sku.as_str()));
        let price = validate_price(problems, &format!("{at}/price"), &draft.price);
        let choices = draft.choices.clone();
        checked.extend(sku.zip(price).map(|(sku, price)| Sku {
            sku,
            choices,
            price,
        }));
    }
    Some(checked)
}

fn is_choice(choices: &[usize], options: &[Choice]) -> bool {
    choices.len() == options.len()
        && choices
            .iter()
            .zip(options)
            .all(|(choice, option)| *choice < option.values.len())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Pointers of what is wrong with the good draft, once changed.
    fn problems(change: impl FnOnce(&mut Value)) -> Vec<String> {
        let mut draft = json!({
            "id": "mug", "seller": "maru", "category": "mugs", "title": {"ko": "머그", "en": ""},
            "options": [{"name": {"ko": "크기"}, "values": [{"en": "S"}, {"en": "L"}]}],
            "skus": [
                {"sku": "mug-s", "choices": [0], "price": {"amount": 1, "currency": "KRW"}},
                {"sku": "mug-l", "choices": [1], "price": {"amount": 2, "currency": "KRW"}}],
            "images": [{"url": "https://a.example/x.png"}]
        });
        change(&mut draft);
        let draft: ProductDraft = serde_json::from_value(draft).unwrap();
        let mut problems = Problems::default();
        let product = draft.validate(&mut problems);
        match problems.none() {
            Ok(()) => {
                assert!(product.is_some());
                Vec::new()
            }
            Err(crate::error::ApiError::InvalidFields(found)) => {
                found.into_iter().map(|problem| problem.pointer).collect()
            }
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn a_draft_may_lack_a_language() {
        assert!(problems(|_| {}).is_empty());
        assert!(problems(|draft| draft["skus"] = json!([])).is_empty());
    }

    #[test]
    fn every_field_is_checked_and_named() {
        type Case = (&'static str, fn(&mut Value));
        let cases: [Case; 13] = [
            ("/title", |d| d["title"] = json!({})),
            ("/title/ko", |d| d["title"]["ko"] = json!("\u{7}")),
            ("/seller", |d| d["seller"] = json!("a b")),
            ("/description/en", |d| {
                d["description"] = json!({"en": "x".repeat(PROSE_CHARS_MAX + 1)})
            }),
            ("/keywords/0", |d| d["keywords"] = json!([" "])),
            ("/options/0/values", |d| {
                d["options"][0]["values"] = json!([])
            }),
            ("/options/0/name", |d| d["options"][0]["name"] = json!({})),
            ("/skus/1/sku", |d| d["skus"][1]["sku"] = json!("mug-s")),
            ("/skus/1/choices", |d| d["skus"][1]["choices"] = json!([2])),
            ("/skus/1/choices", |d| d["skus"][1]["choices"] = json!([0])),
            ("/skus/1/price/currency", |d| {
                d["skus"][1]["price"]["currency"] = json!("USD")
            }),
            ("/skus/0/price/amount", |d| {
                d["skus"][0]["price"]["amount"] = json!(-1)
            }),
            ("/images/0/url", |d| {
                d["images"][0]["url"] = json!("javascript:alert(1)")
            }),
        ];
        for (pointer, change) in cases {
            assert!(
                problems(change).iter().any(|found| found == pointer),
                "{pointer}: {:?}",
                problems(change)
            );
        }
    }

    #[test]
    fn what_shoppers_see_has_both_languages_and_a_sku() {
        let draft: ProductDraft = serde_json::from_value(
            json!({"seller": "maru", "category": "mugs", "title": {"ko": "머그"}}),
        )
        .unwrap();
        let product = draft.validate(&mut Problems::default()).unwrap();
        let Err(crate::error::ApiError::InvalidFields(missing)) = product.missing().none() else {
            panic!("something is missing")
        };
        let pointers: Vec<_> = missing
            .iter()
            .map(|problem| problem.pointer.as_str())
            .collect();
        assert_eq!(pointers, ["/title/en", "/skus"]);
    }
}
