//! A seller's period as text: CSV, and HTML to be printed. Pure; the same entries are the same bytes.

use askama::Template;
use chrono::NaiveDate;
use doorbuster_core::hex::to_hex;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::fee::{Schedules, Terms};

/// A posting to a seller's account: positive where he sold something, negative where it came back.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) order: Uuid,
    pub(crate) n: u32,
    pub(crate) day: NaiveDate,
    pub(crate) belongs_to: Option<NaiveDate>,
    pub(crate) amount: i64,
    /// Of a return.
    pub(crate) sale: Option<Sale>,
}

/// What a return is of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sale {
    pub(crate) day: NaiveDate,
    /// What of it had come back before.
    pub(crate) returned: i64,
}

impl Entry {
    /// The day on which it happened, whenever it counts.
    fn happened(&self) -> NaiveDate {
        self.belongs_to.unwrap_or(self.day)
    }

    fn fee(&self, terms: &Terms) -> i64 {
        let amount = self.amount.unsigned_abs();
        if self.amount > 0 {
            return terms.of_sale(self.happened(), amount);
        }
        let (sold, before) = match self.sale {
            Some(sale) => (sale.day, sale.returned.unsigned_abs()),
            None => (self.happened(), 0),
        };
        -terms.of_return(sold, before, amount)
    }
}

/// What entries come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) entries: u64,
    pub(crate) late: u64,
    pub(crate) sales: i64,
    pub(crate) returned: i64,
    pub(crate) fee: i64,
}

impl Totals {
    pub(crate) fn net(&self) -> i64 {
        self.sales - self.returned - self.fee
    }
}

/// Whose, of which period.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Whose {
    pub(crate) seller: String,
    pub(crate) currency: String,
}

/// Takes entries in their order; what it has written is hashed.
#[derive(Debug)]
pub(crate) struct Writing<'a> {
    whose: &'a Whose,
    terms: Terms,
    hash: Sha256,
    pub(crate) totals: Totals,
}

const HEAD: &str = "day,belongs_to,order,event,kind,amount,fee,net,currency\r\n";

impl<'a> Writing<'a> {
    /// With the head of the CSV.
    pub(crate) fn begin(whose: &'a Whose, schedules: &Schedules) -> (Self, String) {
        let writing = Self {
            whose,
            terms: schedules.of(&whose.seller, &whose.currency),
            hash: Sha256::new_with_prefix(HEAD),
            totals: Totals::default(),
        };
        (writing, HEAD.to_owned())
    }

    /// The CSV of these entries.
    pub(crate) fn add(&mut self, entries: &[Entry]) -> String {
        use std::fmt::Write as _;
        let mut csv = String::with_capacity(96 * entries.len());
        let currency = &self.whose.currency;
        for entry in entries {
            let fee = entry.fee(&self.terms);
            let totals = &mut self.totals;
            totals.entries += 1;
            totals.late += u64::from(entry.belongs_to.is_some());
            totals.fee += fee;
            let kind = if entry.amount > 0 {
                totals.sales += entry.amount;
                "sale"
            } else {
                totals.returned -= entry.amount;
                "return"
            };
            let belongs_to = entry
                .belongs_to
                .map(|day| day.to_string())
                .unwrap_or_default();
            let Entry {
                order,
                n,
                day,
                amount,
                ..
            } = entry;
            let net = amount - fee;
            let written = writeln!(
                csv,
                "{day},{belongs_to},{order},{n},{kind},{amount},{fee},{net},{currency}\r"
            );
            written.unwrap_or_default();
        }
        self.hash.update(&csv);
        csv
    }

    /// The CSV's last line, what it all comes to, and the hash of every byte.
    pub(crate) fn end(mut self) -> (String, Totals, [u8; 32]) {
        let Totals {
            sales,
            returned,
            fee,
            ..
        } = self.totals;
        let (amount, net) = (sales - returned, self.totals.net());
        let last = format!("total,,,,,{amount},{fee},{net},{}\r\n", self.whose.currency);
        self.hash.update(&last);
        (last, self.totals, self.hash.finalize().into())
    }
}

/// The page has its own style, by its hash, and nothing else: it is also a file that is sent on.
pub(crate) const POLICY: &str = "default-src 'none'; style-src 'sha256-OETUF46Mm/y62a9MZ8K7AYy83Hk/NfWsUEYarugiQ3g='; frame-ancestors 'none'";

/// A statement to be printed.
#[derive(Template)]
#[template(path = "statement.html")]
pub(crate) struct Page<'a> {
    pub(crate) period: String,
    pub(crate) seller: &'a str,
    pub(crate) currency: &'a str,
    pub(crate) totals: Totals,
    pub(crate) net: i64,
    pub(crate) carried_in: i64,
    pub(crate) payable: i64,
    pub(crate) digest: String,
    pub(crate) is_draft: bool,
}

