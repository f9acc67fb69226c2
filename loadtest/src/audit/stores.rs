//! Redis against MySQL against the journal: every field of every reservation, every counter against its sum. Called by `judge`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use doorbuster_core::gate::snapshot::Stock;
use doorbuster_core::ids::{ReservationId, SkuId};
use doorbuster_core::record::Status;

use super::facts::{Books, Holding, LiveState};
use super::ledger::Ledger;
use super::stock::units;
use super::{Verdict, Wrong};

/// Notes every contradiction between the stores, and within each.
pub(super) fn compare(live: &LiveState, books: &Books, ledger: &Ledger, verdict: &mut Verdict) {
    for what in live.unreadable.iter().chain(&books.unreadable) {
        verdict.note(Wrong::Differences, || what.clone());
    }
    verdict.note_many(Wrong::Differences, books.dead_letters, || {
        format!("{} dead letters", books.dead_letters)
    });
    progress(live, books, ledger, verdict);
    holdings(live, books, ledger, verdict);
    shared_numbers("redis", &live.holdings, verdict);
    shared_numbers("mysql", &books.holdings, verdict);
    counters(live, books, ledger, verdict);
    limits(live, ledger, verdict);
}

/// All have come to the same event of the same generation.
fn progress(live: &LiveState, books: &Books, ledger: &Ledger, verdict: &mut Verdict) {
    let Some(cursor) = books.cursor else {
        return verdict.note(Wrong::Differences, || {
            "mysql has no cursor of this sale".into()
        });
    };
    verdict.compare(
        || "epoch, redis against mysql".into(),
        &live.epoch,
        &cursor.epoch,
    );
    verdict.compare(
        || "last event, redis against mysql's cursor".into(),
        &live.seq,
        &cursor.seq,
    );
    verdict.compare(
        || "last event, redis against mysql's journal".into(),
        &live.seq,
        &ledger.last_seq,
    );
    verdict.compare(
        || "last event in the books, as redis knows it".into(),
        &live.flushed_seq,
        &cursor.seq,
    );
}

fn holdings(live: &LiveState, books: &Books, ledger: &Ledger, verdict: &mut Verdict) {
    let all: BTreeSet<ReservationId> = [&live.holdings, &books.holdings, &ledger.holdings]
        .into_iter()
        .flat_map(HashMap::keys)
        .copied()
        .collect();
    for id in all {
        let says = |what: &str| format!("{id} in {what}");
        match (
            live.holdings.get(&id),
            books.holdings.get(&id),
            ledger.holdings.get(&id),
        ) {
            (Some(redis), Some(mysql), Some(journal)) => {
                fields(
                    |field| format!("{id}, {field}, redis against mysql"),
                    redis,
                    mysql,
                    verdict,
                );
                fields(
                    |field| format!("{id}, {field}, redis against the journal"),
                    redis,
                    journal,
                    verdict,
                );
            }
            (redis, mysql, journal) => {
                let there = [(redis, "redis"), (mysql, "mysql"), (journal, "the journal")];
                let missing = there
                    .iter()
                    .filter(|(found, _)| found.is_none())
                    .map(|(_, name)| *name);
                let missing: Vec<&str> = missing.collect();
                verdict.note(Wrong::Differences, || {
                    format!("{} is missing", says(&missing.join(" and ")))
                });
            }
        }
    }
}

fn fields(what: impl Fn(&str) -> String, one: &Holding, other: &Holding, verdict: &mut Verdict) {
    verdict.compare(|| what("seq"), &one.seq, &other.seq);
    verdict.compare(|| what("user"), &one.user, &other.user);
    verdict.compare(|| what("status"), &one.status, &other.status);
    verdict.compare(|| what("deadline"), &one.at_ms, &other.at_ms);
    verdict.compare(|| what("lines"), &sorted(one), &sorted(other));
    verdict.compare(|| what("body"), &one.body, &other.body);
}

/// Lines by sku: the books have no order of lines.
fn sorted(holding: &Holding) -> BTreeMap<SkuId, u64> {
    units(holding.lines.iter())
}

