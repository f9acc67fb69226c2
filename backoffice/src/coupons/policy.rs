//! What a coupon asks of an order, as staff write it, and what it must be to be kept. Pure. Called by `draft`; `orders::quote` goes by it.

use chrono::{DateTime, SubsecRound as _, Utc};
use doorbuster_core::clock;
use doorbuster_core::money::Money;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::draft::Discount;
use crate::catalog::ids::{CategoryId, Named as _};
use crate::limits::COUPON_CATEGORIES_MAX;
use crate::sales::draft::{PriceDraft, validate_price};
use crate::validate::Problems;
use crate::window::window;

/// Everything that is absent asks nothing.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"cap": {"amount": 10000, "currency": "KRW"}, "minimum": {"amount": 30000, "currency": "KRW"},
    "categories": ["mugs"], "redeem_from": null, "redeem_until": "2030-03-01T00:00:00Z"}))]
pub(crate) struct PolicyBody {
    /// The most that a percentage takes off
    #[serde(default)]
    pub cap: Option<PriceDraft>,
    /// What the lines that it takes from must come to
    #[serde(default)]
    pub minimum: Option<PriceDraft>,
    /// It takes from lines of these categories, and of those below them, alone; none: from all
    #[serde(default)]
    #[schema(max_items = 20)]
    pub categories: Vec<String>,
    /// When it can be redeemed; absent: from its claim on, and for ever
    #[serde(default)]
    pub redeem_from: Option<DateTime<Utc>>,
    #[serde(default)]
    pub redeem_until: Option<DateTime<Utc>>,
}

/// A policy that is kept. The default asks nothing, as do coupons from before there were policies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Policy {
    #[schema(value_type = Option<PriceDraft>)]
    pub(crate) cap: Option<Money>,
    #[schema(value_type = Option<PriceDraft>)]
    pub(crate) minimum: Option<Money>,
    pub(crate) categories: Vec<String>,
    pub(crate) redeem_from: Option<DateTime<Utc>>,
    pub(crate) redeem_until: Option<DateTime<Utc>>,
}

impl Policy {
    pub(crate) fn is_in_time(&self, now: DateTime<Utc>) -> bool {
        self.redeem_from.is_none_or(|from| from <= now)
            && self.redeem_until.is_none_or(|until| now < until)
    }
}

impl PolicyBody {
    /// `None` where something is wrong, which `problems` then has.
    pub(crate) fn validate(
        &self,
        problems: &mut Problems,
        discount: Option<&Discount>,
    ) -> Option<Policy> {
        let mut money = |at: &str, draft: &Option<PriceDraft>| {
            let draft = draft.as_ref()?;
            if draft.amount == 0 {
                problems.add(format!("{at}/amount"), "must be more than nothing");
            }
            validate_price(problems, at, draft)
        };
        let cap = money("/policy/cap", &self.cap);
        let minimum = money("/policy/minimum", &self.minimum);
        if let Some(Discount::Fixed { amount }) = discount {
            if self.cap.is_some() {
                problems.add("/policy/cap", "must be absent: the discount is fixed");
            }
            if minimum.is_some_and(|minimum| minimum.currency != amount.currency) {
                problems.add(
                    "/policy/minimum/currency",
                    "must be the discount's currency",
                );
            }
        }
        if let (Some(cap), Some(minimum)) = (cap, minimum)
            && cap.currency != minimum.currency
        {
            problems.add("/policy/minimum/currency", "must be the cap's currency");
        }
        if self.categories.len() > COUPON_CATEGORIES_MAX {
            problems.add(
                "/policy/categories",
                format_args!("must be at most {COUPON_CATEGORIES_MAX}"),
            );
        }
        for (i, id) in self.categories.iter().enumerate() {
            problems.parsed(
                &format!("/policy/categories/{i}"),
                CategoryId::parse(id.clone()),
            );
        }
        let (from, until) = self.period(problems)?;
        Some(Policy {
            cap,
            minimum,
            categories: self.categories.clone(),
            redeem_from: from,
            redeem_until: until,
        })
    }

    #[expect(clippy::type_complexity, reason = "both ends of a period")]
    fn period(
        &self,
        problems: &mut Problems,
    ) -> Option<(Option<DateTime<Utc>>, Option<DateTime<Utc>>)> {
        let now = clock::now();
        let Some(until) = self.redeem_until else {
            return Some((self.redeem_from.map(|from| from.trunc_subsecs(3)), None));
        };
        // Without a beginning it begins now, which is before any end that is accepted.
        let (from, until) = window(
            problems,
            (
                "/policy/redeem_from",
                self.redeem_from
                    .unwrap_or(now.min(until - chrono::TimeDelta::milliseconds(1))),
            ),
            ("/policy/redeem_until", until),
            now,
        )?;
        Some((self.redeem_from.map(|_| from), Some(until)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::ApiError;

    fn pointers(policy: serde_json::Value, discount: serde_json::Value) -> Vec<String> {
        let (body, discount): (PolicyBody, Discount) = (
            serde_json::from_value(policy).unwrap(),
            serde_json::from_value(discount).unwrap(),
        );
        let mut problems = Problems::default();
        body.validate(&mut problems, Some(&discount));
        match problems.none() {
            Err(ApiError::InvalidFields(problems)) => {
                problems.into_iter().map(|p| p.pointer).collect()
            }
            _ => Vec::new(),
        }
    }

    #[test]
    fn a_policy_fits_its_discount_and_itself() {
        let won = |amount: i64| json!({"amount": amount, "currency": "KRW"});
        let dollars = json!({"amount": 5, "currency": "USD"});
        let percent = json!({"kind": "percent", "percent": 10});
        let fixed = json!({"kind": "fixed", "amount": won(500)});
        let nothing: Vec<String> = Vec::new();
        assert_eq!(pointers(json!({}), fixed.clone()), nothing);
        assert_eq!(
            pointers(
                json!({"cap": won(5), "minimum": won(9), "categories": ["mugs"], "redeem_until": "2999-01-01T00:00:00Z"}),
                percent.clone()
            ),
            nothing
        );
        assert_eq!(
            pointers(json!({"cap": won(5)}), fixed.clone()),
            ["/policy/cap"]
        );
        assert_eq!(
            pointers(json!({"minimum": dollars}), fixed),
            ["/policy/minimum/currency"]
        );
        assert_eq!(
            pointers(
                json!({"cap": won(0), "categories": ["a b"], "redeem_until": "2020-01-01T00:00:00Z"}),
                percent
            ),
            [
                "/policy/cap/amount",
                "/policy/categories/0",
                "/policy/redeem_until"
            ]
        );
    }

    #[test]
    fn its_period_has_a_first_instant_and_no_last_one() {
        let at = |ms| clock::from_ms(ms);
        let policy = Policy {
            redeem_from: Some(at(100)),
            redeem_until: Some(at(200)),
            ..Policy::default()
        };
        assert_eq!(
            [99, 100, 199, 200].map(|ms| policy.is_in_time(at(ms))),
            [false, true, true, false]
        );
        assert!(Policy::default().is_in_time(at(0)));
    }
}
