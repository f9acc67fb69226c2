//! Holds a published draw against what its parts come to. Pure: everything it is told, anyone can be told.

use doorbuster_core::draw::{DrawSecret, Entry, EntryList, Ranks};
use doorbuster_core::hex::{from_hex, to_hex};
use serde::{Deserialize, Serialize};

use crate::limits::FINDINGS_KEPT_MAX;

/// A draw as the back-office publishes it.
#[derive(Debug, Clone, Deserialize)]
pub struct Published {
    pub sale: String,
    pub salt: String,
    pub commitment: String,
    /// These are there once it is done.
    pub early: Option<u32>,
    pub secret: Option<String>,
    pub list_hash: Option<String>,
    pub seed: Option<String>,
}

/// One line of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    pub number: u32,
    pub entry: Entry,
    pub place: u32,
}

/// What somebody who was there remembers.
#[derive(Debug, Clone, Default)]
pub struct Remembered {
    /// The commitment as it was before the sale.
    pub commitment: Option<String>,
    /// Number and entry of a ticket of one's own.
    pub own: Option<(u32, Entry)>,
}

/// The verdict.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    pub sale: String,
    pub early: u32,
    /// Numbers that nobody had when they were drawn.
    pub vacant: u32,
    /// What differs; of many, the first.
    pub findings: Vec<String>,
    /// How many differ.
    pub differences: usize,
}

/// A draw that cannot be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotJudged {
    #[error("{0} is not drawn yet")]
    NotDrawn(String),
    #[error("{0} is not the hex of {1} bytes")]
    Malformed(&'static str, usize),
    #[error("line {0} of the list is not number,entry,place")]
    Row(usize),
}

impl Row {
    /// The lines of a list, without the one that names its columns.
    ///
    /// # Errors
    /// [`NotJudged::Row`] naming the first that is none.
    pub fn parse_all(csv: &str) -> Result<Vec<Self>, NotJudged> {
        let lines = csv.lines().enumerate();
        let rows = lines.filter(|(_, line)| !line.starts_with("number,") && !line.is_empty());
        rows.map(|(i, line)| Self::parse(line).ok_or(NotJudged::Row(i + 1)))
            .collect()
    }

    fn parse(line: &str) -> Option<Self> {
        let mut parts = line.trim_end().split(',');
        let row = Self {
            number: parts.next()?.parse().ok()?,
            entry: Entry::parse(parts.next()?)?,
            place: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(row)
    }
}

impl Verified {
    fn differs(&mut self, what: impl FnOnce() -> String) {
        self.differences += 1;
        if self.findings.len() < FINDINGS_KEPT_MAX {
            self.findings.push(what());
        }
    }

