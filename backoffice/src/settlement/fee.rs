//! What we keep of a sale. Pure, in integers alone.
//!
//! Of an order's sale through a seller: so many basis points of it, rounded to the nearest minor unit, halves up, and a fixed amount. Of what
//! comes back the same basis points, rounded alike, are given back; the fixed amount is not.

use chrono::NaiveDate;

/// A seller's schedule from a day on; the seller `*` is everybody else.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    pub(crate) seller: String,
    pub(crate) currency: String,
    pub(crate) valid_from: NaiveDate,
    pub(crate) basis_points: u32,
    pub(crate) fixed: i64,
}

/// Everybody's schedules.
#[derive(Debug, Default)]
pub(crate) struct Schedules(pub(crate) Vec<Schedule>);

impl Schedules {
    /// The fee of a seller's posting of `amount` on `day`: a sale where it is positive, a return where it is negative. Without any
    /// schedule nothing is kept.
    pub(crate) fn fee(&self, seller: &str, currency: &str, day: NaiveDate, amount: i64) -> i64 {
        let of = |whom: &str| {
            let valid = self.0.iter().filter(|one| {
                one.seller == whom && one.currency == currency && one.valid_from <= day
            });
            valid.max_by_key(|one| one.valid_from)
        };
        let Some(schedule) = of(seller).or_else(|| of("*")) else {
            return 0;
        };
        let share = share(amount.unsigned_abs(), schedule.basis_points);
        if amount > 0 {
            share.saturating_add(schedule.fixed)
        } else {
            -share
        }
    }
}

fn share(amount: u64, basis_points: u32) -> i64 {
    let exact = u128::from(amount) * u128::from(basis_points);
    i64::try_from((exact + 5_000) / 10_000).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedules() -> Schedules {
        let one = |seller: &str, from: &str, basis_points, fixed| Schedule {
            seller: seller.to_owned(),
            currency: "KRW".to_owned(),
            valid_from: from.parse().unwrap(),
            basis_points,
            fixed,
        };
        Schedules(vec![
            one("*", "2026-01-01", 1_000, 0),
            one("x", "2026-01-01", 333, 100),
            one("x", "2026-07-01", 250, 50),
        ])
    }

    #[test]
    fn the_latest_schedule_of_the_seller_counts_and_everybodys_otherwise() {
        let fee = |seller, day: &str, amount| {
            schedules().fee(seller, "KRW", day.parse().unwrap(), amount)
        };
        assert_eq!(fee("x", "2026-06-30", 10_000), 333 + 100);
        assert_eq!(fee("x", "2026-07-01", 10_000), 250 + 50);
        assert_eq!(fee("y", "2026-07-01", 10_000), 1_000);
        assert_eq!(fee("y", "2025-07-01", 10_000), 0, "before there was one");
        assert_eq!(
            schedules().fee("x", "USD", "2026-07-01".parse().unwrap(), 100),
            0
        );
    }

    #[test]
    fn halves_are_rounded_up_and_returns_give_the_share_back_without_the_fixed_amount() {
        let fee = |amount| schedules().fee("x", "KRW", "2026-08-01".parse().unwrap(), amount);
        // 2.5 % of 20 is exactly a half.
        assert_eq!([fee(19), fee(20), fee(21)], [50, 51, 51]);
        assert_eq!([fee(-19), fee(-20), fee(-10_000)], [0, -1, -250]);
        assert_eq!(share(u64::MAX, 10_000), i64::MAX);
    }
}
