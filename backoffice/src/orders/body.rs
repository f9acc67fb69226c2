//! What buyers ask for, as they write it, and what it must be. Pure. Called by `place` and the quote handler.

use doorbuster_core::ids::{CouponId, ReservationId, SaleId};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::limits::{METHOD_CHARS_MAX, TOKEN_CHARS_MAX};
use crate::accounts::secret::Secret;
use crate::addresses::draft::{Address, AddressBody};
use crate::derived;
use crate::error::ApiError;
use crate::limits::AMOUNT_MAX;
use crate::validate::Problems;

/// What is to be quoted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"sale": "drop-1", "reservation": "0b2c8f6e-5d1a-8c3e-9f00-3f1d7a9b2c4d", "points": 500, "coupon": "welcome"}))]
pub(crate) struct QuoteBody {
    #[schema(pattern = "^[A-Za-z0-9_-]{1,64}$")]
    pub sale: String,
    /// A hold of the bearer's
    #[schema(format = Uuid)]
    pub reservation: String,
    /// To be spent on it, each worth one minor unit
    #[serde(default)]
    #[schema(minimum = 0, maximum = 9_000_000_000_i64)]
    pub points: i64,
    /// One that the bearer has claimed
    #[serde(default)]
    #[schema(pattern = "^[A-Za-z0-9_-]{1,64}$")]
    pub coupon: Option<String>,
}

/// An order to be placed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"sale": "drop-1", "reservation": "0b2c8f6e-5d1a-8c3e-9f00-3f1d7a9b2c4d",
    "payment": {"method": "card", "token": "tok_4f1d"}, "points": 500, "coupon": null, "address": null}))]
pub(crate) struct OrderBody {
    #[schema(pattern = "^[A-Za-z0-9_-]{1,64}$")]
    pub sale: String,
    /// A hold of the bearer's
    #[schema(format = Uuid)]
    pub reservation: String,
    pub payment: PaymentBody,
    /// To be spent on it, each worth one minor unit
    #[serde(default)]
    #[schema(minimum = 0, maximum = 9_000_000_000_i64)]
    pub points: i64,
    /// One that the bearer has claimed
    #[serde(default)]
    #[schema(pattern = "^[A-Za-z0-9_-]{1,64}$")]
    pub coupon: Option<String>,
    /// One of the bearer's, his default one, if he has any, or another; null or absent: none is needed
    #[serde(default)]
    pub address: Option<AddressChoice>,
}

/// How it is to be paid. What stands for the card comes from the provider's own form; no card is ever seen here.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PaymentBody {
    #[schema(pattern = "^[a-z0-9_]{1,32}$", example = "card")]
    pub method: String,
    #[schema(value_type = String, min_length = 1, max_length = 255, example = "tok_4f1d")]
    pub token: Secret,
}

/// Where it is to go.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum AddressChoice {
    Saved(SavedAddress),
    Default(DefaultAddress),
    Given(Box<AddressBody>),
}

/// One of the bearer's addresses.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SavedAddress {
    #[schema(format = Uuid)]
    pub id: String,
}

/// The bearer's default address.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DefaultAddress {
    /// Must be true
    #[schema(example = true)]
    pub default: bool,
}

/// What may be quoted.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) sale: SaleId,
    pub(crate) reservation: ReservationId,
    pub(crate) points: i64,
    pub(crate) coupon: Option<CouponId>,
}

/// An order that may be placed.
#[derive(Debug)]
pub(crate) struct NewOrder {
    pub(crate) wanted: Wanted,
    pub(crate) method: String,
    pub(crate) token: Secret,
    pub(crate) address: ChosenAddress,
}

#[derive(Debug)]
pub(crate) enum ChosenAddress {
    None,
    Default,
    Saved(Uuid),
    Given(Box<Address>),
}

fn wanted(
    problems: &mut Problems,
    (sale, reservation): (&str, &str),
    points: i64,
    coupon: Option<&String>,
) -> Option<Wanted> {
    let sale = problems.parsed("/sale", SaleId::parse(sale));
    let reservation = problems.parsed("/reservation", ReservationId::parse(reservation));
    if !(0..=AMOUNT_MAX).contains(&points) {
        problems.add("/points", format_args!("must be 0 to {AMOUNT_MAX}"));
    }
    let coupon = match coupon {
        Some(coupon) => Some(problems.parsed("/coupon", CouponId::parse(coupon.as_str()))?),
        None => None,
    };
    Some(Wanted {
        sale: sale?,
        reservation: reservation?,
        points,
        coupon,
    })
}

impl QuoteBody {
    /// # Errors
    /// [`ApiError::InvalidFields`] with every problem there is.
    pub(crate) fn validate(&self) -> Result<Wanted, ApiError> {
        let mut problems = Problems::default();
        let ids = (self.sale.as_str(), self.reservation.as_str());
        let wanted = wanted(&mut problems, ids, self.points, self.coupon.as_ref());
        problems.none()?;
        Ok(wanted.expect("a field is missing only together with a problem"))
    }
}

