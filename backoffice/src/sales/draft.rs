//! A sale as staff write it, and what it must be to be kept. Pure. Called by the handlers that write drafts down and edit them.

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use doorbuster_core::ids::{SaleId, SkuId};
use doorbuster_core::line::LineDraft;
use doorbuster_core::money::{Currency, Money};
use serde::Deserialize;
use utoipa::ToSchema;

use super::items::{self, ItemDraft};
use super::line::LineBody;
use crate::catalog::offers::Offers;
use crate::catalog::text::{checked, new_id, seen_version};
use crate::error::ApiError;
use crate::limits::{AMOUNT_MAX, HOLD_SECONDS_MAX};
use crate::validate::Problems;
use crate::window::window;

/// `/admin/v1/sales/pause` pauses every sale, so no sale may have this name.
const RESERVED_ID: &str = "pause";

/// A sale to be written down, or as its draft is to be from now on; nothing is sold before it is opened.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "id": "drop-1", "title": "한정판 티셔츠", "opens_at": "2030-01-01T10:00:00Z", "closes_at": "2030-01-01T12:00:00Z",
    "hold_seconds": 300, "payment_seconds": 300, "waiting_room": true, "line": {"mode": "follow_stock", "draw": true},
    "items": [{"sku": "tee-m", "title": "Tee, M", "price": {"amount": 19900, "currency": "KRW"}, "stock": 100, "limit_per_user": 1}]
}))]
pub(crate) struct SaleDraft {
    /// 1 to 64 characters of A-Z a-z 0-9 _ -; needed in a POST
    #[schema(pattern = "^[A-Za-z0-9_-]{1,64}$")]
    pub id: Option<String>,
    /// Needed in a PUT: the one that was read
    pub version: Option<u32>,
    #[schema(min_length = 1, max_length = 200)]
    pub title: String,
    /// In the past: on sale as soon as it is opened
    pub opens_at: DateTime<Utc>,
    pub closes_at: DateTime<Utc>,
    /// How long a hold lasts
    #[schema(minimum = 1, maximum = 86400)]
    pub hold_seconds: i64,
    /// How much longer it lasts once the buyer pays
    #[schema(minimum = 1, maximum = 86400)]
    pub payment_seconds: i64,
    #[schema(min_items = 1, max_items = 256)]
    pub items: Vec<ItemDraft>,
    /// Whether buyers wait in a line, and only those whom it admits may reserve
    #[serde(default)]
    pub waiting_room: bool,
    /// How the line moves; for a sale with a waiting room only
    #[serde(default)]
    pub line: Option<LineBody>,
}

/// Minor units and an ISO 4217 code; one currency for the whole sale.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PriceDraft {
    #[schema(minimum = 0, maximum = 9_000_000_000_i64)]
    pub amount: i64,
    #[schema(pattern = "^[A-Z]{3}$")]
    pub currency: String,
}

/// A sale that may be kept.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sale {
    pub(crate) id: SaleId,
    pub(crate) title: String,
    pub(crate) opens_at: DateTime<Utc>,
    pub(crate) closes_at: DateTime<Utc>,
    pub(crate) hold_seconds: u32,
    pub(crate) payment_seconds: u32,
    /// There where the sale has a waiting room.
    pub(crate) line: Option<LineDraft>,
    pub(crate) items: Vec<Item>,
}

/// One sku of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) sku: SkuId,
    pub(crate) title: String,
    pub(crate) price: Money,
    pub(crate) stock: u32,
    /// 0: no limit.
    pub(crate) limit_per_user: u32,
}

impl SaleDraft {
    /// The skus of which the catalog is asked.
    pub(crate) fn left_to_the_catalog(&self) -> Vec<SkuId> {
        items::left_to_the_catalog(&self.items)
    }

    /// `offers` is what the catalog says of them.
    ///
    /// # Errors
    /// [`ApiError::InvalidFields`] with every problem there is.
    pub(crate) fn validate(mut self, offers: &Offers) -> Result<Sale, ApiError> {
        let mut problems = Problems::default();
        let id = new_id::<SaleId>(&mut problems, self.id.take(), self.version);
        if id.as_ref().is_some_and(|id| id.as_str() == RESERVED_ID) {
            problems.add("/id", "must not be the name of an operation on all sales");
        }
        let sale = self.sale(&mut problems, id, offers);
        checked(problems, sale)
    }

    /// The draft of this id as it is to be, and the version that was read.
    ///
    /// # Errors
    /// [`ApiError::InvalidFields`] with every problem there is.
    pub(crate) fn revise(self, id: &SaleId, offers: &Offers) -> Result<(u32, Sale), ApiError> {
        let mut problems = Problems::default();
        let version = seen_version(&mut problems, id.as_str(), self.id.as_deref(), self.version);
        let sale = self.sale(&mut problems, Some(id.clone()), offers);
        checked(problems, version.zip(sale))
    }

