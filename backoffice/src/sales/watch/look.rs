//! One look at a live sale, cheap enough for once a second: Redis, the sale's own rows, one of the cursor, a few of what engines count; no sum over the books.

use std::collections::BTreeMap;

use doorbuster_core::clock;
use doorbuster_core::gate::snapshot::{Snapped, Snapshot};
use doorbuster_core::ids::{LiveId, SaleId};
use serde::Serialize;
use utoipa::ToSchema;

use super::store;
use crate::app::App;
use crate::error::ApiError;
use crate::limits::ENGINE_SILENT;
use crate::live::state::{Phase, phase};
use crate::live::store as books;
use crate::live::view::{Counts, Lag, lag, live_counts};
use crate::sales::{problems, store as sales};

/// A sale at one instant, as an event tells it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct SaleLook {
    /// Milliseconds since 1970, by Redis where it has the sale; the event's id
    #[schema(example = 1_900_000_000_000_u64)]
    pub at_ms: u64,
    pub state: Phase,
    /// Empty where Redis does not have the sale
    pub items: Vec<ItemLook>,
    pub journal_lag: Option<Lag>,
    /// Units by which Redis breaks stocked = left + held + sold; anything but 0 is an alarm
    #[schema(example = 0)]
    pub conservation_difference: Option<i64>,
    /// Null without a waiting room, and before anybody joined
    pub line: Option<LineCounts>,
    /// How many asked for something and were told `ok`, or the refusal's code, since the sale was opened; engines add to it once a second
    pub answers: BTreeMap<String, u64>,
    pub rates: Rates,
    /// Engines that give signs of life
    #[schema(example = 3)]
    pub engines: i64,
}

/// One sku of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ItemLook {
    #[schema(example = "tee-m")]
    pub sku: String,
    #[serde(flatten)]
    pub counts: Counts,
}

/// Its line.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct LineCounts {
    /// Numbers given so far
    pub given: u64,
    /// People behind the last place that was admitted, those who left without a word included
    pub waiting: u64,
    /// Offers of admission ever made
    pub admitted: u64,
    /// Admitted a second
    pub rate_per_second: f64,
}

/// Answers a second since the look before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, ToSchema)]
pub(crate) struct Rates {
    pub accepted_per_second: f64,
    pub refused_per_second: f64,
}

/// # Errors
/// [`ApiError::UnknownSale`], or [`ApiError::Unavailable`] where Redis or MySQL does not answer.
pub(super) async fn look(
    app: &App,
    id: &SaleId,
    before: Option<&SaleLook>,
) -> Result<SaleLook, ApiError> {
    let stored = sales::find(&app.books, id).await?;
    let subject = stored.subject();
    let engines = problems::engines_alive(&app.books, ENGINE_SILENT).await?;
    let mut look = SaleLook {
        at_ms: clock::now_ms(),
        state: Phase::Draft,
        items: Vec::new(),
        journal_lag: None,
        conservation_difference: None,
        line: None,
        answers: store::answers(&app.books, id.as_str()).await?,
        rates: Rates::default(),
        engines,
    };
    if subject.published {
        // The books first: what they have, Redis had before, so the lag is never below nothing.
        let cursor = books::cursor(&app.books, &subject.live).await?;
        let snapped = app.gate.snapshot(&subject.live).await?;
        if let Snapped::Snapshot(snapshot) = &snapped {
            show(&mut look, snapshot);
            if let Some(cursor) = cursor {
                look.journal_lag = Some(lag(&app.gate, &subject, snapshot, &cursor).await?);
            }
        }
        look.state = phase(&subject, Some(&snapped), look.at_ms);
        if stored.sale.line.is_some() {
            look.line = line(app, &subject.live).await?;
        }
    }
    look.rates = before.map_or(Rates::default(), |before| rates(before, &look));
    Ok(look)
}

fn show(look: &mut SaleLook, snapshot: &Snapshot) {
    look.at_ms = snapshot.now_ms;
    let stock = &snapshot.stock;
    look.items = stock
        .iter()
        .map(|(sku, stock)| ItemLook {
            sku: sku.to_string(),
            counts: live_counts(stock),
        })
        .collect();
    look.conservation_difference = Some(stock.values().map(|s| s.difference().abs()).sum());
}

async fn line(app: &App, live: &LiveId) -> Result<Option<LineCounts>, ApiError> {
    let look = app.gate.line_look(live).await?;
    Ok(look.map(|look| LineCounts {
        given: look.given,
        waiting: look.waiting,
        admitted: look.admitted,
        rate_per_second: look.rate,
    }))
}

fn rates(before: &SaleLook, now: &SaleLook) -> Rates {
    let seconds = now.at_ms.saturating_sub(before.at_ms) as f64 / 1_000.0;
    if seconds <= 0.0 {
        return before.rates;
    }
    let (accepted, refused) = told(now);
    let (accepted_before, refused_before) = told(before);
    let a_second = |now: u64, before: u64| {
        let rate = now.saturating_sub(before) as f64 / seconds;
        (rate * 10.0).round() / 10.0
    };
    Rates {
        accepted_per_second: a_second(accepted, accepted_before),
        refused_per_second: a_second(refused, refused_before),
    }
}

/// Accepted, and refused for whatever reason.
fn told(look: &SaleLook) -> (u64, u64) {
    let all: u64 = look.answers.values().sum();
    let accepted = look.answers.get("ok").copied().unwrap_or(0);
    (accepted, all - accepted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_what_came_since_the_look_before() {
        let look = |at_ms, ok, sold_out| SaleLook {
            at_ms,
            state: Phase::Open,
            items: Vec::new(),
            journal_lag: None,
            conservation_difference: Some(0),
            line: None,
            answers: [("ok".to_owned(), ok), ("sold_out".to_owned(), sold_out)].into(),
            rates: Rates::default(),
            engines: 1,
        };
        let rates = rates(&look(1_000, 10, 5), &look(3_000, 110, 5));
        assert_eq!(
            (rates.accepted_per_second, rates.refused_per_second),
            (50.0, 0.0)
        );
    }
}
