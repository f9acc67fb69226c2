//! One step for one sale: a transaction under the cursor's lock that either writes what is new, or vouches.

use anyhow::Context as _;
use doorbuster_core::clock;
use doorbuster_core::gate::trim::Trimmed;
use doorbuster_core::gate::{Gate, GateError};
use doorbuster_core::ids::LiveId;
use doorbuster_core::journal::{Entry, StreamId};
use doorbuster_core::planted;
use metrics::{counter, histogram};
use sqlx::{MySql, MySqlPool, Transaction};

use super::continuity::{self, Continuity};
use super::rebuild::Rebuilds;
use super::store::{self, Cursor};
use super::{apply, vouch};
use crate::crash;
use crate::limits::{
    DEAD_LETTERS_PER_MINUTE_MAX, WRITER_ENTRIES_MAX, WRITER_EVENTS_MAX, WRITER_FIRST_ENTRIES,
    WRITER_REDIS_TIMEOUT,
};
use crate::metrics as names;

/// The books stand where Redis stands.
pub(super) const NOTHING_NEW: &str = "nothing new";

/// What a step needs.
#[derive(Debug)]
pub(super) struct Step<'a> {
    pub(super) pool: &'a MySqlPool,
    pub(super) gate: &'a Gate,
    pub(super) live: &'a LiveId,
    /// The Redis process that was looked at.
    pub(super) server: &'a str,
    /// Whether the sale is vouched for on it.
    pub(super) vouched: bool,
    /// Know for how long MySQL has answered.
    pub(super) rebuilds: &'a Rebuilds,
}

/// What a step did.
#[derive(Debug)]
pub(super) enum Stepped {
    Wrote {
        dead_letters: usize,
    },
    Vouched,
    /// MySQL refused so many events for what they say that a person must look; nothing was written.
    Poisoned,
    /// Nothing to do, or not yet.
    Waits(&'static str),
    /// Redis does not continue the books.
    Rewound(String),
}

impl Step<'_> {
    pub(super) async fn run(&self) -> anyhow::Result<Stepped> {
        let started = clock::instant();
        let book_id = self.live.book_id();
        let mut transaction = self.pool.begin().await.context("begin")?;
        let Some(cursor) = store::lock_cursor(&mut transaction, &book_id)
            .await
            .context("lock the cursor")?
        else {
            return Ok(Stepped::Waits("another writer has this sale"));
        };
        let known = store::journal_row(&mut transaction, &book_id, cursor.seq)
            .await
            .context("read the cursor's journal row")?;
        crash::point("writer.before_read");
        let entries = self.read(&cursor.stream_id).await?;
        crash::point("writer.after_read");
        let fresh = match continuity::check(&cursor, known.as_ref(), entries) {
            Continuity::Continues(fresh) => first_events(fresh),
            Continuity::Broken(why) => {
                self.withdraw().await;
                return Ok(Stepped::Rewound(why));
            }
        };
        let Some(last) = fresh.last() else {
            if !self.vouched {
                return vouch::vouch(self, &mut transaction, &cursor, started).await;
            }
            // The last trim may not have come through.
            transaction.rollback().await.context("rollback")?;
            self.trim(&cursor).await;
            return Ok(Stepped::Waits(NOTHING_NEW));
        };
        let moved = Cursor {
            epoch: cursor.epoch,
            seq: last.last_seq(),
            stream_id: last.id.clone(),
        };
        let applied = apply::apply(
            &mut transaction,
            self.live,
            &fresh,
            DEAD_LETTERS_PER_MINUTE_MAX,
        )
        .await
        .context("apply")?;
        crash::point("writer.mid_transaction");
        if applied.dead_letters > DEAD_LETTERS_PER_MINUTE_MAX {
            return Ok(Stepped::Poisoned);
        }
        self.commit(transaction, &book_id, &moved).await?;
        histogram!(names::WRITER_TRANSACTION_SECONDS).record(started.elapsed().as_secs_f64());
        counter!(names::WRITER_EVENTS).increment(applied.events as u64);
        self.trim(&moved).await;
        crash::point("writer.after_trim");
        Ok(Stepped::Wrote {
            dead_letters: applied.dead_letters,
        })
    }