    fn sale(self, problems: &mut Problems, id: Option<SaleId>, offers: &Offers) -> Option<Sale> {
        let title = problems.title("/title", &self.title);
        let window = window(
            problems,
            ("/opens_at", self.opens_at),
            ("/closes_at", self.closes_at),
            clock::now(),
        );
        let hold_seconds =
            problems.number("/hold_seconds", self.hold_seconds, 1..=HOLD_SECONDS_MAX);
        let payment_seconds = problems.number(
            "/payment_seconds",
            self.payment_seconds,
            1..=HOLD_SECONDS_MAX,
        );
        let line = match (self.waiting_room, self.line) {
            (true, line) => line.unwrap_or_default().validate(problems),
            (false, Some(_)) => {
                problems.add("/line", "must be absent where waiting_room is false");
                None
            }
            (false, None) => None,
        };
        let items = items::validate(problems, &self.items, offers);
        let (opens_at, closes_at) = window?;
        Some(Sale {
            id: id?,
            title: title?,
            opens_at,
            closes_at,
            hold_seconds: hold_seconds?,
            payment_seconds: payment_seconds?,
            line,
            items,
        })
    }
}

/// Also a coupon's fixed discount is money.
pub(crate) fn validate_price(
    problems: &mut Problems,
    at: &str,
    draft: &PriceDraft,
) -> Option<Money> {
    if !(0..=AMOUNT_MAX).contains(&draft.amount) {
        problems.add(
            format!("{at}/amount"),
            format_args!("must be 0 to {AMOUNT_MAX}, in minor units"),
        );
    }
    let currency = problems.parsed(&format!("{at}/currency"), Currency::parse(&draft.currency));
    Some(Money {
        amount: draft.amount,
        currency: currency?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(change: impl FnOnce(&mut serde_json::Value)) -> SaleDraft {
        let mut json = serde_json::json!({
            "id": "drop-1", "title": "한정판 🎟", "opens_at": "2020-01-01T00:00:00Z", "closes_at": "2999-01-01T00:00:00+09:00",
            "hold_seconds": 300, "payment_seconds": 60,
            "items": [{"sku": "a", "title": "A", "price": {"amount": 1, "currency": "KRW"}, "stock": 5}]
        });
        change(&mut json);
        serde_json::from_value(json).unwrap()
    }

    fn pointers(draft: SaleDraft) -> Vec<String> {
        match draft.validate(&Offers::new()) {
            Err(ApiError::InvalidFields(problems)) => {
                problems.into_iter().map(|p| p.pointer).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_sale_that_is_right_is_kept_as_written() {
        let sale = draft(|_| ()).validate(&Offers::new()).unwrap();
        assert_eq!(
            (
                sale.title.as_str(),
                sale.items[0].limit_per_user,
                sale.items[0].stock
            ),
            ("한정판 🎟", 0, 5)
        );
        assert_eq!(sale.closes_at.to_rfc3339(), "2998-12-31T15:00:00+00:00");
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let item = |sku: &str, currency: &str| serde_json::json!({"sku": sku, "title": "", "price": {"amount": -1, "currency": currency}, "stock": -1, "limit_per_user": 1_000_000_001});
        let bad = draft(|json| {
            json["id"] = "a b".into();
            json["title"] = "x".repeat(201).into();
            json["opens_at"] = "2999-01-01T00:00:00Z".into();
            json["closes_at"] = "2020-01-01T00:00:00Z".into();
            json["hold_seconds"] = 0.into();
            json["payment_seconds"] = 86_401.into();
            json["line"] = serde_json::json!({});
            json["items"] = vec![item("a", "KRW"), item("a", "USD")].into();
        });
        let mut found = pointers(bad);
        found.sort();
        let each = ["limit_per_user", "price/amount", "stock", "title"];
        let mut expected: Vec<String> = [
            "/id",
            "/title",
            "/opens_at",
            "/closes_at",
            "/hold_seconds",
            "/payment_seconds",
            "/line",
            "/items/1/sku",
            "/items/1/price/currency",
        ]
        .map(String::from)
        .into();
        expected.extend(
            [0, 1]
                .iter()
                .flat_map(|i| each.map(|field| format!("/items/{i}/{field}"))),
        );
        expected.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_waiting_room_has_a_line_and_nothing_else_has() {
        let line = |change: fn(&mut serde_json::Value)| {
            draft(change).validate(&Offers::new()).unwrap().line
        };
        assert_eq!(line(|_| ()), None);
        assert_eq!(
            line(|json| json["waiting_room"] = true.into()),
            Some(LineDraft::default())
        );
        let bad = draft(|json| {
            json["waiting_room"] = true.into();
            json["line"] = serde_json::json!({"mode": "fixed"});
        });
        assert_eq!(pointers(bad), ["/line/per_second"]);
    }

    #[test]
    fn a_sale_has_some_items_and_not_too_many() {
        assert_eq!(
            pointers(draft(|json| json["items"] = Vec::<u8>::new().into())),
            ["/items"]
        );
        let item = |i: usize| serde_json::json!({"sku": format!("s{i}"), "title": "A", "price": {"amount": 0, "currency": "USD"}, "stock": 0});
        assert!(
            draft(|json| json["items"] = (0..256).map(item).collect())
                .validate(&Offers::new())
                .is_ok()
        );
        assert_eq!(
            pointers(draft(|json| json["items"] = (0..257).map(item).collect())),
            ["/items"]
        );
    }

    #[test]
    fn no_sale_is_called_like_an_operation() {
        assert_eq!(pointers(draft(|json| json["id"] = "pause".into())), ["/id"]);
    }
}
