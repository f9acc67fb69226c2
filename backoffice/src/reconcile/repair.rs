//! Makes the books of one sale say what their own journal says, in one transaction under the cursor's lock. Called by `reconcile`.
//!
//! The journal is the truth: reservations, lines and claims are what its events come to, and its raw events are what its other
//! columns come to. Where the journal itself is damaged nothing is rebuilt from it. Redis is never written here: where it differs
//! from books that agree with themselves, it is rebuilt as a whole.

use std::collections::{BTreeMap, HashSet};

use anyhow::{Result, bail};
use doorbuster_core::gate::Gate;
use doorbuster_core::ids::{LiveId, ReservationId};
use doorbuster_core::journal::Event;
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnection, MySqlPool};

use super::print::{Print, Prints};
use super::report::{Mended, Repair};
use super::store::{self, Head};
use crate::audit_log::{self, Change};
use crate::extract::Caller;
use crate::limits::{RECONCILE_CHUNK, RECONCILE_ENTRIES, REPAIRS_MAX};
use crate::projection::draw_store::{self, BookedDraw};
use crate::projection::fold::Folder;
use crate::projection::store as rows;
use crate::raw;

/// What was repaired, and written to the audit log.
///
/// # Errors
/// What MySQL says; nothing is repaired then.
pub(super) async fn repair(
    gate: &Gate,
    books: &MySqlPool,
    live: &LiveId,
    caller: &Caller,
) -> Result<Vec<Repair>> {
    let mut tx = books.begin().await?;
    let head = store::lock_head(&mut tx, live).await?;
    let mut repairs = Vec::new();
    let journal = walk(&mut tx, live, &mut repairs).await?;
    let cursor_stands = cursor(gate, &mut tx, live, &head, &journal, &mut repairs).await?;
    if journal.whole && cursor_stands {
        let wrong = compare(&mut tx, live, journal.prints).await?;
        write(&mut tx, live, wrong, &mut repairs).await?;
        repairs.extend(mend_draw(&mut tx, live, journal.drawn).await?);
    }
    for repair in &repairs {
        let change = Change {
            action: "reconcile.repair",
            subject: live.tag(),
            before: Some(repair.before.clone()),
            after: Some(repair.after.clone()),
        };
        audit_log::in_transaction(&mut tx, caller, change).await?;
    }
    tx.commit().await?;
    Ok(repairs)
}

/// What a walk through the journal yields.
struct Journal {
    prints: Prints,
    last_seq: u64,
    /// The last event, as it was written.
    last_raw: Vec<u8>,
    /// Without gaps, and every event can be read.
    whole: bool,
    /// Of the first event that drew.
    drawn: Option<BookedDraw>,
}

/// Takes every event, and mends the columns that disagree with what was written.
async fn walk(
    tx: &mut MySqlConnection,
    live: &LiveId,
    repairs: &mut Vec<Repair>,
) -> Result<Journal> {
    let mut journal = Journal {
        prints: Prints::default(),
        last_seq: 0,
        last_raw: Vec::new(),
        whole: true,
        drawn: None,
    };
    loop {
        let events = rows::journal_after(tx, live, journal.last_seq, RECONCILE_CHUNK).await?;
        let is_last = events.len() < RECONCILE_CHUNK as usize;
        for row in events {
            journal.whole &= row.seq == journal.last_seq + 1;
            journal.last_seq = row.seq;
            match raw::event(row.seq, &row.raw) {
                Ok(event) => {
                    if row.kind != event.kind() && repairs.len() < REPAIRS_MAX {
                        rows::describe(tx, live, row.seq, &event).await?;
                        repairs.push(Repair {
                            what: Mended::JournalColumns,
                            id: subject(&event),
                            seq: row.seq,
                            before: json!({"seq": row.seq, "kind": row.kind}),
                            after: json!({"seq": row.seq, "kind": event.kind()}),
                        });
                    }
                    journal.prints.take(row.epoch, row.at, &event);
                    if let Event::Drawn(drawn) = event {
                        let (seq, epoch, at) = (row.seq, row.epoch, row.at);
                        journal.drawn = journal.drawn.or(Some(BookedDraw {
                            seq,
                            epoch,
                            at,
                            drawn,
                        }));
                    }
                }
                Err(_) => journal.whole = false,
            }
            journal.last_raw = row.raw;
        }
        if is_last {
            return Ok(journal);
        }
    }
}

