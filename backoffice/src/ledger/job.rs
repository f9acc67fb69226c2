//! Posts what happened to orders, a batch at a time. Any number of back-offices may: each takes events that nobody else has, and a kill
//! between any two lines leaves them to be posted, or has them posted, whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{Days, NaiveDate};
use serde_json::json;
use sqlx::mysql::{MySqlConnection, MySqlPool};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::rules::{self, Back, Facts};
use super::store::{self, EventRow, OrderFacts, Posting};
use crate::app::App;
use crate::audit_log::{self, Change};
use crate::extract::Caller;
use crate::settlement::limits::{LEDGER_BATCHES_AT_ONCE, LEDGER_EVENTS, LEDGER_EVERY};

/// Until `stop`.
pub(crate) async fn run(app: App, stop: CancellationToken) {
    loop {
        match batch(&app.books).await {
            Ok(events) if events == LEDGER_EVENTS as usize => continue,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "the ledger could not be posted; it is tried again")
            }
        }
        if stop
            .run_until_cancelled(sleep(LEDGER_EVERY))
            .await
            .is_none()
        {
            return;
        }
    }
}

/// Posts what waits now, some batches at once: MySQL writes one while the next is put together. What comes meanwhile is left: whoever must know asks
/// [`store::waits`], so this ends under any traffic.
pub(crate) async fn all(books: &MySqlPool) -> sqlx::Result<()> {
    let waiting = u64::try_from(store::waiting(books).await?).unwrap_or(0);
    let batches = waiting.div_ceil(LEDGER_EVENTS.into());
    let left = Arc::new(AtomicU64::new(batches));
    let mut posting: JoinSet<sqlx::Result<()>> = JoinSet::new();
    for _ in 0..batches.min(LEDGER_BATCHES_AT_ONCE) {
        let (books, left) = (books.clone(), Arc::clone(&left));
        posting.spawn(async move {
            while take_one(&left) {
                batch(&books).await?;
            }
            Ok(())
        });
    }
    while let Some(posted) = posting.join_next().await {
        posted.map_err(|_| sqlx::Error::WorkerCrashed)??;
    }
    Ok(())
}

fn take_one(left: &AtomicU64) -> bool {
    let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
    taken.is_ok()
}

/// Tries again what was refused, once each; how many events are posted now.
///
/// # Errors
/// What MySQL says.
pub(crate) async fn repost_refused(books: &MySqlPool, caller: &Caller) -> sqlx::Result<u64> {
    let (mut last, mut reposted) = ((Uuid::nil(), 0), 0);
    loop {
        let mut tx = store::begin(books).await?;
        let closed_through = store::closed_through(&mut tx).await?;
        let events = store::refused_after(&mut tx, last, LEDGER_EVENTS).await?;
        let Some(event) = events.last() else {
            return Ok(reposted);
        };
        last = (event.order_id, event.n);
        let posted = post(&mut tx, &events, closed_through).await?;
        reposted += posted as u64;
        let change = Change {
            action: "ledger.repost",
            subject: "ledger".to_owned(),
            before: Some(json!({"refused": events.len()})),
            after: Some(json!({"refused": events.len() - posted})),
        };
        audit_log::in_transaction(&mut tx, caller, change).await?;
        tx.commit().await?;
    }
}

/// How many events it took.
async fn batch(books: &MySqlPool) -> sqlx::Result<usize> {
    let mut tx = store::begin(books).await?;
    let closed_through = store::closed_through(&mut tx).await?;
    let events = store::unposted(&mut tx, LEDGER_EVENTS).await?;
    if events.is_empty() {
        return Ok(0);
    }
    post(&mut tx, &events, closed_through).await?;
    tx.commit().await?;
    Ok(events.len())
}

/// How many of them are posted; the others are refused.
async fn post(
    tx: &mut MySqlConnection,
    events: &[EventRow],
    closed_through: NaiveDate,
) -> sqlx::Result<usize> {
    let mut ids: Vec<Uuid> = events.iter().map(|event| event.order_id).collect();
    ids.dedup();
    let orders = store::orders(&mut *tx, &ids).await?;
    let (mut postings, mut posted, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for event in events {
        let key = (event.order_id, event.n);
        let order = orders.get(&event.order_id);
        match order.map(|order| legs(event, order, closed_through)) {
            Some(Ok(legs)) => {
                postings.extend(legs);
                posted.push(key);
            }
            why => {
                let why = why
                    .and_then(Result::err)
                    .unwrap_or("it has no order".to_owned());
                tracing::error!(alarm = "ledger", order = %event.order_id, n = event.n, kind = event.kind, why, "an event cannot be posted");
                refused.push(key);
            }
        }
    }
    store::insert(&mut *tx, &postings).await?;
    store::mark(&mut *tx, &posted, 1).await?;
    store::mark(tx, &refused, 2).await?;
    Ok(posted.len())
}

fn legs(
    event: &EventRow,
    order: &OrderFacts,
    closed_through: NaiveDate,
) -> Result<Vec<Posting>, String> {
    let back = match &event.data {
        Some(data) if matches!(event.kind.as_str(), "refunded" | "returned") => {
            serde_json::from_str(data).map_err(|e| e.to_string())?
        }
        _ => Back::default(),
    };
    let facts = Facts {
        kind: &event.kind,
        is_paid: order.paid_n.is_some_and(|paid| paid < event.n),
        amount: event.amount.unwrap_or(0),
        shipping: order.shipping,
        lines: &order.lines,
        back: &back,
    };
    let legs = rules::legs(&facts).map_err(|e| e.to_string())?;
    let (day, belongs_to) = counts_on(event.at.date_naive(), closed_through);
    let posting = |(leg, rule): (u8, rules::Leg)| Posting {
        source_id: event.order_id,
        n: event.n,
        leg,
        source: "order",
        account: rule.account.word(),
        seller: rule.seller,
        currency: order.currency.clone(),
        amount: rule.amount,
        day,
        belongs_to,
    };
    Ok((0..=u8::MAX).zip(legs).map(posting).collect())
}

/// The day on which something counts that happened on `day`, and that day where it is closed.
pub(crate) fn counts_on(
    day: NaiveDate,
    closed_through: NaiveDate,
) -> (NaiveDate, Option<NaiveDate>) {
    if day > closed_through {
        return (day, None);
    }
    let open = closed_through + Days::new(1);
    (open, Some(day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_late_counts_on_the_first_open_day_and_says_where_it_belongs() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let closed = day("2026-10-31");
        assert_eq!(
            counts_on(day("2026-11-02"), closed),
            (day("2026-11-02"), None)
        );
        for late in ["2026-10-31", "2026-09-03"] {
            let expected = (day("2026-11-01"), Some(day(late)));
            assert_eq!(counts_on(day(late), closed), expected);
        }
    }
}
