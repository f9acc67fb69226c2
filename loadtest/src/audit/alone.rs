//! The judgement where Redis has lost what it had: the books alone, against what clients were told. Called by drills.
//!
//! What was acknowledged and is not in the books is lost, and listed; everything else is held to the same rules.

use std::collections::HashMap;

use anyhow::Result;
use doorbuster_core::ids::ReservationId;

use super::facts::Books;
use super::stock::live_units;
use super::{Verdict, Wrong, ledger};
use crate::history::{Client, History, Verb};

/// What is wrong with the books, and the acceptances that they never got.
///
/// # Errors
/// If the history itself is not one.
pub fn judge_books(history: &History, books: &Books) -> Result<(Verdict, Vec<ReservationId>)> {
    let mut verdict = Verdict::default();
    let ledger = ledger::replay(books, &mut verdict);
    let live = history.header.live()?;
    let mut asked: HashMap<ReservationId, &Client> = HashMap::new();
    let mut lost = Vec::new();
    for client in &history.clients {
        let id = ReservationId::derive(&live, &client.user, &client.key()?);
        asked.insert(id, client);
        let mut told = client
            .answers(Verb::Take)
            .filter(|(_, answer)| answer.is_acceptance())
            .filter_map(|(_, answer)| answer.told.as_ref())
            .peekable();
        match (books.holdings.get(&id), told.peek().is_some()) {
            (None, true) => lost.push(id),
            (Some(holding), _) => {
                told.for_each(|told| {
                    verdict.compare(|| format!("{id}, seq, told"), &told.seq, &holding.seq);
                });
            }
            (None, false) => {}
        }
    }
    for id in books.holdings.keys().filter(|id| !asked.contains_key(id)) {
        verdict.note(Wrong::Phantom, || {
            format!("{id} is in the books, and no client asked for it")
        });
    }
    for (sku, units) in live_units(books.holdings.values()) {
        let course = ledger.skus.get(&sku);
        let stocked = course.map_or(0, |course| u64::try_from(course.stocked).unwrap_or(0));
        let deepest = course.map_or(0, |course| u64::try_from(course.oversold_max).unwrap_or(0));
        let over = units.saturating_sub(stocked).max(deepest);
        verdict.note_many(Wrong::Oversold, over, || {
            format!("{sku}: {over} units more than the {stocked} stocked")
        });
    }
    for what in &books.unreadable {
        verdict.note(Wrong::Differences, || what.clone());
    }
    Ok((verdict, lost))
}