impl OrderBody {
    /// # Errors
    /// [`ApiError::InvalidFields`] with every problem there is.
    pub(crate) fn validate(self) -> Result<NewOrder, ApiError> {
        let mut problems = Problems::default();
        let ids = (self.sale.as_str(), self.reservation.as_str());
        let wanted = wanted(&mut problems, ids, self.points, self.coupon.as_ref());
        let PaymentBody { method, token } = self.payment;
        let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if !(1..=METHOD_CHARS_MAX).contains(&method.len()) || !method.bytes().all(is_word) {
            problems.add(
                "/payment/method",
                format_args!("must be 1 to {METHOD_CHARS_MAX} of a-z 0-9 _"),
            );
        }
        let text = token.expose();
        let is_printable = |b: u8| (0x21..=0x7e).contains(&b);
        if !(1..=TOKEN_CHARS_MAX).contains(&text.len()) || !text.bytes().all(is_printable) {
            problems.add(
                "/payment/token",
                format_args!("must be 1 to {TOKEN_CHARS_MAX} printable ASCII characters"),
            );
        }
        let address = match self.address {
            None => Some(ChosenAddress::None),
            Some(AddressChoice::Default(DefaultAddress { default })) => {
                if !default {
                    problems.add("/address/default", "must be true");
                }
                Some(ChosenAddress::Default)
            }
            Some(AddressChoice::Saved(saved)) => problems
                .parsed("/address/id", Uuid::try_parse(&saved.id))
                .map(ChosenAddress::Saved),
            // A problem of his address is one of its own fields.
            Some(AddressChoice::Given(body)) => {
                Some(ChosenAddress::Given(Box::new(body.validate()?)))
            }
        };
        problems.none()?;
        let missing = "a field is missing only together with a problem";
        Ok(NewOrder {
            wanted: wanted.expect(missing),
            method,
            token,
            address: address.expect(missing),
        })
    }
}

impl NewOrder {
    /// Of all that was asked for: another request under the same key has another one.
    pub(crate) fn body_hash(&self) -> [u8; 16] {
        let Wanted {
            sale,
            reservation,
            points,
            coupon,
        } = &self.wanted;
        let address = match &self.address {
            ChosenAddress::None => Value::Null,
            ChosenAddress::Default => json!({"default": true}),
            ChosenAddress::Saved(id) => json!(id),
            ChosenAddress::Given(address) => copy(address),
        };
        let canonical = json!([
            sale,
            reservation,
            points,
            coupon,
            self.method,
            self.token.expose(),
            address
        ]);
        derived::body_hash("order", &canonical.to_string())
    }
}

/// As an order keeps it.
pub(crate) fn copy(address: &Address) -> Value {
    json!({"recipient": address.recipient, "phone": address.phone, "country": address.country, "postal_code": address.postal_code,
        "line1": address.line1, "line2": address.line2})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(change: impl FnOnce(&mut Value)) -> Result<NewOrder, ApiError> {
        let mut json = json!({"sale": "drop-1", "reservation": "0b2c8f6e-5d1a-8c3e-9f00-3f1d7a9b2c4d",
            "payment": {"method": "card", "token": "tok_1"}});
        change(&mut json);
        serde_json::from_value::<OrderBody>(json)
            .unwrap()
            .validate()
    }

    #[test]
    fn another_request_has_another_hash() {
        let hash = |change: fn(&mut Value)| body(change).unwrap().body_hash();
        let first = hash(|_| ());
        assert_eq!(hash(|json| json["points"] = 0.into()), first);
        assert_eq!(hash(|json| json["address"] = Value::Null), first);
        for change in [
            (|json| json["points"] = 1.into()) as fn(&mut Value),
            |json| json["coupon"] = "welcome".into(),
            |json| json["sale"] = "drop-2".into(),
            |json| json["payment"]["token"] = "tok_2".into(),
            |json| json["address"] = json!({"id": "0b2c8f6e-5d1a-8c3e-9f00-3f1d7a9b2c4d"}),
            |json| json["address"] = json!({"default": true}),
        ] {
            assert_ne!(hash(change), first);
        }
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let Err(ApiError::InvalidFields(problems)) = body(|json| {
            json["sale"] = "a b".into();
            json["reservation"] = "x".into();
            json["points"] = (-1).into();
            json["payment"] = json!({"method": "Card!", "token": ""});
            json["address"] = json!({"id": "x"});
        }) else {
            panic!("accepted")
        };
        let pointers: Vec<&str> = problems.iter().map(|p| p.pointer.as_str()).collect();
        assert_eq!(
            pointers,
            [
                "/sale",
                "/reservation",
                "/points",
                "/payment/method",
                "/payment/token",
                "/address/id"
            ]
        );
    }
}
