//! What reconcile asks of Redis: every record, then the counters, then the journal's tail. Called by `reconcile` in that order, which
//! is what makes a moving sale comparable.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context as _, Result, bail};
use doorbuster_core::gate::snapshot::{Snapped, Snapshot};
use doorbuster_core::gate::{Fenced, Gate};
use doorbuster_core::ids::{LiveId, ReservationId};
use doorbuster_core::journal::Event;
use doorbuster_core::record::Line;
use sqlx::mysql::{MySqlConnection, MySqlPool};

use super::Tail;
use super::account::Account;
use super::compare::{Ahead, Findings};
use super::fact::{Fact, Facts, Lines, Scanned, holding};
use super::report::SaleReport;
use super::store::{self, Head};
use crate::limits::{RECONCILE_CHUNK, RECONCILE_ENTRIES};
use crate::raw;

/// What is known before the counters are read.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) facts: Facts,
    /// As of the books' cursor.
    pub(super) journal: Account,
}

/// Every record, each compared with the books in chunks; `None` where Redis does not know the sale.
pub(super) async fn scan(
    gate: &Gate,
    tx: &mut MySqlConnection,
    live: &LiveId,
    findings: &mut Findings,
) -> Result<Option<Facts>> {
    if snapshot(gate, live).await?.is_none() {
        return Ok(None);
    }
    let mut facts = Facts::default();
    let mut cursor = 0;
    loop {
        let (next, records) = gate
            .scan_records(live, cursor, RECONCILE_CHUNK as usize)
            .await?;
        // A small hash comes whole whatever was asked for, so it is cut here.
        for chunk in records.chunks(RECONCILE_CHUNK as usize) {
            compare_chunk(gate, tx, live, chunk, (&mut facts, findings)).await?;
        }
        if next == 0 {
            findings.records(facts.len());
            return Ok(Some(facts));
        }
        cursor = next;
    }
}

async fn compare_chunk(
    gate: &Gate,
    tx: &mut MySqlConnection,
    live: &LiveId,
    chunk: &[(ReservationId, Vec<u8>)],
    (facts, findings): (&mut Facts, &mut Findings),
) -> Result<()> {
    let mut fresh = Vec::with_capacity(chunk.len());
    let ids: Vec<ReservationId> = chunk.iter().map(|(id, _)| *id).collect();
    let mut returned = gate.returns_of(live, &ids).await?;
    for (id, bytes) in chunk {
        let parsed = Fact::parse(live, *id, bytes).map(|mut fact| {
            fact.returned = lines_of(returned.remove(id));
            fact
        });
        match parsed {
            Ok(fact) => fresh.extend(facts.insert(&fact).then_some(fact)),
            Err(why) => findings.record_malformed(*id, why.0),
        }
    }
    let ids: Vec<ReservationId> = fresh.iter().map(|fact| fact.id).collect();
    let books = store::facts_of(tx, live, &ids).await?;
    for fact in &fresh {
        match books.get(&fact.id) {
            Some(written) => findings.fields(fact, written),
            None => findings.record_unknown(fact),
        }
    }
    Ok(())
}

/// In the order of skus.
fn lines_of(returned: Option<Vec<Line>>) -> Lines {
    let lines = returned.into_iter().flatten();
    let mut lines: Lines = lines
        .map(|line| (line.sku.to_string(), line.quantity))
        .collect();
    lines.sort();
    lines
}

/// The counters against the records and against the journal, both brought to the counters' instant.
pub(super) async fn counters(
    gate: &Gate,
    books: &MySqlPool,
    live: &LiveId,
    head: &Head,
    known: Known,
    mut findings: Findings,
) -> Result<SaleReport> {
    let snapshot = snapshot(gate, live)
        .await?
        .with_context(|| format!("{live} has vanished from redis"))?;
    let tail = tail(gate, books, live, head, &mut findings).await?;
    findings.forgive(&tail.values().filter_map(subject).collect());
    findings.head(&snapshot, head);
    findings.tail(head.seq, tail.keys().copied(), snapshot.seq);

    let Known {
        mut facts,
        mut journal,
    } = known;
    let until = || tail.range(..=snapshot.seq).map(|(_, event)| event);
    until().for_each(|event| journal.apply(event));
    let mut latest: HashMap<ReservationId, Latest<'_>> = HashMap::new();
    until().for_each(|event| Latest::note(&mut latest, event));
    let mut records = Account::new(live);
    for (id, latest) in &latest {
        latest.hold(facts.remove(*id).as_ref(), &mut records);
    }
    facts
        .iter()
        .for_each(|fact| records.hold(fact.holding, &fact.lines, &fact.returned));

    let counters = Account::of_counters(&snapshot);
    findings.sums("counters", &counters, "records", &records);
    findings.stock("counters", &counters, "journal", &journal);
    let ahead = Ahead {
        events: snapshot.seq.saturating_sub(head.seq),
        is_vouched: snapshot.is_vouched(),
    };
    Ok(findings.finish(head, Some(ahead)))
}

