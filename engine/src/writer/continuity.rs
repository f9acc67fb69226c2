//! Whether what Redis has continues the books: pure, so that every way in which it may not can be tried.

use doorbuster_core::journal::Entry;

use super::store::{Cursor, JournalRow};

/// The verdict.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Continuity {
    /// The entries after the cursor's own, gapless; none if nothing is new.
    Continues(Vec<Entry>),
    Broken(String),
}

/// Holds the journal from the cursor's entry on (`entries`) against the cursor and the last event in the books (`known`).
pub(super) fn check(
    cursor: &Cursor,
    known: Option<&JournalRow>,
    mut entries: Vec<Entry>,
) -> Continuity {
    // After a rebuild the journal begins anew, with the event after the cursor's.
    if cursor.seq > 0 && !cursor.stream_id.is_start() {
        if entries.is_empty() {
            return broken(cursor, "the cursor's entry is not in the journal");
        }
        let own = entries.remove(0);
        let Some(known) = known else {
            return broken(cursor, "the books have no event at their own cursor");
        };
        if own.id != cursor.stream_id || own.last_seq() != cursor.seq {
            return broken(cursor, "the cursor's entry is not in the journal");
        }
        let raw = own.events.last().map(|event| event.raw());
        if own.epoch != known.epoch || raw.as_deref() != Some(known.raw.as_slice()) {
            return broken(cursor, "the cursor's entry differs from the books");
        }
    }
    let mut next = cursor.seq + 1;
    for entry in &entries {
        if entry.epoch != cursor.epoch {
            return broken(cursor, "an entry is of another epoch");
        }
        if entry.first_seq != next {
            return broken(cursor, "the journal has a gap");
        }
        next = entry.last_seq() + 1;
    }
    Continuity::Continues(entries)
}

/// What of `entries` continues the books, up to the first that does not.
pub(super) fn continuing(
    cursor: &Cursor,
    known: Option<&JournalRow>,
    mut entries: Vec<Entry>,
) -> Vec<Entry> {
    loop {
        match check(cursor, known, entries.clone()) {
            Continuity::Continues(fresh) => return fresh,
            Continuity::Broken(_) if entries.pop().is_none() => return Vec::new(),
            Continuity::Broken(_) => {}
        }
    }
}

fn broken(cursor: &Cursor, why: &str) -> Continuity {
    Continuity::Broken(format!(
        "{why} (cursor: epoch {}, seq {}, entry {})",
        cursor.epoch,
        cursor.seq,
        cursor.stream_id.as_str()
    ))
}

#[cfg(test)]
mod tests {
    use doorbuster_core::journal::{RawEvent, StreamId};

    use super::*;

    fn entry(id: &str, epoch: u32, first_seq: u64, count: u64) -> Entry {
        let event = |seq| RawEvent {
            seq,
            field: b"P".to_vec(),
            value: seq.to_string().into_bytes(),
        };
        Entry {
            id: StreamId::new(id),
            epoch,
            first_seq,
            at_ms: 0,
            events: (first_seq..first_seq + count).map(event).collect(),
        }
    }

    fn cursor(seq: u64, id: &str) -> Cursor {
        Cursor {
            epoch: 1,
            seq,
            stream_id: StreamId::new(id),
        }
    }

    fn row(seq: u64) -> JournalRow {
        JournalRow {
            epoch: 1,
            raw: format!("P {seq}").into_bytes(),
        }
    }

    #[test]
    fn entries_after_the_cursors_own_are_new() {
        let entries = vec![entry("5-0", 1, 3, 2), entry("6-0", 1, 5, 3)];
        let new = Continuity::Continues(vec![entry("6-0", 1, 5, 3)]);
        assert_eq!(check(&cursor(4, "5-0"), Some(&row(4)), entries), new);
    }

    #[test]
    fn before_the_first_event_there_is_no_entry_to_compare() {
        assert_eq!(
            check(&cursor(0, "0-0"), None, vec![entry("1-0", 1, 1, 1)]),
            Continuity::Continues(vec![entry("1-0", 1, 1, 1)])
        );
        assert_eq!(
            check(&cursor(0, "0-0"), None, vec![]),
            Continuity::Continues(vec![])
        );
    }

    #[test]
    fn after_a_rebuild_the_journal_begins_with_the_event_after_the_cursors() {
        let rebuilt = |seq| Cursor {
            epoch: 2,
            ..cursor(seq, StreamId::START)
        };
        let (first, old) = (entry("9-0", 2, 5, 1), entry("5-0", 1, 5, 1));
        assert_eq!(
            check(&rebuilt(4), Some(&row(4)), vec![first.clone()]),
            Continuity::Continues(vec![first.clone()])
        );
        for entries in [vec![old], vec![entry("9-0", 2, 6, 1)]] {
            let checked = check(&rebuilt(4), Some(&row(4)), entries);
            assert!(matches!(checked, Continuity::Broken(_)));
        }
    }

    #[test]
    fn what_continues_the_books_ends_where_something_does_not() {
        let (own, next) = (entry("5-0", 1, 3, 2), entry("6-0", 1, 5, 3));
        let gap = entry("7-0", 1, 9, 1);
        let entries = vec![own, next.clone(), gap.clone()];
        let fresh = continuing(&cursor(4, "5-0"), Some(&row(4)), entries);
        assert_eq!(fresh, [next]);
        assert!(continuing(&cursor(4, "5-0"), Some(&row(4)), vec![gap]).is_empty());
    }

    #[test]
    fn whatever_does_not_continue_the_books_is_broken() {
        let cases: [(&str, Option<JournalRow>, Vec<Entry>); 8] = [
            ("emptied", Some(row(4)), vec![]),
            (
                "another entry at the cursor",
                Some(row(4)),
                vec![entry("5-1", 1, 3, 2)],
            ),
            (
                "the cursor's entry ends elsewhere",
                Some(row(4)),
                vec![entry("5-0", 1, 3, 1)],
            ),
            (
                "another content at the cursor",
                Some(JournalRow {
                    epoch: 1,
                    raw: b"P 9".to_vec(),
                }),
                vec![entry("5-0", 1, 3, 2)],
            ),
            (
                "another epoch at the cursor",
                Some(row(4)),
                vec![entry("5-0", 2, 3, 2)],
            ),
            (
                "no such event in the books",
                None,
                vec![entry("5-0", 1, 3, 2)],
            ),
            (
                "a gap",
                Some(row(4)),
                vec![entry("5-0", 1, 3, 2), entry("6-0", 1, 6, 1)],
            ),
            (
                "a later entry of another epoch",
                Some(row(4)),
                vec![entry("5-0", 1, 3, 2), entry("6-0", 2, 5, 1)],
            ),
        ];
        for (name, known, entries) in cases {
            assert!(
                matches!(
                    check(&cursor(4, "5-0"), known.as_ref(), entries),
                    Continuity::Broken(_)
                ),
                "{name}"
            );
        }
    }
}
