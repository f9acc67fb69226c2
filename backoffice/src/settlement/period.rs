//! A day or a month that is settled, in UTC. Pure.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike as _, Days, Months, NaiveDate, NaiveTime, Utc};

/// `2026-11` or `2026-11-21`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    pub(crate) first: NaiveDate,
    pub(crate) last: NaiveDate,
    is_month: bool,
}

impl Period {
    /// Whether sellers are paid by it.
    pub(crate) fn is_month(self) -> bool {
        self.is_month
    }

    /// Whether nothing more can happen in it.
    pub(crate) fn is_over(self, now: DateTime<Utc>) -> bool {
        now.date_naive() > self.last
    }

    /// The first moment after it.
    pub(crate) fn end(self) -> DateTime<Utc> {
        (self.last + Days::new(1))
            .and_time(NaiveTime::MIN)
            .and_utc()
    }
}

impl FromStr for Period {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "must be a month, as in 2026-11, or a day, as in 2026-11-21";
        let is_month = text.len() == 7;
        let whole = if is_month {
            format!("{text}-01")
        } else {
            text.to_owned()
        };
        let first: NaiveDate = whole.parse().map_err(|_| EXPECTED)?;
        let last = if is_month {
            first
                .checked_add_months(Months::new(1))
                .and_then(|next| next.checked_sub_days(Days::new(1)))
                .ok_or(EXPECTED)?
        } else {
            first
        };
        let period = Self {
            first,
            last,
            is_month,
        };
        let is_ours = (1970..10_000).contains(&first.year()) && period.to_string() == text;
        is_ours.then_some(period).ok_or(EXPECTED)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = self.first.to_string();
        f.write_str(if self.is_month { &day[..7] } else { &day })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_and_days_are_read_and_written_as_they_are() {
        for (text, first, last) in [
            ("2026-02", "2026-02-01", "2026-02-28"),
            ("2028-02", "2028-02-01", "2028-02-29"),
            ("2026-12", "2026-12-01", "2026-12-31"),
            ("2026-11-21", "2026-11-21", "2026-11-21"),
        ] {
            let period: Period = text.parse().unwrap();
            assert_eq!(period.to_string(), text);
            let days = [period.first.to_string(), period.last.to_string()];
            assert_eq!(days, [first, last]);
        }
        for bad in [
            "",
            "2026",
            "2026-13",
            "2026-1",
            "2026-02-30",
            "26-11-21",
            "2026-11-2",
            "0000-01",
        ] {
            assert!(bad.parse::<Period>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_period_is_over_when_its_last_day_is() {
        let period: Period = "2026-11".parse().unwrap();
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        assert!(!period.is_over(at("2026-11-30T23:59:59Z")));
        assert!(period.is_over(at("2026-12-01T00:00:00Z")));
        assert_eq!(period.end(), at("2026-12-01T00:00:00Z"));
    }
}
