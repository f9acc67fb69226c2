//! What differs, found by pure comparison of what `live` and `store` have read. Nothing here asks a server.

use std::collections::{BTreeMap, HashSet};

use doorbuster_core::draw::Drawn;
use doorbuster_core::gate::snapshot::Snapshot;
use doorbuster_core::ids::{LiveId, ReservationId};

use super::account::{Account, Units};
use super::fact::{Fact, Lines};
use super::report::{Difference, Kind, SaleReport};
use super::store::Head;

/// Differences of one sale, as they are found.
#[derive(Debug)]
pub(super) struct Findings {
    sale: String,
    differences: Vec<Difference>,
    records: usize,
    moving: usize,
}

/// How far Redis was ahead when its counters were read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ahead {
    pub(super) events: u64,
    pub(super) is_vouched: bool,
}

/// Who sums up, and what came out.
type Side<'a> = (&'static str, &'a Account);
/// A counter and its name.
type Counter = (&'static str, fn(&Units) -> i64);

impl Findings {
    pub(super) fn new(live: &LiveId) -> Self {
        Self {
            sale: live.book_id(),
            differences: Vec::new(),
            records: 0,
            moving: 0,
        }
    }

    fn add(&mut self, kind: Kind) -> &mut Difference {
        self.differences.push(Difference::new(kind));
        let last = self.differences.len() - 1;
        &mut self.differences[last]
    }

    /// Journal rows are numbered without a gap.
    pub(super) fn follows(&mut self, seq: u64, next: u64) {
        if next != seq + 1 {
            self.add(Kind::JournalGap)
                .seq(seq + 1)
                .says("expected", seq + 1)
                .says("journal", next);
        }
    }

    /// So is the tail, from the books' cursor to what the counters have seen.
    pub(super) fn tail(
        &mut self,
        cursor_seq: u64,
        seqs: impl Iterator<Item = u64>,
        counted_seq: u64,
    ) {
        let mut last_seq = cursor_seq;
        for seq in seqs {
            self.follows(last_seq, seq);
            last_seq = seq;
        }
        if last_seq < counted_seq {
            self.add(Kind::JournalGap)
                .seq(last_seq + 1)
                .says("expected", last_seq + 1)
                .says("journal", "nothing");
        }
    }

    pub(super) fn unreadable(&mut self, seq: u64) {
        self.add(Kind::JournalUnreadable).seq(seq);
    }

    pub(super) fn cursor(&mut self, cursor_seq: u64, last_seq: u64) {
        if cursor_seq != last_seq {
            self.add(Kind::Cursor)
                .says("cursor", cursor_seq)
                .says("journal", last_seq);
        }
    }

    pub(super) fn dead_letter(&mut self, seq: u64, error: &str) {
        self.add(Kind::DeadLetter).seq(seq).says("error", error);
    }

    /// The books' draw is their journal's.
    pub(super) fn draw(&mut self, journal: Option<(u64, Drawn)>, draws: Option<(u64, Drawn)>) {
        if journal != draws {
            let says = |draw: Option<(u64, Drawn)>| {
                draw.map_or_else(
                    || "nothing".to_owned(),
                    |(seq, drawn)| format!("{} by event {seq}", drawn.text()),
                )
            };
            self.add(Kind::Draw)
                .says("journal", says(journal))
                .says("draws", says(draws));
        }
    }

    pub(super) fn sale_missing(&mut self, books_seq: u64) {
        self.add(Kind::SaleMissing)
            .says("redis", "nothing")
            .says("books", format_args!("{books_seq} events"));
    }

    /// The books know a record that Redis does not.
    pub(super) fn record_missing(&mut self, books: &Fact) {
        self.add(Kind::RecordMissing)
            .id(books.id)
            .seq(books.seq)
            .says("redis", "nothing")
            .says("books", &books.status);
    }

    /// Redis knows a record that the books do not; forgiven later if the journal's tail has it.
    pub(super) fn record_unknown(&mut self, redis: &Fact) {
        self.add(Kind::RecordUnknown)
            .id(redis.id)
            .seq(redis.seq)
            .says("redis", &redis.status)
            .says("books", "nothing");
    }

    pub(super) fn record_malformed(&mut self, id: ReservationId, why: &str) {
        self.add(Kind::RecordMalformed).id(id).says("redis", why);
    }

    /// One record, field by field.
    pub(super) fn fields(&mut self, redis: &Fact, books: &Fact) {
        let lines = |lines: &Lines| {
            lines
                .iter()
                .map(|(sku, quantity)| format!("{sku}={quantity}"))
                .collect::<Vec<_>>()
                .join(",")
        };
        let body = |fact: &Fact| {
            fact.body.map_or_else(String::new, |body| {
                format!("{:032x}", u128::from_be_bytes(body))
            })
        };
        let fields = [
            ("user", redis.user.clone(), books.user.clone()),
            ("status", redis.status.clone(), books.status.clone()),
            ("lines", lines(&redis.lines), lines(&books.lines)),
            ("returned", lines(&redis.returned), lines(&books.returned)),
            ("seq", redis.seq.to_string(), books.seq.to_string()),
            ("time", redis.at_ms.to_string(), books.at_ms.to_string()),
            ("body", body(redis), body(books)),
        ];
        for (field, redis_says, books_say) in fields {
            if redis_says != books_say {
                self.add(Kind::RecordField)
                    .id(redis.id)
                    .seq(books.seq)
                    .field(field)
                    .says("redis", redis_says)
                    .says("books", books_say);
            }
        }
    }

    /// What the tail touches has moved since the books were read: no difference.
    pub(super) fn forgive(&mut self, touched: &HashSet<ReservationId>) {
        self.moving = touched.len();
        self.differences
            .retain(|difference| !difference.concerns_one_of(touched));
    }

    pub(super) fn records(&mut self, count: usize) {
        self.records = count;
    }

    /// The head of the sale in Redis against the books.
    pub(super) fn head(&mut self, snapshot: &Snapshot, head: &Head) {
        if snapshot.epoch != head.epoch {
            self.add(Kind::Epoch)
                .says("redis", snapshot.epoch)
                .says("books", head.epoch);
        }
        if snapshot.seq < head.seq {
            self.add(Kind::Rewound)
                .says("redis", snapshot.seq)
                .says("books", head.seq);
        }
        for (sku, stock) in &snapshot.stock {
            if stock.difference() != 0 {
                let law = format!(
                    "{} left + {} held + {} sold",
                    stock.left, stock.held, stock.sold
                );
                self.add(Kind::Conservation)
                    .sku(sku.as_str())
                    .says("stocked", stock.stocked)
                    .says("counted", law);
            }
        }
    }

    /// Units held and sold, said twice.
    pub(super) fn sums(
        &mut self,
        one: &'static str,
        by_one: &Account,
        other: &'static str,
        by_other: &Account,
    ) {
        self.compare(
            (one, by_one),
            (other, by_other),
            &[("held", |u| u.held), ("sold", |u| u.sold)],
        );
    }

    /// The same and units stocked, where both sides know of them.
    pub(super) fn stock(
        &mut self,
        one: &'static str,
        by_one: &Account,
        other: &'static str,
        by_other: &Account,
    ) {
        self.compare(
            (one, by_one),
            (other, by_other),
            &[
                ("stocked", |u| u.stocked),
                ("held", |u| u.held),
                ("sold", |u| u.sold),
            ],
        );
    }

    fn compare(&mut self, one: Side<'_>, other: Side<'_>, fields: &[Counter]) {
        let skus: BTreeMap<&String, ()> = one
            .1
            .skus
            .keys()
            .chain(other.1.skus.keys())
            .map(|sku| (sku, ()))
            .collect();
        for sku in skus.into_keys() {
            let units = |account: &Account| account.skus.get(sku).copied().unwrap_or_default();
            for (field, of) in fields {
                let (by_one, by_other) = (of(&units(one.1)), of(&units(other.1)));
                if by_one != by_other {
                    self.add(Kind::Sum)
                        .sku(sku)
                        .field(field)
                        .says(one.0, by_one)
                        .says(other.0, by_other);
                }
            }
        }
    }

    pub(super) fn finish(self, head: &Head, ahead: Option<Ahead>) -> SaleReport {
        SaleReport {
            sale: self.sale,
            epoch: head.epoch,
            books_seq: head.seq,
            in_redis: ahead.is_some(),
            vouched: ahead.is_some_and(|ahead| ahead.is_vouched),
            lag_events: ahead.map_or(0, |ahead| ahead.events),
            records: self.records,
            moving: self.moving,
            differences: self.differences,
            repairs: Vec::new(),
            repair_tried: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use doorbuster_core::ids::SaleId;

    use super::super::fact::Holding;
    use super::*;

    fn findings() -> Findings {
        Findings::new(&LiveId::Sale(SaleId::parse("s").unwrap()))
    }

    fn fact() -> Fact {
        Fact {
            id: ReservationId::from_bytes([7; 16]),
            seq: 2,
            user: "ann".into(),
            status: "held".into(),
            holding: Holding::Held,
            at_ms: 9,
            lines: vec![("a".into(), 1)],
            returned: vec![],
            body: Some([1; 16]),
        }
    }

    fn kinds(findings: &Findings) -> Vec<Kind> {
        findings
            .differences
            .iter()
            .map(|difference| difference.kind)
            .collect()
    }

    #[test]
    fn equal_records_do_not_differ_and_every_field_is_looked_at() {
        type Change = fn(&mut Fact);
        let changes: [(&str, Change); 7] = [
            ("user", |f| f.user = "bob".into()),
            ("status", |f| f.status = "paid".into()),
            ("lines", |f| f.lines[0].1 = 2),
            ("returned", |f| f.returned = vec![("a".into(), 1)]),
            ("seq", |f| f.seq = 3),
            ("time", |f| f.at_ms = 10),
            ("body", |f| f.body = None),
        ];
        let mut same = findings();
        same.fields(&fact(), &fact());
        assert!(same.differences.is_empty());
        for (field, change) in changes {
            let mut other = fact();
            change(&mut other);
            let mut findings = findings();
            findings.fields(&other, &fact());
            assert_eq!(
                findings
                    .differences
                    .iter()
                    .map(|d| d.field)
                    .collect::<Vec<_>>(),
                [Some(field)]
            );
        }
    }

    #[test]
    fn what_moves_is_forgiven_and_nothing_else() {
        let mut findings = findings();
        findings.record_unknown(&fact());
        findings.dead_letter(5, "x");
        findings.forgive(&HashSet::from([ReservationId::from_bytes([8; 16])]));
        assert_eq!(kinds(&findings), [Kind::RecordUnknown, Kind::DeadLetter]);
        findings.forgive(&HashSet::from([fact().id]));
        assert_eq!(kinds(&findings), [Kind::DeadLetter]);
    }

    #[test]
    fn sums_are_compared_for_skus_that_only_one_side_has_too() {
        let mut findings = findings();
        let mut journal = Account::default();
        journal.hold(Holding::Held, &vec![("a".into(), 1)], &vec![]);
        findings.sums("journal", &journal, "reservations", &Account::default());
        assert_eq!(
            findings.differences[0].to_string(),
            "sum a held: journal says 1, reservations says 0"
        );
    }

    #[test]
    fn a_gap_in_the_journal_is_found_wherever_it_is() {
        let mut findings = findings();
        for (seq, next) in [(0, 1), (1, 2), (2, 4), (0, 2)] {
            findings.follows(seq, next);
        }
        assert_eq!(kinds(&findings), [Kind::JournalGap, Kind::JournalGap]);
    }
}
