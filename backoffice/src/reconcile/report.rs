//! What reconcile found, for people and as JSON. Printed by `main`.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use doorbuster_core::ids::ReservationId;
use serde::Serialize;
use serde_json::Value;

use super::money::MoneyReport;

/// What differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Redis does not know a sale that has events in the books.
    SaleMissing,
    /// Redis is older than the books.
    Rewound,
    Epoch,
    /// The cursor is not at the journal's last event.
    Cursor,
    JournalGap,
    JournalUnreadable,
    DeadLetter,
    /// stocked = left + held + sold does not hold in Redis.
    Conservation,
    /// Two sums of the same units differ.
    Sum,
    /// The books know a record that Redis does not.
    RecordMissing,
    /// Redis knows a record that the books do not.
    RecordUnknown,
    RecordField,
    RecordMalformed,
    /// The draw in the books is not the one that their journal has.
    Draw,
}

/// What was repaired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mended {
    /// Columns of a journal row that its raw event did not bear out.
    JournalColumns,
    /// The cursor was behind the journal.
    Cursor,
    /// A reservation or claim that the journal has, and the books had not.
    RowAdded,
    RowRewritten,
    /// A reservation or claim that no event explains.
    RowRemoved,
}

/// One repair of the books.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Repair {
    pub what: Mended,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<ReservationId>,
    pub seq: u64,
    /// Null: nothing was there, or is.
    pub before: Value,
    pub after: Value,
}

/// One difference, with what each side says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<ReservationId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<&'static str>,
    /// Who says what: redis, books, counters, records, journal, reservations, draws.
    pub says: BTreeMap<&'static str, String>,
}

/// One sale or coupon.
#[derive(Debug, Serialize)]
pub struct SaleReport {
    pub sale: String,
    pub epoch: u32,
    /// Last event in the books when they were read.
    pub books_seq: u64,
    pub in_redis: bool,
    /// Whether it may sell on the present Redis process.
    pub vouched: bool,
    /// Events that Redis had and the books had not: a lag, not a difference.
    pub lag_events: u64,
    /// Records compared.
    pub records: usize,
    /// Records that changed while they were looked at, and are left to the next run.
    pub moving: usize,
    pub differences: Vec<Difference>,
    /// What this run has repaired; `differences` are those that it left.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub repairs: Vec<Repair>,
    #[serde(skip)]
    pub(super) repair_tried: bool,
}

/// All of them.
#[derive(Debug, Serialize)]
pub struct Report {
    /// How many, over all sales; after repairs, where these were asked for.
    pub differences: usize,
    /// How many rows were repaired.
    pub repaired: usize,
    pub sales: Vec<SaleReport>,
    /// Orders and money; not where one sale was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub money: Option<MoneyReport>,
}

impl Report {
    pub(super) fn new(sales: Vec<SaleReport>, money: Option<MoneyReport>) -> Self {
        let of_money = money.as_ref().map_or(0, |money| money.differences.len());
        let of_sales: usize = sales.iter().map(|sale| sale.differences.len()).sum();
        Self {
            differences: of_sales + of_money,
            money,
            repaired: sales.iter().map(|sale| sale.repairs.len()).sum(),
            sales,
        }
    }
}

impl SaleReport {
    /// What to do about the differences; nothing where there are none.
    pub fn advice(&self) -> Option<String> {
        let has = |kinds: &[Kind]| self.differences.iter().any(|d| kinds.contains(&d.kind));
        let books = |d: &Difference| {
            d.kind == Kind::Sum
                && d.says.contains_key("journal")
                && d.says.contains_key("reservations")
        };
        let sale = &self.sale;
        Some(if self.differences.is_empty() {
            return None;
        } else if has(&[Kind::DeadLetter]) {
            format!("settle its dead letters first: GET /admin/v1/dead-letters?sale={sale}")
        } else if !self.repair_tried {
            "reconcile --repair mends what differs from the books' own journal".to_owned()
        } else if has(&[Kind::JournalGap, Kind::JournalUnreadable, Kind::Cursor]) {
            "the journal itself is damaged, and nothing can be rebuilt from it: restore the books from a backup".to_owned()
        } else if self.lag_events + self.moving as u64 > 0 {
            "the sale moves: look again once it is quiet".to_owned()
        } else if self.differences.iter().any(books) {
            "an event that was discarded stays different".to_owned()
        } else {
            format!(
                "the books agree with themselves and redis does not with them: doorbuster-backoffice rebuild --sale {sale}"
            )
        })
    }
}

