//! The first transaction of a rebuild: the books get everything that anyone can still tell, and a new epoch.

use std::collections::HashMap;

use anyhow::Context as _;
use doorbuster_core::gate::snapshot::Snapped;
use doorbuster_core::gate::stake::Staked;
use doorbuster_core::gate::{Fenced, Gate};
use doorbuster_core::ids::{LiveId, SkuId};
use sqlx::{MySql, MySqlPool, Transaction};

use super::super::store::{self as books, Cursor};
use super::super::{apply, continuity};
use super::replay::{Before, Replayed, replay};
use super::{Cause, Ended, book_store, gather, store};
use crate::limits::{DEAD_LETTERS_PER_MINUTE_MAX, WRITER_ENTRIES_MAX, WRITER_EVENTS_MAX};

type Tx<'a> = Transaction<'a, MySql>;

/// One attempt to rebuild one sale.
#[derive(Debug)]
pub(super) struct Attempt<'a> {
    pub(super) pool: &'a MySqlPool,
    pub(super) gate: &'a Gate,
    pub(super) live: &'a LiveId,
    pub(super) why: &'a str,
    pub(super) cause: Cause,
}

/// The books, complete as far as they ever will be, in the generation to be loaded.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) epoch: u32,
    /// Their last event.
    pub(super) seq: u64,
    /// The server process that was staked.
    pub(super) run_id: String,
    pub(super) drained: u64,
    pub(super) replayed: Replayed,
}