/// Whether the cursor stands at the journal's last event, after it was moved there if need be: to the entry of the live journal that
/// ends with that very event.
async fn cursor(
    gate: &Gate,
    tx: &mut MySqlConnection,
    live: &LiveId,
    head: &Head,
    journal: &Journal,
    repairs: &mut Vec<Repair>,
) -> Result<bool> {
    if head.seq >= journal.last_seq {
        return Ok(head.seq == journal.last_seq);
    }
    let mut from = head.stream_id.clone();
    loop {
        let entries = gate.journal(live, &from, RECONCILE_ENTRIES).await?;
        let found = entries
            .iter()
            .find(|entry| entry.last_seq() == journal.last_seq);
        if let Some(entry) = found {
            let raw = entry.events.last().map(|event| event.raw());
            if entry.epoch != head.epoch || raw.as_ref() != Some(&journal.last_raw) {
                return Ok(false);
            }
            store::move_cursor(tx, live, journal.last_seq, &entry.id).await?;
            repairs.push(Repair {
                what: Mended::Cursor,
                id: None,
                seq: journal.last_seq,
                before: json!({"seq": head.seq, "stream_id": head.stream_id.as_str()}),
                after: json!({"seq": journal.last_seq, "stream_id": entry.id.as_str()}),
            });
            return Ok(true);
        }
        match entries.last() {
            Some(last) if entries.len() == RECONCILE_ENTRIES && last.id != from => {
                from = last.id.clone();
            }
            _ => return Ok(false),
        }
    }
}

/// Rows that are not what the journal says, by number: whose, and what the books said, or nothing. At most as many as one run repairs.
struct Wrong {
    /// To be written as the journal has them.
    rewrite: BTreeMap<u64, (ReservationId, Value)>,
    /// That no event explains.
    remove: BTreeMap<u64, (ReservationId, Value)>,
}

async fn compare(tx: &mut MySqlConnection, live: &LiveId, mut prints: Prints) -> Result<Wrong> {
    let mut wrong = Wrong {
        rewrite: BTreeMap::new(),
        remove: BTreeMap::new(),
    };
    let lettered = lettered(tx, live).await?;
    let mut last_seq = 0;
    loop {
        let chunk = rows::rows_after(tx, live, last_seq, RECONCILE_CHUNK).await?;
        let is_last = chunk.len() < RECONCILE_CHUNK as usize;
        for (seq, id, row) in chunk {
            last_seq = seq;
            let print = prints.remove(id);
            let says = || {
                row.as_ref()
                    .map_or(json!({"seq": seq}), |row| row.to_json())
            };
            match print {
                _ if lettered.contains(&id) => {}
                None => drop(wrong.remove.insert(seq, (id, says()))),
                Some(print) if row.as_ref().map(Print::of) == Some(print) => {}
                Some(print) => drop(wrong.rewrite.insert(print.seq, (id, says()))),
            }
        }
        if is_last {
            break;
        }
    }
    for (id, seq) in prints.rest().filter(|(id, _)| !lettered.contains(id)) {
        wrong.rewrite.insert(seq, (id, Value::Null));
    }
    while wrong.remove.len() + wrong.rewrite.len() > REPAIRS_MAX {
        let _ = wrong.rewrite.pop_last().or_else(|| wrong.remove.pop_last());
    }
    Ok(wrong)
}

