//! What an order comes to: lines, coupon, points, shipping, total. Pure, in integer minor units. Called by `place` and the quote handler.
//!
//! The rules. A percentage is rounded down to a whole minor unit, once for all lines that the coupon is for, and then capped. A coupon takes at
//! most what its lines come to; points take at most what is left of the lines: shipping is always paid. Shipping is free where the lines,
//! before coupon and points, come to the policy's bound. Each line has its share of coupon and points: line by line, what the lines so
//! far have of the whole, rounded down, less what those before it have got. So shares sum up exactly, and none is more than its line.

use doorbuster_core::ids::SkuId;
use doorbuster_core::money::{Currency, Money};

use crate::coupons::draft::Discount;
use crate::coupons::policy::Policy;

/// One line to be quoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QuoteLine {
    pub(crate) sku: SkuId,
    pub(crate) quantity: u32,
    pub(crate) unit: i64,
    /// Whether the coupon is for it.
    pub(crate) in_coupon: bool,
}

/// What is asked to be quoted.
#[derive(Debug, Clone)]
pub(crate) struct Asked<'a> {
    pub(crate) currency: Currency,
    pub(crate) lines: &'a [QuoteLine],
    pub(crate) coupon: Option<(&'a Discount, &'a Policy)>,
    pub(crate) points: i64,
    pub(crate) shipping: Shipping,
}

/// What a sale charges for shipping.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Shipping {
    pub(crate) fee: i64,
    pub(crate) free_from: Option<i64>,
}

/// What it comes to. `lines + shipping - coupon - points = total`, and no part is less than 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Quote {
    pub(crate) currency: Currency,
    pub(crate) lines: i64,
    pub(crate) shipping: i64,
    pub(crate) coupon: i64,
    pub(crate) points: i64,
    pub(crate) total: i64,
    /// By line, in the order of the lines.
    pub(crate) shares: Vec<Share>,
}

/// What of coupon and points is one line's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) coupon: i64,
    pub(crate) points: i64,
}

/// Why there is no quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unquotable {
    /// The sum is more than 64 bits.
    TooMuch,
    /// More points than may be spent on it.
    Points { most: i64 },
    /// The coupon's amounts are of another currency.
    CouponCurrency,
    /// No line is of its categories.
    CouponLines,
    /// Its lines come to less than its minimum.
    CouponMinimum(Money),
}

/// # Errors
/// [`Unquotable`], why there is none.
pub(crate) fn quote(asked: &Asked<'_>) -> Result<Quote, Unquotable> {
    let amounts: Vec<i64> = asked
        .lines
        .iter()
        .map(|line| line.unit.checked_mul(i64::from(line.quantity)))
        .collect::<Option<_>>()
        .ok_or(Unquotable::TooMuch)?;
    let lines = sum(&amounts).ok_or(Unquotable::TooMuch)?;
    let of_coupon: Vec<i64> = asked
        .lines
        .iter()
        .zip(&amounts)
        .map(|(line, amount)| if line.in_coupon { *amount } else { 0 })
        .collect();
    let coupon = match asked.coupon {
        Some((discount, policy)) => {
            if !asked.lines.iter().any(|line| line.in_coupon) {
                return Err(Unquotable::CouponLines);
            }
            let base = sum(&of_coupon).ok_or(Unquotable::TooMuch)?;
            taken_off(base, asked.currency, discount, policy)?
        }
        None => 0,
    };
    let most = lines - coupon;
    if !(0..=most).contains(&asked.points) {
        return Err(Unquotable::Points { most });
    }
    let Shipping { fee, free_from } = asked.shipping;
    let shipping = if free_from.is_some_and(|from| lines >= from) {
        0
    } else {
        fee
    };
    let coupons = shares(&of_coupon, coupon);
    let left: Vec<i64> = amounts
        .iter()
        .zip(&coupons)
        .map(|(amount, coupon)| amount - coupon)
        .collect();
    let points = shares(&left, asked.points);
    Ok(Quote {
        currency: asked.currency,
        lines,
        shipping,
        coupon,
        points: asked.points,
        total: (most - asked.points)
            .checked_add(shipping)
            .ok_or(Unquotable::TooMuch)?,
        shares: coupons
            .into_iter()
            .zip(points)
            .map(|(coupon, points)| Share { coupon, points })
            .collect(),
    })
}

