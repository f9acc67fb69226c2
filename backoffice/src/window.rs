//! When something is on sale, as staff write it: checked, and cut to the milliseconds that Redis and MySQL keep.

use chrono::{DateTime, Datelike, SubsecRound, Utc};

use crate::validate::Problems;

/// Years that MySQL's `datetime` and a count of milliseconds since 1970 both know.
const YEARS: std::ops::RangeInclusive<i32> = 1970..=9999;

/// Both ends, or `None` and what is wrong, by the pointer of each.
pub(crate) fn window(
    problems: &mut Problems,
    (opens_pointer, opens): (&str, DateTime<Utc>),
    (closes_pointer, closes): (&str, DateTime<Utc>),
    now: DateTime<Utc>,
) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let (opens, closes) = (opens.trunc_subsecs(3), closes.trunc_subsecs(3));
    let mut fits = true;
    let mut refuse = |pointer: &str, detail: &str| {
        problems.add(pointer, detail);
        fits = false;
    };
    if !YEARS.contains(&opens.year()) {
        refuse(opens_pointer, "must be in the years 1970 to 9999");
    }
    if opens >= closes {
        refuse(opens_pointer, "must be before the closing time");
    }
    if closes <= now {
        refuse(closes_pointer, "must be in the future");
    } else if !YEARS.contains(&closes.year()) {
        refuse(closes_pointer, "must be in the years 1970 to 9999");
    }
    fits.then_some((opens, closes))
}