    fn equal(&mut self, what: &str, comes_to: &str, published: &str) {
        if comes_to != published {
            self.differs(|| {
                format!("{what}: it comes to {comes_to}, and {published} is published")
            });
        }
    }
}

/// # Errors
/// [`NotJudged`] where the draw is not done, or is not of the published form.
pub fn judge(
    published: &Published,
    rows: &[Row],
    remembered: &Remembered,
) -> Result<Verified, NotJudged> {
    let missing = || NotJudged::NotDrawn(published.sale.clone());
    let early = published.early.ok_or_else(missing)?;
    let secret = published.secret.as_deref().ok_or_else(missing)?;
    let list_hash = published.list_hash.as_deref().ok_or_else(missing)?;
    let seed = published.seed.as_deref().ok_or_else(missing)?;
    let secret = from_hex(secret).ok_or(NotJudged::Malformed("the secret", 32))?;
    let secret = DrawSecret::from_bytes(secret);

    let mut verified = Verified {
        sale: published.sale.clone(),
        early,
        ..Verified::default()
    };
    let commitment = to_hex(&secret.commitment());
    verified.equal("commitment", &commitment, &published.commitment);
    if let Some(before) = &remembered.commitment
        && *before != published.commitment
    {
        verified.differs(|| {
            format!(
                "commitment: {} is published now, and {before} was before the sale",
                published.commitment
            )
        });
    }
    let list = gather(early, rows, &mut verified);
    let comes_to = list.hash();
    verified.equal("list hash", &to_hex(&comes_to), list_hash);
    let drawn_seed = secret.seed(&comes_to);
    verified.equal("seed", &to_hex(&drawn_seed), seed);
    places(&Ranks::new(&drawn_seed, early), rows, &mut verified);
    if let Some((number, entry)) = remembered.own
        && list.get(number) != Some(entry)
    {
        verified.differs(|| {
            let there = list
                .get(number)
                .map_or_else(|| "nobody".to_owned(), |there| there.to_string());
            format!("your entry: number {number} is {entry}, and {there} is in the list")
        });
    }
    Ok(verified)
}

/// The list, of the lines as they come: each number once, from 1 on.
fn gather(early: u32, rows: &[Row], verified: &mut Verified) -> EntryList {
    let mut list = EntryList::vacant(early);
    if rows.len() != early as usize {
        verified.differs(|| {
            format!(
                "list: it has {} entries, and {early} came early",
                rows.len()
            )
        });
    }
    for (number, row) in (1..).zip(rows) {
        if row.number != number {
            verified.differs(|| format!("list: line {number} is of number {}", row.number));
        }
        verified.vacant += u32::from(row.entry == Entry::VACANT);
        list.put(row.number, row.entry);
    }
    list
}

fn places(ranks: &Ranks, rows: &[Row], verified: &mut Verified) {
    for row in rows {
        if let Some(place) = ranks.place_of(row.number)
            && place != row.place
        {
            verified.differs(|| {
                format!(
                    "place of number {}: it comes to {place}, and {} is published",
                    row.number, row.place
                )
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use doorbuster_core::draw::{DrawKeys, ENTRY_BYTES};
    use doorbuster_core::ids::{SaleId, UserId};

    use super::*;

    /// An honest draw of so many.
    fn honest(early: u32) -> (Published, Vec<Row>) {
        let sale = SaleId::parse("drop-1").unwrap();
        let keys = DrawKeys::derive(&[7; 32], None).unwrap();
        let pledge = keys.pledge(&sale, "00".repeat(16));
        let draw = keys.pledged(&sale, &pledge).unwrap();
        let mut list = EntryList::vacant(early);
        for number in 1..=early {
            let user = UserId::parse(format!("u{number}")).unwrap();
            list.put(number, draw.entry(&user, number));
        }
        let drawn = draw.draw(&list);
        let ranks = Ranks::new(&drawn.seed, early);
        let row = |number| Row {
            number,
            entry: list.get(number).unwrap(),
            place: ranks.place_of(number).unwrap(),
        };
        let published = Published {
            sale: "drop-1".into(),
            salt: pledge.salt,
            commitment: pledge.commitment,
            early: Some(early),
            secret: Some(to_hex(&drawn.secret.reveal())),
            list_hash: Some(to_hex(&drawn.list_hash)),
            seed: Some(to_hex(&drawn.seed)),
        };
        (published, (1..=early).map(row).collect())
    }

    /// What is found, by the word before the colon.
    fn found(published: &Published, rows: &[Row], remembered: &Remembered) -> Vec<String> {
        let verified = judge(published, rows, remembered).unwrap();
        assert_eq!(
            verified.findings.len(),
            verified.differences.min(FINDINGS_KEPT_MAX)
        );
        let what = |finding: &String| finding.split(':').next().unwrap().to_owned();
        verified.findings.iter().map(what).collect()
    }

    fn one() -> Remembered {
        Remembered::default()
    }

    #[test]
    fn an_honest_draw_has_no_differences_and_one_may_be_of_nobody() {
        for early in [0, 1, 50] {
            let (published, rows) = honest(early);
            let own = rows.first().map(|row| (row.number, row.entry));
            let commitment = Some(published.commitment.clone());
            let remembered = Remembered { commitment, own };
            assert_eq!(found(&published, &rows, &remembered), [""; 0]);
        }
    }

    #[test]
    fn a_changed_seed_is_caught() {
        let (mut published, rows) = honest(50);
        published.seed = Some("11".repeat(32));
        assert_eq!(found(&published, &rows, &one()), ["seed"]);
    }

    #[test]
    fn a_secret_other_than_the_pledged_one_is_caught() {
        let (mut published, rows) = honest(50);
        published.secret = Some("11".repeat(32));
        let found = found(&published, &rows, &one());
        assert_eq!(found[..2], ["commitment", "seed"]);
        // Even where all of it fits together.
        let (mut published, rows) = honest(50);
        let remembered = Remembered {
            commitment: Some("11".repeat(32)),
            own: None,
        };
        assert_eq!(self::found(&published, &rows, &remembered), ["commitment"]);
        published.commitment = "11".repeat(32);
        assert_eq!(self::found(&published, &rows, &remembered), ["commitment"]);
    }

    #[test]
    fn a_changed_list_is_caught_whichever_way_it_was_changed() {
        type Change = fn(&mut Vec<Row>);
        let changes: [Change; 5] = [
            |rows| rows[3].entry = Entry([1; ENTRY_BYTES]),
            |rows| rows.truncate(49),
            |rows| rows.push(rows[0]),
            |rows| {
                let (one, other) = (rows[1].entry, rows[2].entry);
                (rows[1].entry, rows[2].entry) = (other, one);
            },
            |rows| rows[4].number = 4,
        ];
        for change in changes {
            let (published, mut rows) = honest(50);
            change(&mut rows);
            let found = found(&published, &rows, &one());
            assert!(
                found
                    .iter()
                    .any(|what| what == "list" || what == "list hash"),
                "{found:?}"
            );
        }
    }

    #[test]
    fn a_changed_order_is_caught_and_each_place_is_named() {
        let (published, mut rows) = honest(50);
        let (one_place, other) = (rows[6].place, rows[7].place);
        (rows[6].place, rows[7].place) = (other, one_place);
        assert_eq!(
            found(&published, &rows, &one()),
            ["place of number 7", "place of number 8"]
        );
    }

    #[test]
    fn whoever_was_left_out_of_the_list_sees_it() {
        let (published, rows) = honest(50);
        for own in [(3, Entry([9; ENTRY_BYTES])), (51, rows[0].entry)] {
            let remembered = Remembered {
                commitment: None,
                own: Some(own),
            };
            assert_eq!(found(&published, &rows, &remembered), ["your entry"]);
        }
    }

    #[test]
    fn what_is_not_drawn_or_malformed_is_not_judged() {
        let (published, rows) = honest(2);
        let not_yet = Published {
            seed: None,
            ..published.clone()
        };
        let judged = judge(&not_yet, &rows, &one());
        assert_eq!(judged, Err(NotJudged::NotDrawn("drop-1".into())));
        let malformed = Published {
            secret: Some("zz".into()),
            ..published
        };
        assert!(judge(&malformed, &rows, &one()).is_err());
        let csv = "number,entry,place\n1,00000000000000000000000000000000,2\n";
        assert_eq!(Row::parse_all(csv).unwrap()[0].place, 2);
        for bad in ["1,00,2", "x,00000000000000000000000000000000,2", "1,2"] {
            assert_eq!(Row::parse_all(bad), Err(NotJudged::Row(1)), "{bad}");
        }
    }
}