fn taken_off(
    base: i64,
    currency: Currency,
    discount: &Discount,
    policy: &Policy,
) -> Result<i64, Unquotable> {
    let foreign = |money: &Option<Money>| money.is_some_and(|money| money.currency != currency);
    if foreign(&policy.cap) || foreign(&policy.minimum) {
        return Err(Unquotable::CouponCurrency);
    }
    if let Some(minimum) = policy.minimum
        && base < minimum.amount
    {
        return Err(Unquotable::CouponMinimum(minimum));
    }
    let amount = match discount {
        Discount::Fixed { amount } if amount.currency != currency => {
            return Err(Unquotable::CouponCurrency);
        }
        Discount::Fixed { amount } => amount.amount,
        Discount::Percent { percent } => part_of(base, i64::from(*percent), 100),
    };
    let cap = policy.cap.map_or(i64::MAX, |cap| cap.amount);
    Ok(amount.min(cap).min(base))
}

/// `whole * part / of`, rounded down; `part` is at most `of`, so that it fits.
pub(crate) fn part_of(whole: i64, part: i64, of: i64) -> i64 {
    if of == 0 {
        return 0;
    }
    i64::try_from(i128::from(whole) * i128::from(part) / i128::from(of)).unwrap_or(i64::MAX)
}

/// `whole` over `weights`, which come to `whole` or more, exactly.
pub(crate) fn shares(weights: &[i64], whole: i64) -> Vec<i64> {
    let all: i64 = weights.iter().sum();
    let (mut so_far, mut given) = (0, 0);
    weights
        .iter()
        .map(|weight| {
            so_far += weight;
            let due = part_of(whole, so_far, all);
            let share = due - given;
            given = due;
            share
        })
        .collect()
}