impl Difference {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            sku: None,
            id: None,
            seq: None,
            field: None,
            says: BTreeMap::new(),
        }
    }

    pub(super) fn sku(&mut self, sku: &str) -> &mut Self {
        self.sku = Some(sku.to_owned());
        self
    }

    pub(super) fn id(&mut self, id: ReservationId) -> &mut Self {
        self.id = Some(id);
        self
    }

    pub(super) fn seq(&mut self, seq: u64) -> &mut Self {
        self.seq = Some(seq);
        self
    }

    pub(super) fn field(&mut self, field: &'static str) -> &mut Self {
        self.field = Some(field);
        self
    }

    pub(super) fn says(&mut self, who: &'static str, what: impl fmt::Display) -> &mut Self {
        self.says.insert(who, what.to_string());
        self
    }

    pub(super) fn concerns_one_of(&self, ids: &HashSet<ReservationId>) -> bool {
        self.id.is_some_and(|id| ids.contains(&id))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for sale in &self.sales {
            writeln!(f, "{sale}")?;
        }
        if let Some(money) = &self.money {
            writeln!(f, "{money}")?;
        }
        write!(
            f,
            "{} sales, {} differences",
            self.sales.len(),
            self.differences
        )?;
        match self.repaired {
            0 => Ok(()),
            repaired => write!(f, ", {repaired} repaired"),
        }
    }
}

impl fmt::Display for SaleReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            sale,
            epoch,
            books_seq,
            records,
            moving,
            lag_events,
            ..
        } = self;
        write!(
            f,
            "{sale}: {records} records, epoch {epoch}, {books_seq} events in the books, {lag_events} on their way, {moving} records moving"
        )?;
        match (self.in_redis, self.vouched) {
            (false, _) => write!(f, "; not in redis")?,
            (true, false) => write!(f, "; recovering: nobody has vouched for it")?,
            (true, true) => {}
        }
        self.repairs
            .iter()
            .try_for_each(|repair| write!(f, "\n  repaired {repair}"))?;
        self.differences
            .iter()
            .try_for_each(|difference| write!(f, "\n  {difference}"))?;
        self.advice()
            .map_or(Ok(()), |advice| write!(f, "\n  {advice}"))
    }
}

impl fmt::Display for Difference {
    /// e.g. `record_field 0b2c…: status (seq 7): books says held, redis says paid`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&word(self.kind))?;
        if let Some(sku) = &self.sku {
            write!(f, " {sku}")?;
        }
        if let Some(id) = &self.id {
            write!(f, " {id}")?;
        }
        if let Some(field) = self.field {
            write!(f, " {field}")?;
        }
        if let Some(seq) = self.seq {
            write!(f, " (seq {seq})")?;
        }
        for (i, (who, what)) in self.says.iter().enumerate() {
            write!(f, "{} {who} says {what}", if i == 0 { ":" } else { "," })?;
        }
        Ok(())
    }
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&word(self.what))?;
        if let Some(id) = &self.id {
            write!(f, " {id}")?;
        }
        write!(f, " (seq {}): {} → {}", self.seq, self.before, self.after)
    }
}

/// The word that JSON has for it.
fn word(kind: impl Serialize) -> String {
    serde_json::to_value(kind)
        .ok()
        .and_then(|kind| kind.as_str().map(str::to_owned))
        .unwrap_or_default()
}
