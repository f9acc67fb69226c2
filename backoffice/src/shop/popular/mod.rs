//! Which products are popular: how often their pages are read, how many units sales have brought away, in how many carts and on
//! how many wish lists they are. Refreshed now and then, by one back-office at a time; shops sort by the result.

pub(crate) mod store;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use doorbuster_core::gate::snapshot::{Snapped, Stock};
use doorbuster_core::ids::{LiveId, SkuId};

use crate::app::App;
use crate::limits::{STATISTICS_DAYS, VIEWED_PRODUCTS_MAX};
use crate::live;
use store::Statistics;

/// Page reads that the books do not have yet.
#[derive(Debug, Default)]
pub(crate) struct Views(Mutex<HashMap<u32, u64>>);

impl Views {
    /// A page was read; 0 is nobody's. Past the bound, products that nobody has read since the last refresh are not counted.
    pub(crate) fn note(&self, product_no: u32) {
        if product_no == 0 {
            return;
        }
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = counts.len() >= VIEWED_PRODUCTS_MAX;
        if let Some(count) = counts.get_mut(&product_no) {
            *count += 1;
        } else if !is_full {
            counts.insert(product_no, 1);
        }
    }

    fn take(&self) -> Vec<(u32, u64)> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.drain().collect()
    }
}

/// Refreshes for as long as the program serves. Reads counted since the last refresh are lost with the process: they only
/// say what is popular.
pub(crate) async fn keep(app: App, every: Duration) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // The first tick comes at once.
    loop {
        ticks.tick().await;
        if let Err(error) = refresh(&app, every).await {
            tracing::warn!(%error, "what is popular could not be refreshed; the next round tries again");
        }
    }
}

async fn refresh(app: &App, every: Duration) -> sqlx::Result<()> {
    store::add_views(&app.books, &app.views.take()).await?;
    let Some(turn) = store::Turn::take(&app.books, every / 2).await? else {
        return Ok(());
    };
    let done = async {
        let since = clock::now() - chrono::Duration::days(STATISTICS_DAYS);
        if let Err(error) = count_sales(app, since).await {
            tracing::info!(
                error = format!("{error:#}"),
                "what sales have brought away is as it was"
            );
        }
        let statistics: Vec<Statistics> = store::gather(&app.books, since).await?;
        store::write(&app.books, &statistics).await?;
        store::forget_views(&app.books, since).await
    }
    .await;
    turn.end().await?;
    done
}

/// Asks Redis, which counts them anyway, for the units of every sale of these days: a look each, however many reservations it has. What a switch
/// could not write down is made up for on the way.
async fn count_sales(app: &App, since: DateTime<Utc>) -> anyhow::Result<()> {
    for sale in store::sales(&app.books, since).await? {
        let live = LiveId::Sale(sale.clone());
        // One that Redis has lost keeps the numbers that it had.
        if let Snapped::Snapshot(snapshot) = app.gate.snapshot(&live).await? {
            let taken = |(sku, stock): (&SkuId, &Stock)| (sku.clone(), stock.held + stock.sold);
            let units: Vec<(SkuId, u64)> = snapshot.stock.iter().map(taken).collect();
            store::set_units(&app.books, &sale, &units).await?;
            let state = live::switch::word(snapshot.state);
            live::store::set_state(&app.books, &sale, state, snapshot.seq).await?;
        }
    }
    store::forget_units(&app.books, since).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_are_counted_per_product_and_their_number_is_bounded() {
        let views = Views::default();
        views.note(0);
        for no in 1..u32::try_from(VIEWED_PRODUCTS_MAX).unwrap() + 5 {
            views.note(no);
        }
        views.note(3);
        let counts: HashMap<u32, u64> = views.take().into_iter().collect();
        assert_eq!(
            (counts.len(), counts[&3], counts[&4]),
            (VIEWED_PRODUCTS_MAX, 2, 1)
        );
        assert!(views.take().is_empty());
    }
}