fn shared_numbers(store: &str, holdings: &HashMap<ReservationId, Holding>, verdict: &mut Verdict) {
    let mut seen = HashSet::with_capacity(holdings.len());
    for (id, holding) in holdings {
        if !seen.insert(holding.seq) {
            verdict.note(Wrong::Duplicated, || {
                format!("{store}: {id} shares number {} with another", holding.seq)
            });
        }
    }
}

/// Counters against the sums of what they count, and the conservation law.
fn counters(live: &LiveState, books: &Books, ledger: &Ledger, verdict: &mut Verdict) {
    let of = |live_as: fn(Status) -> bool| {
        let matching = live
            .holdings
            .values()
            .filter(|holding| live_as(holding.status));
        units(matching.flat_map(|holding| &holding.lines))
    };
    let held = of(|status| matches!(status, Status::Held | Status::Paying));
    let mut sold = of(|status| status == Status::Paid);
    for ((id, sku), units) in &ledger.returned {
        let holding = live.holdings.get(id);
        if holding.is_some_and(|holding| holding.status == Status::Paid) {
            let sold = sold.entry(sku.clone()).or_default();
            *sold = sold.saturating_sub(u64::from(*units));
        }
    }
    let count = |units: &BTreeMap<SkuId, u64>, sku| units.get(sku).copied().unwrap_or(0);
    for (sku, stock) in &live.stock {
        verdict.compare(
            || format!("{sku}, stocked against left + held + sold"),
            &0,
            &stock.difference(),
        );
        verdict.compare(
            || format!("{sku}, held against the sum of holds"),
            &stock.held,
            &count(&held, sku),
        );
        verdict.compare(
            || format!("{sku}, sold against the sum of sales"),
            &stock.sold,
            &count(&sold, sku),
        );
        against_journal(sku, stock, ledger, verdict);
    }
    let published: BTreeSet<&SkuId> = books.offered.keys().collect();
    verdict.compare(
        || "skus, redis against mysql".into(),
        &live.stock.keys().collect(),
        &published,
    );
    for (sku, offered) in &books.offered {
        let limit = live.stock.get(sku).map(|stock| stock.limit_per_user);
        verdict.compare(
            || format!("{sku}, limit, redis against mysql"),
            &limit,
            &Some(offered.limit_per_user),
        );
        let first = ledger
            .skus
            .get(sku)
            .and_then(|course| course.steps.first())
            .map(|step| step.left);
        let stock = i64::try_from(offered.stock).ok();
        verdict.compare(
            || format!("{sku}, stock at the start, journal against mysql"),
            &first,
            &stock,
        );
    }
}

fn against_journal(sku: &SkuId, stock: &Stock, ledger: &Ledger, verdict: &mut Verdict) {
    let course = ledger.skus.get(sku);
    let (stocked, left) = course.map_or((0, 0), |course| (course.stocked, course.left));
    verdict.compare(
        || format!("{sku}, stocked, redis against the journal"),
        &stock.stocked.cast_signed(),
        &stocked,
    );
    verdict.compare(
        || format!("{sku}, left, redis against the journal"),
        &stock.left.cast_signed(),
        &left,
    );
}

/// The units that Redis counts against each user, against what each user has.
fn limits(live: &LiveState, ledger: &Ledger, verdict: &mut Verdict) {
    let mut owned: BTreeMap<String, u64> = BTreeMap::new();
    for holding in live.holdings.values() {
        for line in holding.live_lines() {
            *owned
                .entry(format!("{}/{}", holding.user, line.sku))
                .or_default() += u64::from(line.quantity);
        }
    }
    for ((id, sku), units) in &ledger.returned {
        if let Some(holding) = live.holdings.get(id).filter(|h| h.status.is_live()) {
            let owned = owned.entry(format!("{}/{sku}", holding.user)).or_default();
            *owned = owned.saturating_sub(u64::from(*units));
        }
    }
    let fields: BTreeSet<&String> = owned.keys().chain(live.counted.keys()).collect();
    for field in fields {
        let (counted, owned) = (live.counted.get(field).copied(), owned.get(field).copied());
        verdict.compare(
            || format!("units counted against {field}"),
            &counted.unwrap_or(0),
            &owned.unwrap_or(0),
        );
    }
}