    /// The cursor with all that is written, in one.
    async fn commit(
        &self,
        mut transaction: Transaction<'_, MySql>,
        book_id: &str,
        moved: &Cursor,
    ) -> anyhow::Result<()> {
        if planted::is("trim-before-commit") {
            self.trim(moved).await;
        }
        if !planted::is("cursor-outside-transaction") {
            store::move_cursor(&mut transaction, book_id, moved)
                .await
                .context("move the cursor")?;
        }
        crash::point("writer.before_commit");
        transaction.commit().await.context("commit")?;
        crash::point("writer.after_commit");
        if planted::is("cursor-outside-transaction") {
            let mut second = self.pool.begin().await.context("begin")?;
            store::move_cursor(&mut second, book_id, moved).await?;
            second.commit().await.context("commit")?;
        }
        Ok(())
    }

    async fn read(&self, from: &StreamId) -> anyhow::Result<Vec<Entry>> {
        tokio::time::timeout(WRITER_REDIS_TIMEOUT, self.read_enough(from))
            .await
            .context("redis did not answer in time")?
            .context("read the journal")
    }

    /// The cursor's own entry, and after it as many as fill a transaction: an entry may hold one event or a whole batch.
    async fn read_enough(&self, from: &StreamId) -> Result<Vec<Entry>, GateError> {
        let mut wanted = WRITER_FIRST_ENTRIES + 1;
        let mut entries = self.gate.journal(self.live, from, wanted).await?;
        let mut got = entries.len();
        while got == wanted {
            let events: usize = entries.iter().map(|entry| entry.events.len()).sum();
            let room = WRITER_ENTRIES_MAX.saturating_sub(entries.len());
            if events >= WRITER_EVENTS_MAX || room == 0 {
                break;
            }
            let each = events.div_ceil(entries.len()).max(1);
            let Some(last) = entries.pop() else { break };
            // Read inclusively, so the last one comes again, as a whole.
            wanted = 1 + (WRITER_EVENTS_MAX - events).div_ceil(each).min(room);
            let more = self.gate.journal(self.live, &last.id, wanted).await?;
            got = more.len();
            entries.extend(more);
        }
        Ok(entries)
    }

    /// After the commit, and only then. Failing costs nothing: the next step's trim does it too.
    async fn trim(&self, cursor: &Cursor) {
        let trim = self
            .gate
            .trim(self.live, cursor.epoch, &cursor.stream_id, cursor.seq);
        match tokio::time::timeout(WRITER_REDIS_TIMEOUT, trim).await {
            Ok(Ok(Trimmed::Trimmed { .. } | Trimmed::Stale { .. })) => {}
            Ok(Ok(Trimmed::Fenced(fenced))) => {
                tracing::debug!(sale = %self.live, ?fenced, "the journal was not trimmed")
            }
            Ok(Err(e)) => {
                tracing::debug!(sale = %self.live, error = %e, "the journal was not trimmed")
            }
            Err(_) => tracing::debug!(sale = %self.live, "the journal was not trimmed in time"),
        }
    }

    /// A sale whose journal does not continue the books must not go on selling on an earlier vouch.
    async fn withdraw(&self) {
        if !self.vouched {
            return;
        }
        let withdrawn =
            tokio::time::timeout(WRITER_REDIS_TIMEOUT, self.gate.withdraw(self.live)).await;
        if !matches!(withdrawn, Ok(Ok(_))) {
            tracing::error!(alarm = "rewind", sale = %self.live, "the vouch could not be taken back yet");
        }
    }
}

/// As many entries as fit a transaction; at least one, if there is one.
fn first_events(mut entries: Vec<Entry>) -> Vec<Entry> {
    let mut events = 0;
    let fitting = entries.iter().take_while(|entry| {
        let fits = events < WRITER_EVENTS_MAX;
        events += entry.events.len();
        fits
    });
    entries.truncate(fitting.count());
    entries
}

#[cfg(test)]
mod tests {
    use doorbuster_core::journal::RawEvent;

    use super::*;

    #[test]
    fn a_transaction_takes_whole_entries_until_it_is_full() {
        let entry = |events: usize| {
            let event = RawEvent {
                seq: 1,
                field: b"P".to_vec(),
                value: vec![],
            };
            Entry {
                id: StreamId::start(),
                epoch: 1,
                first_seq: 1,
                at_ms: 0,
                events: vec![event; events],
            }
        };
        assert_eq!(first_events(vec![entry(1), entry(1)]).len(), 2);
        assert_eq!(
            first_events(vec![entry(WRITER_EVENTS_MAX + 1), entry(1)]).len(),
            1
        );
        assert_eq!(
            first_events(vec![entry(WRITER_EVENTS_MAX - 1), entry(100), entry(1)]).len(),
            2
        );
        assert!(first_events(vec![]).is_empty());
    }
}