impl Attempt<'_> {
    /// # Errors
    /// Those of the servers; the attempt has changed nothing but a stake then.
    pub(super) async fn settle(&self) -> anyhow::Result<Result<Settled, Ended>> {
        let book_id = self.live.book_id();
        let mut tx = self.pool.begin().await.context("begin")?;
        let mut cursor = match self.lock(&mut tx, &book_id).await? {
            Ok(cursor) => cursor,
            Err(ended) => return Ok(Err(ended)),
        };
        let epoch = cursor.epoch + 1;
        let staked = self.gate.stake(self.live, epoch).await.context("stake")?;
        let run_id = match staked {
            Staked::Staked { run_id, .. } => run_id,
            Staked::Overtaken { epoch: there } => {
                return Ok(Err(Ended::Waits(format!(
                    "redis has generation {there} of this sale and the books only {}: the books are older than redis",
                    cursor.epoch
                ))));
            }
        };
        let ask = store::ask(self.pool, &book_id, epoch, self.why)
            .await
            .context("ask the engines")?;
        // Nothing decides for this sale from here on, so what an engine hands over after the ask is all that it ever will.
        if !gather::wait_for_handovers(&mut tx, &book_id, ask).await? {
            return Ok(Err(Ended::NotNow("a live engine has not handed over yet")));
        }
        let drained = match self.drain(&mut tx, &mut cursor).await? {
            Drained::All(drained) => drained,
            Drained::Refused { is_booked } => {
                // With their letters, so that people can settle them.
                if is_booked {
                    books::move_cursor(&mut tx, &book_id, &cursor).await?;
                    tx.commit().await.context("commit")?;
                }
                return Ok(Err(Ended::Waits(
                    "mysql refuses events for what they say; see the dead letters, or the writer's log".into(),
                )));
            }
        };
        let left = match self.left(&mut tx, &cursor).await? {
            Ok(left) => left,
            Err(ended) => return Ok(Err(ended)),
        };
        let before = Before {
            epoch: cursor.epoch,
            seq: cursor.seq,
            at_ms: book_store::last_at_ms(&mut tx, &book_id, cursor.seq).await?,
            left,
        };
        let proven = store::proven_seq(&mut tx, &book_id, cursor.epoch).await?;
        let known = gather::knowns(&mut tx, self.live, &cursor, proven).await?;
        let mut replayed = replay(before, known, proven);
        self.write(&mut tx, &mut replayed).await?;
        let seq = replayed.entries.last().map_or(cursor.seq, |e| e.last_seq());
        store::raise_epoch(&mut tx, &book_id, epoch, seq).await?;
        store::is_loading(&mut tx, &book_id).await?;
        tx.commit().await.context("commit")?;
        Ok(Ok(Settled {
            epoch,
            seq,
            run_id,
            drained,
            replayed,
        }))
    }

    /// Units of each sku that are neither held nor sold, if the books are whole and none has more taken than it has.
    async fn left(
        &self,
        tx: &mut Tx<'_>,
        cursor: &Cursor,
    ) -> anyhow::Result<Result<HashMap<SkuId, i64>, Ended>> {
        let (count, last) = book_store::journal_sums(tx, &self.live.book_id()).await?;
        if (count, last) != (cursor.seq, cursor.seq) {
            return Ok(Err(Ended::Waits(format!(
                "the books' journal has {count} events, the last is {last}, and their cursor is at {}",
                cursor.seq
            ))));
        }
        let left = book_store::left(tx, self.live).await?;
        if let Some((sku, units)) = left.iter().find(|(_, units)| **units < 0) {
            return Ok(Err(Ended::Waits(format!(
                "the books have {} units of {sku} more held and sold than stocked",
                units.unsigned_abs()
            ))));
        }
        Ok(Ok(left))
    }

    /// The cursor, locked, if there is something to rebuild and nothing stands against it.
    async fn lock(&self, tx: &mut Tx<'_>, book_id: &str) -> anyhow::Result<Result<Cursor, Ended>> {
        let cursor = match self.cause {
            Cause::Found => books::lock_cursor(tx, book_id).await,
            Cause::Requested => store::wait_for_cursor(tx, book_id).await,
        };
        let Some(cursor) = cursor.context("lock the cursor")? else {
            return Ok(Err(Ended::NotNow("another writer has this sale")));
        };
        if cursor.seq == 0 {
            let why =
                "nothing of it is in the books yet: it has never sold, and is opened as usual";
            return Ok(Err(Ended::Waits(why.into())));
        }
        let stands_against = match self.cause {
            Cause::Found => self.stands_against(&cursor).await?,
            Cause::Requested if store::is_requested(tx, book_id).await? => None,
            Cause::Requested => Some(Ended::NotNow("another writer has done it")),
        };
        if let Some(ended) = stands_against {
            return Ok(Err(ended));
        }
        let dead_letters = store::dead_letters(tx, book_id).await?;
        if dead_letters > 0 {
            return Ok(Err(Ended::Waits(format!(
                "{dead_letters} dead letters are open: the books are not whole"
            ))));
        }
        Ok(Ok(cursor))
    }

    /// What Redis has may be well again, or not for this program to replace by itself.
    async fn stands_against(&self, cursor: &Cursor) -> anyhow::Result<Option<Ended>> {
        let look = self.gate.snapshot(self.live).await.context("look at it")?;
        Ok(match look {
            Snapped::Snapshot(it) if it.is_vouched() && it.epoch == cursor.epoch => {
                Some(Ended::NotNow("it sells again"))
            }
            Snapped::Fenced(Fenced::UnknownSchema(schema)) => Some(Ended::Waits(format!(
                "redis has it in schema {schema}, which another version of this program wrote"
            ))),
            Snapped::Snapshot(_) | Snapped::Fenced(_) => None,
        })
    }

    /// Books what Redis still has that continues the books, up to the first of it that MySQL refuses for what it says.
    async fn drain(&self, tx: &mut Tx<'_>, cursor: &mut Cursor) -> anyhow::Result<Drained> {
        let (book_id, mut drained) = (self.live.book_id(), 0);
        loop {
            let known = books::journal_row(tx, &book_id, cursor.seq).await?;
            let from = &cursor.stream_id;
            let entries = self
                .gate
                .journal(self.live, from, WRITER_ENTRIES_MAX)
                .await
                .context("read the journal")?;
            let fresh = continuity::continuing(cursor, known.as_ref(), entries);
            let Some(last) = fresh.last() else {
                return Ok(Drained::All(drained));
            };
            let letters_max = DEAD_LETTERS_PER_MINUTE_MAX;
            let applied = apply::apply(tx, self.live, &fresh, letters_max)
                .await
                .context("apply")?;
            drained += applied.events as u64;
            *cursor = Cursor {
                epoch: cursor.epoch,
                seq: last.last_seq(),
                stream_id: last.id.clone(),
            };
            if applied.dead_letters > 0 {
                let is_booked = applied.dead_letters <= letters_max;
                return Ok(Drained::Refused { is_booked });
            }
        }
    }

    /// Writes what was taken over. What MySQL refuses for what it says is lost, and named: no person could settle it while nothing of
    /// the rebuild is committed.
    async fn write(&self, tx: &mut Tx<'_>, replayed: &mut Replayed) -> anyhow::Result<()> {
        let mut refused = 0;
        // Entries hold up to 1,000 events each.
        for entries in replayed.entries.chunks((WRITER_EVENTS_MAX / 1_000).max(1)) {
            let applied = apply::apply(tx, self.live, entries, WRITER_EVENTS_MAX)
                .await
                .context("write what was taken over")?;
            refused += applied.dead_letters;
        }
        if refused > 0 {
            let letters = store::take_letters(tx, &self.live.book_id())
                .await
                .context("mark what was refused as lost")?;
            for (seq, why) in letters {
                tracing::error!(alarm = "rebuild", sale = %self.live, seq, why, "mysql refuses an event that was taken over: it is lost");
                replayed.lose(seq);
            }
        }
        Ok(())
    }
}

/// How far what Redis still had was booked.
enum Drained {
    /// Whole: so many events.
    All(u64),
    /// MySQL refused events for what they say; `is_booked`: what was booked can be committed, with a letter for each.
    Refused { is_booked: bool },
}
