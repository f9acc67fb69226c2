//! Works the inbox off: asks the provider about each attempt that it told of, and hands over what it says. Any number of back-offices may.
//!
//! A webhook moves nothing by itself, so a false one moves nothing at all. A row is done once what the provider said was taken; a crash before
//! that leaves the row to the next lease, and whoever is told twice hears the same.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use anyhow::Result;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::store::{self, Due};
use crate::app::App;
use crate::crash;
use crate::orders;
use crate::payments::charge::{AttemptId, Found};
use crate::payments::limits::{INBOX_EVERY, INBOX_RETRY_FIRST, INBOX_RETRY_MAX, INBOX_ROWS};

/// The outcome of a webhook that told nothing new: its order had noted the capture already.
const NOTED: &str = "noted";

/// Until `stop`.
pub(crate) async fn run(app: App, stop: CancellationToken) {
    loop {
        let has_more = match work_off(&app).await {
            Ok(rows) => rows == INBOX_ROWS as usize,
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "webhooks wait");
                false
            }
        };
        if has_more && !stop.is_cancelled() {
            continue;
        }
        if stop.run_until_cancelled(sleep(INBOX_EVERY)).await.is_none() {
            return;
        }
    }
}

/// How many there were.
async fn work_off(app: &App) -> Result<usize> {
    let due = store::take(&app.books).await?;
    crash::point("webhooks_taken");
    let mut of: HashMap<AttemptId, Vec<&Due>> = HashMap::new();
    for row in &due {
        of.entry(AttemptId::new(row.attempt_id))
            .or_default()
            .push(row);
    }
    let attempts: Vec<AttemptId> = of.keys().copied().collect();
    let noted = match attempts.is_empty() {
        true => HashSet::new(),
        false => orders::noted(app, &attempts).await?,
    };
    let mut asked = JoinSet::new();
    for attempt in attempts.into_iter().filter(|one| !noted.contains(one)) {
        let app = app.clone();
        asked.spawn(async move { (attempt, ask(&app, attempt).await) });
    }
    // By outcome, so that each takes one statement.
    let mut finished: HashMap<&'static str, Vec<&str>> = HashMap::new();
    let rows = noted.iter().flat_map(|attempt| &of[attempt]);
    let known: Vec<&str> = rows.map(|row| row.event_id.as_str()).collect();
    if !known.is_empty() {
        finished.insert(NOTED, known);
    }
    let mut put_off: HashMap<(&'static str, u32), Vec<&str>> = HashMap::new();
    while let Some(asked) = asked.join_next().await {
        let (attempt, (outcome, is_done)) = asked?;
        for row in of.get(&attempt).into_iter().flatten() {
            let list = match is_done {
                true => finished.entry(outcome).or_default(),
                false => put_off.entry((outcome, row.tries)).or_default(),
            };
            list.push(&row.event_id);
        }
    }
    crash::point("webhooks_handed_over");
    for (outcome, events) in finished {
        store::finish(&app.books, outcome, &events).await?;
    }
    for ((outcome, tries), events) in put_off {
        store::put_off(&app.books, pause_after(tries), outcome, &events).await?;
    }
    Ok(due.len())
}

/// What the provider said of it, in a word, and whether that was taken.
async fn ask(app: &App, attempt: AttemptId) -> (&'static str, bool) {
    let found = app.payments.find(attempt).await;
    let outcome = found.word();
    if matches!(found, Found::Unknown | Found::Pending) {
        return (outcome, false);
    }
    match orders::heard(app, attempt, found).await {
        Ok(is_taken) => (outcome, is_taken),
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), %attempt, "what the provider said could not be taken; it is asked again");
            (outcome, false)
        }
    }
}

fn pause_after(tries: u32) -> Duration {
    let pause = INBOX_RETRY_FIRST.saturating_mul(2u32.saturating_pow(tries));
    pause.min(INBOX_RETRY_MAX)
}
