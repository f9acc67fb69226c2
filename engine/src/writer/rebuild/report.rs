//! What a rebuild found and did, for the log and for staff.

use std::collections::BTreeMap;

use doorbuster_core::ids::LiveId;
use serde::Serialize;

use super::image::Loaded;
use super::settle::Settled;
use crate::limits::REPORT_ROWS_MAX;

/// One rebuild.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) sale: String,
    pub(super) epoch: u32,
    /// Last event before it.
    pub(super) seq: u64,
    pub(super) seconds: f64,
    pub(super) records: u64,
    pub(super) open_holds: u64,
    /// Events that continued the books in what Redis still had.
    pub(super) drained: u64,
    /// Events that live engines, or the audit log, knew of.
    pub(super) taken_over: u64,
    /// Events that are proven to have been, and that nobody can tell; also what an earlier attempt marked so and did not end.
    pub(super) lost: u64,
    /// Their numbers, first and last of each range.
    pub(super) lost_ranges: Vec<(u64, u64)>,
    /// Of the lost of this attempt: reservations that an engine remembered, but that no unit was left for.
    pub(super) not_honoured: Vec<NotHonoured>,
    pub(super) skus: BTreeMap<String, Sku>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct NotHonoured {
    pub(super) seq: u64,
    pub(super) id: Option<String>,
    pub(super) user: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Sku {
    pub(super) stocked: u64,
    pub(super) left: u64,
    pub(super) held: u64,
    pub(super) sold: u64,
    /// Of what is left, for receipts first.
    pub(super) kept: u64,
}

impl Report {
    pub(super) fn new(live: &LiveId, settled: &Settled, loaded: Loaded, seconds: f64) -> Self {
        let mut lost_ranges = ranges(&loaded.lost);
        lost_ranges.truncate(REPORT_ROWS_MAX);
        let mut not_honoured = settled.replayed.not_honoured.clone();
        not_honoured.truncate(REPORT_ROWS_MAX);
        let sku = |one: &doorbuster_core::gate::swap::SwapSku| {
            let (stock, kept) = (one.stock, one.kept);
            let counts = Sku {
                stocked: stock.stocked,
                left: stock.left,
                held: stock.held,
                sold: stock.sold,
                kept,
            };
            (one.sku.to_string(), counts)
        };
        Self {
            sale: live.book_id(),
            epoch: settled.epoch,
            seq: settled.seq,
            seconds,
            records: loaded.counts.records,
            open_holds: loaded.counts.order,
            drained: settled.drained,
            taken_over: settled.replayed.taken,
            lost: loaded.lost.len() as u64,
            lost_ranges,
            not_honoured,
            skus: loaded.skus.iter().map(sku).collect(),
        }
    }
}

/// First and last of each run of numbers.
fn ranges(numbers: &[u64]) -> Vec<(u64, u64)> {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => ranges.push((*number, *number)),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_one_after_the_other_are_one_range() {
        assert_eq!(ranges(&[12, 13, 15]), [(12, 13), (15, 15)]);
        assert!(ranges(&[]).is_empty());
    }
}
