//! What others than Redis know of the time after the books: live engines, by their handovers, and the audit log.

use std::collections::HashSet;

use anyhow::Context as _;
use doorbuster_core::clock;
use doorbuster_core::handover::unpack;
use doorbuster_core::ids::LiveId;
use doorbuster_core::journal::RawEvent;
use sqlx::{MySql, Transaction};

use super::super::store::Cursor;
use super::replay::{Known, Knowns};
use super::store;
use crate::limits::{ENGINE_LIFE, ENGINE_MEMORY, HANDOVER_POLL, HANDOVER_WAIT};

type Tx<'a> = Transaction<'a, MySql>;

/// Whether every engine that is alive has handed over.
///
/// Signs of life are told by MySQL, which may have been away itself: all engines are then silent alike. So one that was there of late
/// counts as dead only once it has given no sign since the ask, for as long as engines are given. While parts arrive they are waited for.
pub(super) async fn wait_for_handovers(
    tx: &mut Tx<'_>,
    book_id: &str,
    ask: u32,
) -> anyhow::Result<bool> {
    let began = clock::instant();
    let (mut got_on, mut parts) = (began, 0);
    loop {
        let engines = store::engines(tx, book_id, ENGINE_MEMORY).await?;
        let handing_over = store::handing_over(tx, book_id, ask).await?;
        let arrived: i64 = handing_over.iter().map(|(_, _, parts)| parts).sum();
        if arrived > parts {
            (got_on, parts) = (clock::instant(), arrived);
        }
        let whole = handing_over.iter().filter(|(_, is_whole, _)| *is_whole);
        let answered: HashSet<_> = whole.map(|(id, ..)| *id).collect();
        let is_given_up = |gave_a_sign: bool| !gave_a_sign && began.elapsed() > ENGINE_LIFE;
        if engines
            .iter()
            .all(|(id, gave_a_sign)| answered.contains(id) || is_given_up(*gave_a_sign))
        {
            return Ok(true);
        }
        if got_on.elapsed() > HANDOVER_WAIT {
            return Ok(false);
        }
        tokio::time::sleep(HANDOVER_POLL).await;
    }
}

/// Everything after the cursor that anyone can tell, given that something up to `proven` has been. What an engine that is gone handed
/// over to an earlier ask counts: it happened all the same.
pub(super) async fn knowns(
    tx: &mut Tx<'_>,
    live: &LiveId,
    cursor: &Cursor,
    proven: u64,
) -> anyhow::Result<Knowns> {
    let book_id = live.book_id();
    let mut knowns = Knowns::new();
    for part in store::handover_parts(tx, &book_id).await? {
        let events = store::handover_part(tx, &book_id, part).await?;
        let entries = unpack(&events).with_context(|| format!("handover of engine {}", part.1))?;
        let of_generation = entries
            .into_iter()
            .filter(|entry| entry.epoch == cursor.epoch);
        for entry in of_generation {
            let at_ms = entry.at_ms;
            for event in entry.events {
                add(&mut knowns, live, cursor, Known { at_ms, event });
            }
        }
    }
    for told in store::audited(tx, &live.tag()).await? {
        if let Some(known) = audited(&told, cursor.epoch) {
            add(&mut knowns, live, cursor, known);
        }
    }
    if !knowns.is_empty() || proven > cursor.seq {
        knowns.extend(first_of_generation(cursor));
    }
    Ok(knowns)
}

/// Where nothing of this generation has been booked, its first event is the one that `swap` wrote: nobody else need tell it.
fn first_of_generation(cursor: &Cursor) -> Option<(u64, Known)> {
    let seq = cursor.seq + 1;
    let event = RawEvent {
        seq,
        field: b"N".to_vec(),
        value: cursor.seq.to_string().into_bytes(),
    };
    let at_ms = clock::now_ms();
    (cursor.seq > 0 && cursor.stream_id.is_start()).then_some((seq, Known { at_ms, event }))
}

fn add(knowns: &mut Knowns, live: &LiveId, cursor: &Cursor, known: Known) {
    let seq = known.event.seq;
    if seq <= cursor.seq {
        return;
    }
    if let Some(other) = knowns.get(&seq)
        && other.event != known.event
    {
        tracing::error!(alarm = "rebuild", sale = %live, seq, "two witnesses tell one event differently; the first is believed");
        return;
    }
    knowns.insert(seq, known);
}

/// The event of this generation that a change by staff was, as the back-office wrote it down after the script.
fn audited(told: &store::Audited, epoch: u32) -> Option<Known> {
    let after: serde_json::Value = serde_json::from_str(&told.after).ok()?;
    // Rows of before generations were written down may be of any.
    let of = after
        .get("epoch")
        .map_or(Some(epoch.into()), serde_json::Value::as_u64);
    if of != Some(epoch.into()) {
        return None;
    }
    let text = |name: &str| after.get(name)?.as_str().map(str::to_owned);
    let (letter, value) = match told.action.split_once('.')?.1 {
        "pause" => ("P", String::new()),
        "resume" => ("R", String::new()),
        "close" => ("C", String::new()),
        "adjust" => {
            let by = after.get("by")?.as_i64()?;
            ("A", format!("{}|{by}|{}", text("sku")?, text("key")?))
        }
        _ => return None,
    };
    let event = RawEvent {
        seq: after.get("seq")?.as_u64()?,
        field: letter.into(),
        value: value.into_bytes(),
    };
    Some(Known {
        at_ms: clock::to_ms(told.at),
        event,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_staff_did_is_an_event_as_the_script_wrote_it() {
        let told = |action: &str, after: &str| store::Audited {
            action: action.into(),
            after: after.into(),
            at: clock::from_ms(7),
        };
        let adjust =
            r#"{"sku":"tee","left":4,"by":-3,"reason":"broken","key":"k|1","epoch":2,"seq":9}"#;
        let known = audited(&told("sale.adjust", adjust), 2).unwrap();
        assert!(audited(&told("sale.adjust", adjust), 3).is_none());
        assert_eq!((known.event.seq, known.at_ms), (9, 7));
        assert_eq!(known.event.raw(), b"A tee|-3|k|1");
        let pause = audited(&told("sale.pause", r#"{"state":"paused","seq":5}"#), 3).unwrap();
        assert_eq!(pause.event.decode().unwrap().kind(), "paused");
        assert!(audited(&told("sale.open", r#"{"state":"published"}"#), 1).is_none());
        assert!(audited(&told("sale.pause", "{}"), 1).is_none());
    }
}