/// What the tail says last of one reservation or claim: what it is, and what of it has come back.
#[derive(Debug, Default)]
struct Latest<'a> {
    event: Option<&'a Event>,
    returned: BTreeMap<String, u32>,
}

impl<'a> Latest<'a> {
    fn note(all: &mut HashMap<ReservationId, Self>, event: &'a Event) {
        match event {
            Event::Reservation { id, .. } | Event::Claimed { id, .. } => {
                all.entry(*id).or_default().event = Some(event);
            }
            Event::Returned(back) => {
                let known = all.entry(back.id).or_default();
                known.returned.insert(back.sku.to_string(), back.total);
            }
            _ => {}
        }
    }

    /// Adds what it holds: what the scan saw is older, and stands where the tail says nothing.
    fn hold(&self, scanned: Option<&Scanned>, account: &mut Account) {
        let mut returned: BTreeMap<String, u32> = scanned
            .map(|scanned| scanned.returned.iter().cloned().collect())
            .unwrap_or_default();
        returned.extend(self.returned.clone());
        let returned: Lines = returned.into_iter().collect();
        match (self.event, scanned) {
            (Some(Event::Reservation { record, .. }), _) => {
                let lines = record.lines.iter();
                let lines = lines.map(|line| (line.sku.to_string(), line.quantity));
                account.hold(holding(record.status), &lines.collect(), &returned);
            }
            (Some(event), _) => account.apply(event),
            (None, Some(scanned)) => account.hold(scanned.holding, &scanned.lines, &returned),
            (None, None) => {}
        }
    }
}

/// The reservation or claim that an event concerns.
fn subject(event: &Event) -> Option<ReservationId> {
    match event {
        Event::Reservation { id, .. }
        | Event::Claimed { id, .. }
        | Event::Reacquired { id, .. } => Some(*id),
        Event::Returned(returned) => Some(returned.id),
        _ => None,
    }
}

async fn snapshot(gate: &Gate, live: &LiveId) -> Result<Option<Box<Snapshot>>> {
    match gate.snapshot(live).await? {
        Snapped::Snapshot(snapshot) => Ok(Some(snapshot)),
        Snapped::Fenced(Fenced::UnknownSale) => Ok(None),
        Snapped::Fenced(Fenced::UnknownSchema(schema)) => {
            bail!("{live} is of schema {schema}, which another version wrote")
        }
        Snapped::Fenced(Fenced::Recovering(why)) => bail!("{live} is not whole in redis: {why}"),
    }
}

/// Every event after the books' cursor: from the stream, and those that a writer has moved to the books and trimmed meanwhile.
async fn tail(
    gate: &Gate,
    books: &MySqlPool,
    live: &LiveId,
    head: &Head,
    findings: &mut Findings,
) -> Result<Tail> {
    let mut tail = Tail::new();
    let mut from = head.stream_id.clone();
    loop {
        let entries = gate.journal(live, &from, RECONCILE_ENTRIES).await?;
        for event in entries
            .iter()
            .flat_map(|entry| &entry.events)
            .filter(|event| event.seq > head.seq)
        {
            match event.decode() {
                Ok(decoded) => drop(tail.insert(event.seq, decoded)),
                Err(_) => findings.unreadable(event.seq),
            }
        }
        match entries.last() {
            Some(last) if entries.len() == RECONCILE_ENTRIES && last.id != from => {
                from = last.id.clone()
            }
            _ => break,
        }
    }
    add_trimmed(&mut tail, books, live, head.seq).await?;
    Ok(tail)
}

/// Fills in what lies between the cursor and the stream's first event, if anything does: it is in the books by now.
async fn add_trimmed(
    tail: &mut Tail,
    books: &MySqlPool,
    live: &LiveId,
    cursor_seq: u64,
) -> Result<()> {
    let first = tail.keys().next().copied().unwrap_or(u64::MAX);
    let mut last_seq = cursor_seq;
    while last_seq + 1 < first {
        let rows = store::journal(
            &mut *books.acquire().await?,
            live,
            last_seq,
            RECONCILE_CHUNK,
        )
        .await?;
        let Some(last) = rows.last() else { break };
        last_seq = last.seq;
        let events = rows
            .iter()
            .filter_map(|row| Some((row.seq, raw::event(row.seq, &row.raw).ok()?)));
        tail.extend(events);
    }
    Ok(())
}
