//! What of an order goes back: how much money and points a line's units are worth, and what becomes of the units. Pure. Called by `saga` and `desk`.
//!
//! A line's worth is what was paid for it: its amount less its shares of coupon and points. Of that, so many of its units have their part
//! rounded down, less what went back for its units before: the last unit's refund makes the line's exactly.

pub(crate) mod store;
pub(crate) mod units;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::quote::part_of;

/// What becomes of units whose money goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Units {
    /// On sale again
    Restock,
    /// Gone
    WriteOff,
    /// The buyer keeps them
    Keep,
    /// Others have them since a loss: nothing comes back. Found out, never asked for
    #[serde(skip_deserializing)]
    Lost,
}

impl Units {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Restock => "restock",
            Self::WriteOff => "write_off",
            Self::Keep => "keep",
            Self::Lost => "lost",
        }
    }

    pub(crate) fn of_word(word: &str) -> Option<Self> {
        [Self::Restock, Self::WriteOff, Self::Keep, Self::Lost]
            .into_iter()
            .find(|units| units.word() == word)
    }
}

/// A line of an order, and what of it has gone back, or is about to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) sku: String,
    pub(crate) quantity: u32,
    pub(crate) gone: u32,
    /// Paid for it, in money and in points.
    pub(crate) amount: i64,
    pub(crate) points: i64,
}

/// A line of a refund.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct RefundLine {
    pub(crate) sku: String,
    pub(crate) quantity: u32,
    pub(crate) amount: i64,
    pub(crate) points: i64,
    pub(crate) units: Units,
}

/// A refund to be written down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Worked {
    pub(crate) lines: Vec<RefundLine>,
    pub(crate) shipping: i64,
    pub(crate) amount: i64,
    pub(crate) points: i64,
}

/// Why there is no such refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unworkable {
    UnknownSku(String),
    /// More units than are left of the line.
    TooMany {
        sku: String,
        left: u32,
    },
    Nothing,
}

/// # Errors
/// [`Unworkable`], why there is none.
pub(crate) fn work_out(
    lines: &[Left],
    wanted: &[(String, u32, Units)],
    shipping: i64,
) -> Result<Worked, Unworkable> {
    let mut worked = Worked {
        shipping,
        amount: shipping,
        ..Worked::default()
    };
    for (sku, quantity, units) in wanted {
        let line = lines.iter().find(|line| line.sku == *sku);
        let line = line.ok_or_else(|| Unworkable::UnknownSku(sku.clone()))?;
        let left = line.quantity - line.gone;
        if *quantity > left {
            let sku = sku.clone();
            return Err(Unworkable::TooMany { sku, left });
        }
        let part = |whole: i64| {
            let of = |units: u32| part_of(whole, i64::from(units), i64::from(line.quantity));
            of(line.gone + quantity) - of(line.gone)
        };
        let (amount, points) = (part(line.amount), part(line.points));
        worked.amount += amount;
        worked.points += points;
        worked.lines.push(RefundLine {
            sku: sku.clone(),
            quantity: *quantity,
            amount,
            points,
            units: *units,
        });
    }
    if worked.lines.is_empty() && shipping == 0 {
        return Err(Unworkable::Nothing);
    }
    Ok(worked)
}

/// All that is left, its units dealt with in one way.
pub(crate) fn all_of(lines: &[Left], units: Units) -> Vec<(String, u32, Units)> {
    lines
        .iter()
        .filter(|line| line.quantity > line.gone)
        .map(|line| (line.sku.clone(), line.quantity - line.gone, units))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(quantity: u32, gone: u32, amount: i64, points: i64) -> Left {
        Left {
            sku: "tee".to_owned(),
            quantity,
            gone,
            amount,
            points,
        }
    }

    #[test]
    fn units_that_go_back_one_by_one_make_exactly_the_line() {
        for (quantity, amount, points) in [(3, 1_000, 100), (7, 9_999, 1), (1, 5, 0), (4, 0, 3)] {
            let (mut money, mut spent) = (0, 0);
            for gone in 0..quantity {
                let lines = [left(quantity, gone, amount, points)];
                let one = [("tee".to_owned(), 1, Units::Restock)];
                let worked = work_out(&lines, &one, 0).unwrap();
                assert!(worked.amount >= 0 && worked.points >= 0);
                money += worked.amount;
                spent += worked.points;
            }
            assert_eq!((money, spent), (amount, points));
        }
    }

    #[test]
    fn no_more_goes_back_than_is_left() {
        let lines = [left(3, 1, 300, 0)];
        let wanted = |sku: &str, quantity| [(sku.to_owned(), quantity, Units::Keep)];
        assert_eq!(
            work_out(&lines, &wanted("tee", 3), 0),
            Err(Unworkable::TooMany {
                sku: "tee".to_owned(),
                left: 2
            })
        );
        assert!(matches!(
            work_out(&lines, &wanted("cap", 1), 0),
            Err(Unworkable::UnknownSku(_))
        ));
        assert_eq!(work_out(&lines, &[], 0), Err(Unworkable::Nothing));
        assert_eq!(work_out(&lines, &[], 3_000).unwrap().amount, 3_000);
        assert_eq!(
            work_out(&lines, &all_of(&lines, Units::WriteOff), 50)
                .unwrap()
                .amount,
            250
        );
        for units in [Units::Restock, Units::WriteOff, Units::Keep, Units::Lost] {
            assert_eq!(Units::of_word(units.word()), Some(units));
        }
    }
}
