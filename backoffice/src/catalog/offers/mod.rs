//! What the catalog knows of a sku that a sale is to sell: how it is called, and what it costs outside of sales. Called by `sales`.

pub(crate) mod store;

use std::collections::HashMap;

use doorbuster_core::ids::SkuId;
use doorbuster_core::money::Money;

use super::products::draft::Choice;
use super::text::Text;
use crate::limits::TITLE_CHARS_MAX;

/// Skus of published products.
pub(crate) type Offers = HashMap<SkuId, Offer>;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offer {
    /// The product's title and what distinguishes the sku, in Korean.
    pub(crate) title: String,
    pub(crate) price: Money,
}

/// The product's title and the chosen value of each option, as a buyer reads it in a sale: as much as a sale's title has room for.
fn title(product: &str, options: &[Choice], choices: &[usize]) -> String {
    let values = choices
        .iter()
        .zip(options)
        .filter_map(|(choice, option)| option.values.get(*choice))
        .map(in_korean);
    let whole: Vec<&str> = std::iter::once(product).chain(values).collect();
    whole.join(", ").chars().take(TITLE_CHARS_MAX).collect()
}

/// Values of options may be in one language only.
fn in_korean(text: &Text) -> &str {
    if text.ko.is_empty() {
        &text.en
    } else {
        &text.ko
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sku_is_called_after_its_product_and_its_options() {
        let text = |ko: &str, en: &str| Text {
            ko: ko.to_owned(),
            en: en.to_owned(),
        };
        let options = [
            Choice {
                name: text("색", "Colour"),
                values: vec![text("먹색", "Ink")],
            },
            Choice {
                name: text("크기", "Size"),
                values: vec![text("", "S"), text("", "L")],
            },
        ];
        assert_eq!(title("티셔츠", &options, &[0, 1]), "티셔츠, 먹색, L");
        assert_eq!(title("머그", &[], &[]), "머그");
        let long = "가".repeat(TITLE_CHARS_MAX);
        assert_eq!(title(&long, &options, &[0, 0]), long);
    }
}