fn sum(amounts: &[i64]) -> Option<i64> {
    amounts
        .iter()
        .try_fold(0_i64, |sum, amount| sum.checked_add(*amount))
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng as _, SeedableRng as _};

    use super::*;

    fn won() -> Currency {
        Currency::parse("KRW").unwrap()
    }

    fn money(amount: i64) -> Money {
        Money {
            amount,
            currency: won(),
        }
    }

    fn line(quantity: u32, unit: i64) -> QuoteLine {
        QuoteLine {
            sku: SkuId::parse("tee").unwrap(),
            quantity,
            unit,
            in_coupon: true,
        }
    }

    fn asked<'a>(
        lines: &'a [QuoteLine],
        coupon: Option<(&'a Discount, &'a Policy)>,
        points: i64,
    ) -> Asked<'a> {
        Asked {
            currency: won(),
            lines,
            coupon,
            points,
            shipping: Shipping {
                fee: 3_000,
                free_from: Some(50_000),
            },
        }
    }

    #[test]
    fn parts_come_to_the_total_and_none_is_less_than_nothing_whatever_is_asked() {
        let mut rng = StdRng::seed_from_u64(20_261_121);
        let (mut quoted, mut refused) = (0, 0);
        for _ in 0..20_000 {
            let lines: Vec<QuoteLine> = (0..rng.random_range(1..6))
                .map(|_| QuoteLine {
                    in_coupon: rng.random_bool(0.7),
                    ..line(rng.random_range(1..5), rng.random_range(0..20_000))
                })
                .collect();
            let discount = if rng.random_bool(0.5) {
                Discount::Fixed {
                    amount: money(rng.random_range(1..60_000)),
                }
            } else {
                Discount::Percent {
                    percent: rng.random_range(1..=100),
                }
            };
            let policy = Policy {
                cap: rng
                    .random_bool(0.3)
                    .then(|| money(rng.random_range(1..5_000))),
                minimum: rng
                    .random_bool(0.3)
                    .then(|| money(rng.random_range(1..50_000))),
                ..Policy::default()
            };
            let coupon = rng.random_bool(0.8).then_some((&discount, &policy));
            let points = rng.random_range(-5..30_000);
            match quote(&asked(&lines, coupon, points)) {
                Ok(quote) => {
                    quoted += 1;
                    hold(&lines, &quote, coupon, points);
                }
                Err(Unquotable::Points { most }) => {
                    refused += 1;
                    assert!(points < 0 || points > most);
                    assert!(quote(&asked(&lines, coupon, most)).is_ok());
                }
                Err(_) => refused += 1,
            }
        }
        assert!(quoted > 5_000 && refused > 1_000, "{quoted} {refused}");
    }

    fn hold(lines: &[QuoteLine], quote: &Quote, coupon: Option<(&Discount, &Policy)>, points: i64) {
        let Quote {
            lines: amount,
            shipping,
            coupon: off,
            points: spent,
            total,
            ..
        } = *quote;
        assert_eq!(amount + shipping - off - spent, total);
        for part in [amount, shipping, off, spent, total] {
            assert!(part >= 0, "{quote:?}");
        }
        assert_eq!(spent, points);
        assert!(total >= shipping);
        if let Some((_, policy)) = coupon {
            assert!(policy.cap.is_none_or(|cap| off <= cap.amount));
        } else {
            assert_eq!(off, 0);
        }
        assert_eq!(quote.shares.iter().map(|s| s.coupon).sum::<i64>(), off);
        assert_eq!(quote.shares.iter().map(|s| s.points).sum::<i64>(), spent);
        for (line, share) in lines.iter().zip(&quote.shares) {
            let worth = line.unit * i64::from(line.quantity);
            assert!(share.coupon >= 0 && share.points >= 0);
            assert!(share.coupon + share.points <= worth, "{quote:?}");
            assert!(line.in_coupon || share.coupon == 0);
        }
    }

    #[test]
    fn a_percentage_is_rounded_down_once_and_then_capped() {
        let lines = [line(1, 333), line(1, 333), line(1, 333)];
        let ten = Discount::Percent { percent: 10 };
        let free = Policy::default();
        let quoted = quote(&asked(&lines, Some((&ten, &free)), 0)).unwrap();
        assert_eq!((quoted.coupon, quoted.total), (99, 900 + 3_000));
        assert_eq!(quoted.shares.map_coupons(), [33, 33, 33]);
        let capped = Policy {
            cap: Some(money(50)),
            ..Policy::default()
        };
        let quoted = quote(&asked(&lines, Some((&ten, &capped)), 0)).unwrap();
        assert_eq!(quoted.shares.map_coupons(), [16, 17, 17]);
    }

    trait MapCoupons {
        fn map_coupons(&self) -> Vec<i64>;
    }

    impl MapCoupons for Vec<Share> {
        fn map_coupons(&self) -> Vec<i64> {
            self.iter().map(|share| share.coupon).collect()
        }
    }

    #[test]
    fn shipping_is_free_from_its_bound_on_whatever_coupon_and_points_take() {
        let fixed = Discount::Fixed {
            amount: money(10_000),
        };
        let free = Policy::default();
        for (unit, shipping) in [(49_999, 3_000), (50_000, 0)] {
            let lines = [line(1, unit)];
            let quoted = quote(&asked(&lines, Some((&fixed, &free)), 100)).unwrap();
            assert_eq!(quoted.shipping, shipping);
            assert_eq!(quoted.total, unit - 10_000 - 100 + shipping);
        }
    }

    #[test]
    fn what_cannot_be_quoted_says_why() {
        let lines = [line(2, 1_000)];
        let fixed = Discount::Fixed { amount: money(500) };
        let minimum = Policy {
            minimum: Some(money(2_001)),
            ..Policy::default()
        };
        let refusal = |coupon, points| quote(&asked(&lines, coupon, points)).unwrap_err();
        assert_eq!(
            refusal(Some((&fixed, &minimum)), 0),
            Unquotable::CouponMinimum(money(2_001))
        );
        let free = Policy::default();
        assert_eq!(
            refusal(Some((&fixed, &free)), 1_501),
            Unquotable::Points { most: 1_500 }
        );
        assert_eq!(refusal(None, -1), Unquotable::Points { most: 2_000 });
        let dollars = Discount::Fixed {
            amount: Money {
                amount: 1,
                currency: Currency::parse("USD").unwrap(),
            },
        };
        assert_eq!(
            refusal(Some((&dollars, &free)), 0),
            Unquotable::CouponCurrency
        );
        let other = [QuoteLine {
            in_coupon: false,
            ..line(1, 1)
        }];
        let none = quote(&asked(&other, Some((&fixed, &free)), 0));
        assert_eq!(none.unwrap_err(), Unquotable::CouponLines);
        let much = [line(u32::MAX, i64::MAX / 2)];
        assert_eq!(
            quote(&asked(&much, None, 0)).unwrap_err(),
            Unquotable::TooMuch
        );
    }
}