/// The books have the draw that the journal has, unless it is a letter for people to settle.
async fn mend_draw(
    tx: &mut MySqlConnection,
    live: &LiveId,
    drawn: Option<BookedDraw>,
) -> Result<Option<Repair>> {
    let booked = draw_store::find(&mut *tx, live).await?;
    let Some(seq) = drawn.or(booked).map(|draw| draw.seq) else {
        return Ok(None);
    };
    let letters = store::lettered(tx, live).await?;
    if booked == drawn || letters.iter().any(|(letter, _)| *letter == seq) {
        return Ok(None);
    }
    draw_store::put(tx, live, drawn.as_ref()).await?;
    let told = |draw: Option<BookedDraw>| draw.map_or(Value::Null, BookedDraw::to_json);
    Ok(Some(Repair {
        what: match (booked, drawn) {
            (None, _) => Mended::RowAdded,
            (Some(_), Some(_)) => Mended::RowRewritten,
            (Some(_), None) => Mended::RowRemoved,
        },
        id: None,
        seq,
        before: told(booked),
        after: told(drawn),
    }))
}

/// Reservations with an event that MySQL refused: people settle those, and a discarded one is not brought back.
async fn lettered(tx: &mut MySqlConnection, live: &LiveId) -> Result<HashSet<ReservationId>> {
    let events = store::lettered(tx, live).await?;
    let subjects = events
        .iter()
        .filter_map(|(seq, raw)| subject(&raw::event(*seq, raw).ok()?));
    Ok(subjects.collect())
}

async fn write(
    tx: &mut MySqlConnection,
    live: &LiveId,
    wrong: Wrong,
    repairs: &mut Vec<Repair>,
) -> Result<()> {
    for (seq, (id, before)) in wrong.remove {
        rows::remove(tx, live, id, seq).await?;
        repairs.push(Repair {
            what: Mended::RowRemoved,
            id: Some(id),
            seq,
            before,
            after: Value::Null,
        });
    }
    if wrong.rewrite.is_empty() {
        return Ok(());
    }
    let ids: HashSet<ReservationId> = wrong.rewrite.values().map(|(id, _)| *id).collect();
    let folder = fold(tx, live, &ids).await?;
    for (seq, (id, before)) in wrong.rewrite {
        let Some(projection) = folder.projection(id) else {
            bail!("{live}: the journal changed while its cursor was locked");
        };
        if let Err(error) = rows::put(tx, live, &projection).await {
            if rows::is_data_error(&error) {
                bail!(
                    "{live}: nothing was repaired, because MySQL refuses what the journal says of {id}: {error}"
                );
            }
            return Err(error.into());
        }
        let what = if before.is_null() {
            Mended::RowAdded
        } else {
            Mended::RowRewritten
        };
        repairs.push(Repair {
            what,
            id: Some(id),
            seq,
            before,
            after: projection.to_json(),
        });
    }
    Ok(())
}

/// What all events of these come to.
async fn fold(
    tx: &mut MySqlConnection,
    live: &LiveId,
    ids: &HashSet<ReservationId>,
) -> Result<Folder> {
    let (mut folder, mut last_seq) = (Folder::default(), 0);
    loop {
        let events = rows::journal_after(tx, live, last_seq, RECONCILE_CHUNK).await?;
        for row in &events {
            last_seq = row.seq;
            let event = raw::event(row.seq, &row.raw)?;
            if subject(&event).is_some_and(|id| ids.contains(&id)) {
                folder.take(row.epoch, row.at, &event);
            }
        }
        if events.len() < RECONCILE_CHUNK as usize {
            return Ok(folder);
        }
    }
}

/// The reservation or claim that an event concerns.
fn subject(event: &Event) -> Option<ReservationId> {
    match event {
        Event::Reservation { id, .. }
        | Event::Claimed { id, .. }
        | Event::Reacquired { id, .. } => Some(*id),
        Event::Returned(returned) => Some(returned.id),
        _ => None,
    }
}
