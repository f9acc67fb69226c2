//! Adds up in MySQL, once a second, what this engine's buyers were told of each sale: for those who watch a sale at the back-office. No request
//! pays for it. What MySQL cannot take is kept, and added later; what a kill takes is not missed by any book.

use std::sync::Arc;

use doorbuster_core::ids::LiveId;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::limits::{TALLY_EVERY, TALLY_ROWS_MAX};
use crate::sale::LiveSale;

/// How many more were told what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) live: LiveId,
    pub(crate) code: &'static str,
    pub(crate) count: u64,
}

/// Until told to stop, and once more then.
pub(crate) async fn run(app: &App, stop: &CancellationToken) {
    while stop
        .run_until_cancelled(tokio::time::sleep(TALLY_EVERY))
        .await
        .is_some()
    {
        add_up(app).await;
    }
    add_up(app).await;
}

async fn add_up(app: &App) {
    let sales: Vec<Arc<LiveSale>> = app.registry.all().await;
    let mut told = Vec::new();
    for sale in &sales {
        // A sale's codes go together; the sales left over are counted on, and come next.
        if told.len() >= TALLY_ROWS_MAX {
            break;
        }
        let taken = sale.tally.take().into_iter();
        told.extend(taken.map(|(code, count)| Told {
            live: sale.live.clone(),
            code,
            count,
        }));
    }
    if told.is_empty() {
        return;
    }
    if let Err(e) = app.books.add_answers(&told).await {
        tracing::debug!(error = %e, "what buyers were told could not be added up");
        for Told { live, code, count } in told {
            if let Some(sale) = sales.iter().find(|sale| sale.live == live) {
                sale.tally.put_back(code, count);
            }
        }
    }
}
