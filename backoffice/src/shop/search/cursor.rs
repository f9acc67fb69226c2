//! In which order a search is told, and where a page of it ends. Pure.

use std::fmt;

use serde::Deserialize;
use utoipa::ToSchema;

use crate::catalog::page::foreign_cursor;
use crate::error::ApiError;

/// The order of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sort {
    #[default]
    Newest,
    Popular,
    PriceAsc,
    PriceDesc,
}

impl Sort {
    fn letter(self) -> char {
        match self {
            Self::Newest => 'n',
            Self::Popular => 'p',
            Self::PriceAsc => 'a',
            Self::PriceDesc => 'd',
        }
    }

    pub(crate) fn is_by_price(self) -> bool {
        matches!(self, Self::PriceAsc | Self::PriceDesc)
    }
}

/// After this product the next page begins: one that comes later does not move it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) sort: Sort,
    /// What it is sorted by: milliseconds since 1970, a score, or an amount.
    pub(crate) key: u64,
    pub(crate) product_no: u32,
}

impl Position {
    /// # Errors
    /// [`ApiError::InvalidRequest`] where it is no cursor of ours, or of another order.
    pub(crate) fn parse(text: &str, sort: Sort) -> Result<Self, ApiError> {
        let mut parts = text.splitn(3, '.').skip(1);
        let parsed = (|| {
            Some(Self {
                sort,
                key: parts.next()?.parse().ok()?,
                product_no: parts.next()?.parse().ok()?,
            })
        })();
        // Written back, it must be the same text; and the books count in signed numbers.
        let ours = parsed
            .filter(|position| position.to_string() == text && i64::try_from(position.key).is_ok());
        ours.ok_or_else(foreign_cursor)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.sort.letter(), self.key, self.product_no)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_in_its_own_order_only() {
        let position = Position {
            sort: Sort::PriceAsc,
            key: 19_900,
            product_no: 7,
        };
        let text = position.to_string();
        assert_eq!(Position::parse(&text, Sort::PriceAsc).unwrap(), position);
        assert!(Position::parse(&text, Sort::PriceDesc).is_err());
        for bad in [
            "",
            "a",
            "a.1",
            "a.1.",
            "a.01.7",
            "a.-1.7",
            "a.1.7.",
            "a.18446744073709551615.7",
        ] {
            assert!(Position::parse(bad, Sort::PriceAsc).is_err(), "{bad}");
        }
    }
}
