//! Live counts from Redis beside those of the books, per sku, with the journal's lag. Called by the handlers that answer with a sale or coupon.

use std::collections::BTreeMap;

use doorbuster_core::clock;
use doorbuster_core::gate::Gate;
use doorbuster_core::gate::snapshot::{Snapped, Snapshot, Stock};
use doorbuster_core::ids::SkuId;
use doorbuster_core::record::Line;
use serde::Serialize;
use utoipa::ToSchema;

use super::Subject;
use super::state::{Phase, phase};
use super::store::{self, BookCounts, Cursor};
use crate::app::App;
use crate::error::ApiError;
use crate::limits::LAG_ENTRIES;
use crate::raw;

/// Units of one sku: stocked = left + held + sold, or something is wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Counts {
    #[schema(example = 100)]
    pub stocked: i64,
    #[schema(example = 97)]
    pub left: i64,
    #[schema(example = 3)]
    pub held: i64,
    #[schema(example = 0)]
    pub sold: i64,
}

/// What Redis has decided and MySQL has not got yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, ToSchema)]
pub(crate) struct Lag {
    #[schema(example = 0)]
    pub events: u64,
    /// Age of the oldest of them
    #[schema(example = 0.0)]
    pub seconds: f64,
}

/// One look at something published.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) phase: Phase,
    pub(crate) server_time_ms: u64,
    pub(crate) snapshot: Option<Box<Snapshot>>,
    pub(crate) books: BTreeMap<SkuId, Counts>,
    /// `None` where Redis does not know the sale, or it has never been opened.
    pub(crate) lag: Option<Lag>,
    /// Units by which Redis breaks the conservation law, over all skus.
    pub(crate) conservation_difference: Option<i64>,
}

impl Look {
    pub(crate) fn live(&self, sku: &SkuId) -> Option<Counts> {
        self.snapshot.as_ref()?.stock.get(sku).map(live_counts)
    }
}

/// # Errors
/// [`ApiError::Unavailable`] where Redis or MySQL does not answer.
pub(crate) async fn look(app: &App, subject: &Subject) -> Result<Look, ApiError> {
    if !subject.published {
        return Ok(Look {
            phase: Phase::Draft,
            server_time_ms: clock::now_ms(),
            snapshot: None,
            books: BTreeMap::new(),
            lag: None,
            conservation_difference: None,
        });
    }
    // The books first: what they have, Redis had before, so the lag is never below nothing.
    let counts = store::book_counts(&app.books, &subject.live).await?;
    let snapped = app.gate.snapshot(&subject.live).await?;
    let now_ms = match &snapped {
        Snapped::Snapshot(snapshot) => snapshot.now_ms,
        Snapped::Fenced(_) => clock::now_ms(),
    };
    let phase = phase(subject, Some(&snapped), now_ms);
    let snapshot = match snapped {
        Snapped::Snapshot(snapshot) => Some(snapshot),
        Snapped::Fenced(_) => None,
    };
    let lag = match (&snapshot, &counts.cursor) {
        (Some(snapshot), Some(cursor)) => Some(lag(&app.gate, subject, snapshot, cursor).await?),
        _ => None,
    };
    let conservation_difference = snapshot
        .as_ref()
        .map(|s| s.stock.values().map(|stock| stock.difference().abs()).sum());
    Ok(Look {
        phase,
        server_time_ms: now_ms,
        snapshot,
        books: book_counts(&counts),
        lag,
        conservation_difference,
    })
}

pub(crate) async fn lag(
    gate: &Gate,
    subject: &Subject,
    snapshot: &Snapshot,
    cursor: &Cursor,
) -> Result<Lag, ApiError> {
    let events = snapshot.seq.saturating_sub(cursor.seq);
    if events == 0 {
        return Ok(Lag::default());
    }
    let entries = gate
        .journal(&subject.live, &cursor.stream_id, LAG_ENTRIES)
        .await?;
    let oldest = entries.iter().find(|entry| entry.last_seq() > cursor.seq);
    let age_ms = oldest.map_or(0, |entry| snapshot.now_ms.saturating_sub(entry.at_ms));
    Ok(Lag {
        events,
        seconds: std::time::Duration::from_millis(age_ms).as_secs_f64(),
    })
}

pub(crate) fn live_counts(stock: &Stock) -> Counts {
    let [stocked, left, held, sold] =
        [stock.stocked, stock.left, stock.held, stock.sold].map(u64::cast_signed);
    Counts {
        stocked,
        left,
        held,
        sold,
    }
}

fn book_counts(counts: &BookCounts) -> BTreeMap<SkuId, Counts> {
    let mut skus: BTreeMap<SkuId, Counts> = BTreeMap::new();
    for Line { sku, quantity } in counts.opened.iter().flat_map(|raw| raw::opened(raw)) {
        skus.entry(sku).or_default().stocked += i64::from(quantity);
    }
    for (sku, by) in &counts.adjusted {
        at(&mut skus, sku, |c| c.stocked += by);
    }
    for (sku, held, sold) in &counts.taken {
        at(&mut skus, sku, |c| (c.held, c.sold) = (*held, *sold));
    }
    for counts in skus.values_mut() {
        counts.left = counts.stocked - counts.held - counts.sold;
    }
    skus
}

fn at(skus: &mut BTreeMap<SkuId, Counts>, sku: &str, change: impl FnOnce(&mut Counts)) {
    if let Ok(sku) = SkuId::parse(sku) {
        change(skus.entry(sku).or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_books_count_what_was_opened_and_adjusted_less_what_is_taken() {
        let counts = BookCounts {
            cursor: None,
            opened: vec![b"O tee=100,cap=5".to_vec()],
            adjusted: vec![("tee".into(), -10)],
            taken: vec![("tee".into(), 7, 3)],
        };
        let skus = book_counts(&counts);
        let of = |sku: &str| skus[&SkuId::parse(sku).unwrap()];
        assert_eq!(
            of("tee"),
            Counts {
                stocked: 90,
                left: 80,
                held: 7,
                sold: 3
            }
        );
        assert_eq!(
            of("cap"),
            Counts {
                stocked: 5,
                left: 5,
                held: 0,
                sold: 0
            }
        );
    }
}