impl<'a> Page<'a> {
    pub(crate) fn new(
        period: String,
        whose: &'a Whose,
        totals: Totals,
        carried_in: i64,
        digest: &[u8; 32],
        is_draft: bool,
    ) -> Self {
        let net = totals.net();
        Self {
            period,
            seller: &whose.seller,
            currency: &whose.currency,
            totals,
            net,
            carried_in,
            payable: net + carried_in,
            digest: to_hex(digest),
            is_draft,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fee::Schedule;
    use super::*;

    #[test]
    fn the_policy_allows_the_style_of_the_page_and_no_other() {
        use base64::Engine as _;
        let page = include_str!("../../templates/statement.html");
        let style = page.split("<style>").nth(1).unwrap();
        let style = style.split("</style>").next().unwrap();
        let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(style));
        assert!(
            POLICY.contains(&format!("style-src 'sha256-{hash}';")),
            "{hash}"
        );
    }

    fn entry(n: u32, amount: i64, belongs_to: Option<&str>) -> Entry {
        Entry {
            order: Uuid::from_u128(7),
            n,
            day: "2026-11-02".parse().unwrap(),
            belongs_to: belongs_to.map(|day| day.parse().unwrap()),
            amount,
            sale: None,
        }
    }

    #[test]
    fn a_statement_lists_every_entry_and_its_hash_is_of_every_byte() {
        let whose = Whose {
            seller: "x".to_owned(),
            currency: "KRW".to_owned(),
        };
        let schedules = Schedules(vec![Schedule {
            seller: "*".to_owned(),
            currency: "KRW".to_owned(),
            valid_from: "2026-01-01".parse().unwrap(),
            basis_points: 1_000,
            fixed: 10,
        }]);
        let all = [
            entry(3, 1_000, None),
            entry(5, -400, Some("2026-10-30")),
            entry(9, 500, None),
        ];
        let whole = |cuts: &[usize]| {
            let (mut writing, mut csv) = Writing::begin(&whose, &schedules);
            let mut from = 0;
            for to in cuts {
                csv += &writing.add(&all[from..*to]);
                from = *to;
            }
            let (last, totals, hash) = writing.end();
            (csv + &last, totals, hash)
        };
        let (csv, totals, hash) = whole(&[3]);
        assert_eq!(
            csv,
            "day,belongs_to,order,event,kind,amount,fee,net,currency\r\n\
             2026-11-02,,00000000-0000-0000-0000-000000000007,3,sale,1000,110,890,KRW\r\n\
             2026-11-02,2026-10-30,00000000-0000-0000-0000-000000000007,5,return,-400,-40,-360,KRW\r\n\
             2026-11-02,,00000000-0000-0000-0000-000000000007,9,sale,500,60,440,KRW\r\n\
             total,,,,,1100,130,970,KRW\r\n"
        );
        let expected = Totals {
            entries: 3,
            late: 1,
            sales: 1_500,
            returned: 400,
            fee: 130,
        };
        assert_eq!((totals, totals.net()), (expected, 970));
        assert_eq!(hash, <[u8; 32]>::from(Sha256::digest(&csv)));
        assert_eq!(whole(&[1, 2, 3]), (csv, totals, hash), "however it is cut");
    }

    #[test]
    fn what_comes_back_is_charged_as_it_was_sold() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let since = |from: &str, basis_points| Schedule {
            seller: "x".to_owned(),
            currency: "KRW".to_owned(),
            valid_from: day(from),
            basis_points,
            fixed: 0,
        };
        let terms = Schedules(vec![since("2026-01-01", 1_000), since("2026-11-01", 200)]);
        let terms = terms.of("x", "KRW");
        let sold = entry(3, 105, Some("2026-10-30"));
        assert_eq!(sold.fee(&terms), 11, "by the day on which it was sold");
        let back = |amount, returned| Entry {
            sale: Some(Sale {
                day: day("2026-10-30"),
                returned,
            }),
            ..entry(5, amount, None)
        };
        let fees = [
            back(-35, 0).fee(&terms),
            back(-35, 35).fee(&terms),
            back(-35, 70).fee(&terms),
        ];
        assert_eq!(fees, [-4, -3, -4]);
    }

    #[test]
    fn a_page_escapes_and_says_what_is_paid_out() {
        let whose = Whose {
            seller: "<x>".to_owned(),
            currency: "KRW".to_owned(),
        };
        let totals = Totals {
            sales: 1_000,
            ..Totals::default()
        };
        let page = Page::new("2026-11".to_owned(), &whose, totals, -1_200, &[0; 32], true);
        let html = page.render().unwrap();
        assert!(!html.contains("<x>") && html.contains("-200"));
    }
}
