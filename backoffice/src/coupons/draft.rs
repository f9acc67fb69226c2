//! A first-come coupon as staff write it, and what it must be to be kept. Pure. Called by the `POST /admin/v1/coupons` handler.

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use doorbuster_core::ids::CouponId;
use doorbuster_core::money::Money;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::policy::{Policy, PolicyBody};
use crate::error::ApiError;
use crate::limits::UNITS_MAX;
use crate::sales::draft::{PriceDraft, validate_price};
use crate::validate::Problems;
use crate::window::window;

/// A coupon to be written down; nobody can claim it before it is opened.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "id": "welcome", "quantity": 100, "limit_per_user": 1, "starts_at": "2030-01-01T10:00:00Z", "ends_at": "2030-01-31T00:00:00Z",
    "discount": {"kind": "percent", "percent": 10}
}))]
pub(crate) struct CouponDraft {
    /// 1 to 64 characters of A-Z a-z 0-9 _ -
    #[schema(pattern = "^[A-Za-z0-9_-]{1,64}$")]
    pub id: String,
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    pub quantity: i64,
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    pub limit_per_user: i64,
    /// In the past: can be claimed as soon as it is opened
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    pub discount: DiscountDraft,
    /// What it asks of an order; absent: nothing
    #[serde(default)]
    pub policy: PolicyBody,
}

/// What it takes off a price.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum DiscountDraft {
    Fixed {
        amount: PriceDraft,
    },
    Percent {
        #[schema(minimum = 1, maximum = 100)]
        percent: i64,
    },
}

/// A coupon that may be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Coupon {
    pub(crate) id: CouponId,
    pub(crate) quantity: u32,
    pub(crate) limit_per_user: u32,
    pub(crate) starts_at: DateTime<Utc>,
    pub(crate) ends_at: DateTime<Utc>,
    pub(crate) discount: Discount,
    pub(crate) policy: Policy,
}

/// What it takes off a price, as the books and Redis keep it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Discount {
    Fixed {
        #[schema(value_type = PriceDraft)]
        amount: Money,
    },
    Percent {
        #[schema(example = 10)]
        percent: u32,
    },
}

impl CouponDraft {
    /// # Errors
    /// [`ApiError::InvalidFields`] with every problem there is.
    pub(crate) fn validate(self) -> Result<Coupon, ApiError> {
        let mut problems = Problems::default();
        let id = problems.parsed("/id", CouponId::parse(self.id));
        let quantity = problems.number("/quantity", self.quantity, 1..=UNITS_MAX);
        let limit_per_user = problems.number("/limit_per_user", self.limit_per_user, 1..=UNITS_MAX);
        let window = window(
            &mut problems,
            ("/starts_at", self.starts_at),
            ("/ends_at", self.ends_at),
            clock::now(),
        );
        let discount = validate_discount(&mut problems, &self.discount);
        let policy = self.policy.validate(&mut problems, discount.as_ref());
        problems.none()?;
        let coupon = || {
            let (starts_at, ends_at) = window?;
            Some(Coupon {
                id: id?,
                quantity: quantity?,
                limit_per_user: limit_per_user?,
                starts_at,
                ends_at,
                discount: discount?,
                policy: policy?,
            })
        };
        Ok(coupon().expect("a field is missing only together with a problem"))
    }
}

fn validate_discount(problems: &mut Problems, draft: &DiscountDraft) -> Option<Discount> {
    match draft {
        DiscountDraft::Percent { percent } => problems
            .number("/discount/percent", *percent, 1..=100)
            .map(|percent| Discount::Percent { percent }),
        DiscountDraft::Fixed { amount } => {
            if amount.amount == 0 {
                problems.add("/discount/amount/amount", "must be more than nothing");
            }
            validate_price(problems, "/discount/amount", amount)
                .map(|amount| Discount::Fixed { amount })
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn draft(discount: &serde_json::Value) -> Result<CouponDraft, serde_json::Error> {
        serde_json::from_value(json!({
            "id": "welcome", "quantity": 100, "limit_per_user": 1, "starts_at": "2020-01-01T00:00:00Z", "ends_at": "2999-01-01T00:00:00Z",
            "discount": discount
        }))
    }

    #[test]
    fn a_discount_is_one_of_two_kinds_and_nothing_besides() {
        let percent = json!({"kind": "percent", "percent": 100});
        let fixed = json!({"kind": "fixed", "amount": {"amount": 500, "currency": "KRW"}});
        for good in [&percent, &fixed] {
            let kept = draft(good).unwrap().validate().unwrap().discount;
            assert_eq!(&serde_json::to_value(kept).unwrap(), good);
        }
        for bad in [
            json!({"kind": "free"}),
            json!({"percent": 10}),
            json!({"kind": "percent", "percent": 10, "amount": 5}),
            json!({"kind": "percent", "percent": 1.5}),
            json!({"kind": "fixed", "percent": 10}),
            json!({"kind": "fixed", "amount": {"amount": 1, "currency": "KRW", "x": 1}}),
        ] {
            assert!(draft(&bad).is_err(), "{bad}");
        }
        for bad in [
            json!({"kind": "percent", "percent": 0}),
            json!({"kind": "percent", "percent": 101}),
            json!({"kind": "fixed", "amount": {"amount": 0, "currency": "KRW"}}),
        ] {
            assert!(draft(&bad).unwrap().validate().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_coupon_has_units_and_a_limit() {
        let mut bad = draft(&json!({"kind": "percent", "percent": 10})).unwrap();
        (bad.quantity, bad.limit_per_user) = (0, 0);
        let Err(ApiError::InvalidFields(problems)) = bad.validate() else {
            panic!("accepted")
        };
        assert_eq!(
            problems
                .iter()
                .map(|p| p.pointer.as_str())
                .collect::<Vec<_>>(),
            ["/quantity", "/limit_per_user"]
        );
    }
}
