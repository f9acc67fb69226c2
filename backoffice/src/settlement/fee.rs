//! What we keep of a sale. Pure, in integers alone.
//!
//! Of an order's sale through a seller: so many basis points of it, rounded to the nearest minor unit, halves up, and a fixed amount, by the
//! schedule of the day on which it was sold. Of what comes back the share is given back by that same schedule, whatever holds now: the share of
//! all that has come back so far, less what was given back of it before. So when all of a sale has come back, in however many parts, exactly the
//! share that was taken has been given back. The fixed amount is not.

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
    /// A seller's, in a currency: picked out once, not for each of his sales.
    pub(crate) fn of(&self, seller: &str, currency: &str) -> Terms {
        let of = |whom: &str| {
            let all = self.0.iter();
            let mut all: Vec<Schedule> = all
                .filter(|one| one.seller == whom && one.currency == currency)
                .cloned()
                .collect();
            all.sort_by_key(|one| one.valid_from);
            all
        };
        Terms {
            own: of(seller),
            everybodys: of("*"),
        }
    }
}

/// What holds for one seller in one currency, by day. Without any schedule nothing is kept.
#[derive(Debug, Default)]
pub(crate) struct Terms {
    own: Vec<Schedule>,
    everybodys: Vec<Schedule>,
}

impl Terms {
    fn on(&self, day: NaiveDate) -> Option<&Schedule> {
        let latest = |all: &[Schedule]| all.partition_point(|one| one.valid_from <= day);
        let of = |all: &'_ [Schedule]| latest(all).checked_sub(1);
        match of(&self.own) {
            Some(at) => self.own.get(at),
            None => of(&self.everybodys).and_then(|at| self.everybodys.get(at)),
        }
    }

    /// What is kept of a sale of `amount` on `day`.
    pub(crate) fn of_sale(&self, day: NaiveDate, amount: u64) -> i64 {
        let kept = |one: &Schedule| share(amount, one.basis_points).saturating_add(one.fixed);
        self.on(day).map_or(0, kept)
    }

    /// What is given back when `amount` comes back of a sale on the day `sold`, of which `before` had come back already.
    pub(crate) fn of_return(&self, sold: NaiveDate, before: u64, amount: u64) -> i64 {
        let given = |one: &Schedule| {
            let upto = |amount| share(amount, one.basis_points);
            upto(before.saturating_add(amount)) - upto(before)
        };
        self.on(sold).map_or(0, given)
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

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn the_latest_schedule_of_the_seller_counts_and_everybodys_otherwise() {
        let fee = |seller, on: &str, amount| schedules().of(seller, "KRW").of_sale(day(on), amount);
        assert_eq!(fee("x", "2026-06-30", 10_000), 333 + 100);
        assert_eq!(fee("x", "2026-07-01", 10_000), 250 + 50);
        assert_eq!(fee("y", "2026-07-01", 10_000), 1_000);
        assert_eq!(fee("y", "2025-07-01", 10_000), 0, "before there was one");
        let dollars = schedules().of("x", "USD");
        assert_eq!(dollars.of_sale(day("2026-07-01"), 100), 0);
    }

    #[test]
    fn halves_are_rounded_up_and_no_share_is_out_of_range() {
        let terms = schedules().of("x", "KRW");
        let fee = |amount| terms.of_sale(day("2026-08-01"), amount);
        // 2.5 % of 20 is exactly a half.
        assert_eq!([fee(19), fee(20), fee(21)], [50, 51, 51]);
        assert_eq!(share(u64::MAX, 10_000), i64::MAX);
    }

    #[test]
    fn a_sale_that_comes_back_in_parts_gives_back_its_whole_share_and_no_more() {
        let terms = schedules().of("x", "KRW");
        for (sold, parts) in [
            ("2026-06-30", [19, 20, 21, 3]),
            ("2026-08-01", [1, 1, 1, 60]),
            ("2026-08-01", [9_999, 20, 20, 1]),
        ] {
            let sold = day(sold);
            let (mut before, mut given) = (0, 0);
            for part in parts {
                given += terms.of_return(sold, before, part);
                before += part;
            }
            let fixed = terms.of_sale(sold, 0);
            assert_eq!(given, terms.of_sale(sold, before) - fixed, "{parts:?}");
        }
    }
}
