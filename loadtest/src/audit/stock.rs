//! Oversold and undersold. Called by `judge`.

use std::collections::{BTreeMap, HashMap};

use doorbuster_core::ids::SkuId;
use doorbuster_core::record::Line;

use super::facts::{Books, Holding, LiveState};
use super::ledger::{Ledger, Moments};
use super::{Verdict, Wrong};
use crate::history::{Ask, Header, History, Verb};
use crate::limits::SOLD_OUT_STALE;

/// Units that are off the shelf, per sku.
pub(super) fn live_units<'a>(holdings: impl Iterator<Item = &'a Holding>) -> BTreeMap<SkuId, u64> {
    units(holdings.flat_map(Holding::live_lines))
}

/// Units per sku of all `lines`.
pub(super) fn units<'a>(lines: impl Iterator<Item = &'a Line>) -> BTreeMap<SkuId, u64> {
    let mut units = BTreeMap::new();
    for line in lines {
        *units.entry(line.sku.clone()).or_default() += u64::from(line.quantity);
    }
    units
}

/// Units in buyers' hands above stock: the worst of all who say something about it.
pub(super) fn oversold(
    live: &LiveState,
    books: &Books,
    ledger: &Ledger,
    claims: &BTreeMap<SkuId, u64>,
    verdict: &mut Verdict,
) {
    let (redis, mysql) = (
        live_units(live.holdings.values()),
        live_units(books.holdings.values()),
    );
    for (sku, stock) in &live.stock {
        let excess = |units: &BTreeMap<SkuId, u64>| {
            units
                .get(sku)
                .copied()
                .unwrap_or(0)
                .saturating_sub(stock.stocked)
        };
        let in_journal = ledger
            .skus
            .get(sku)
            .map_or(0, |course| u64::try_from(course.oversold_max).unwrap_or(0));
        let worst = excess(&redis)
            .max(excess(&mysql))
            .max(excess(claims))
            .max(in_journal);
        verdict.note_many(Wrong::Oversold, worst, || {
            format!(
                "{sku}: {worst} units more than the {} stocked",
                stock.stocked
            )
        });
    }
}

/// Units left at the end although someone was refused as sold out while they were on sale.
pub(super) fn undersold(
    history: &History,
    ledger: &Ledger,
    live: &LiveState,
    verdict: &mut Verdict,
) {
    let mut refused: HashMap<&SkuId, u64> = HashMap::new();
    for client in &history.clients {
        let was_refused = client
            .verdict()
            .is_some_and(|answer| answer.code.as_deref() == Some("sold_out"));
        let mut refusals = client
            .answers(Verb::Take)
            .filter(|(_, answer)| answer.code.as_deref() == Some("sold_out"));
        if was_refused
            && refusals.any(|(ask, _)| !is_justified(&history.header, ask, ledger, u64::MAX))
        {
            let wanted = &history.header.lines;
            wanted.iter().for_each(|line| {
                *refused.entry(&line.sku).or_default() += u64::from(line.quantity)
            });
        }
    }
    for (sku, demand) in refused {
        let left = live.stock.get(sku).map_or(0, |stock| stock.left);
        verdict.note_many(Wrong::Undersold, demand.min(left), || {
            format!(
                "{sku}: {left} units left, and {demand} refused as sold out while they were on sale"
            )
        });
    }
}

/// Whether some line of the request could not be had at some moment from just before it was sent until it was answered,
/// judging by the journal up to `before_seq`.
pub(super) fn is_justified(header: &Header, ask: &Ask, ledger: &Ledger, before_seq: u64) -> bool {
    let stale_ms = SOLD_OUT_STALE.as_millis() as u64;
    let moments = Moments {
        from_ms: (header.start_ms + ask.sent_us / 1_000).saturating_sub(stale_ms),
        to_ms: header.start_ms + ask.done_us.div_ceil(1_000),
        before_seq,
    };
    header.lines.iter().any(|line| {
        let course = ledger.skus.get(&line.sku);
        course.is_none_or(|course| course.was_below(line.quantity, moments))
    })
}
