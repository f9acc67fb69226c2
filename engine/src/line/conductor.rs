//! Holds the draw of a line whose sale has opened: collects who came early, works the order out, and puts it into Redis.
//!
//! Every engine does so that finds the early counted, a draw pledged, and no seed. Several may conduct at once: they collect the
//! same list, and `draw.lua` believes the first. The list goes into the books before its draw: whoever is drawn can be checked later. Only
//! where MySQL is away the draw goes first, because buyers wait, and this engine writes the list when it can. Killed between any two lines,
//! another engine conducts, or has; a list that no draw was held from says nothing to anyone.

use std::sync::Weak;

use anyhow::{Context as _, bail};
use doorbuster_core::draw::{Drawn, EntryList, SaleDraw};
use doorbuster_core::gate::Gate;
use doorbuster_core::gate::draw::{DrawSet, Novelty, PlaceRow};
use doorbuster_core::hex::to_hex;
use doorbuster_core::ids::{LiveId, UserId};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::shared::Shared;
use crate::books::Books;
use crate::limits::{
    ADVANCE_EVERY, DRAW_LIST_PAUSE, DRAW_LIST_TRIES, DRAW_LIST_WAIT, DRAW_SCAN_ROWS,
    DRAW_STAGGER_EACH, DRAW_STAGGER_SLOTS,
};

/// Holds the draw of a line whenever it is due, as long as the line is at hand.
pub(super) async fn keep_drawn(line: Weak<Shared>, books: Books, draw: SaleDraw) {
    let mut drawn_in = None;
    while let Some(line) = line.upgrade() {
        let due = line.undrawn().filter(|(epoch, _)| drawn_in != Some(*epoch));
        if let Some((epoch, early)) = due {
            let conductor = Conductor {
                gate: line.gate.clone(),
                books: books.clone(),
                live: line.live.clone(),
                epoch,
                early,
                draw: draw.clone(),
            };
            match conductor.conduct(|| line.undrawn().is_none()).await {
                Ok(()) => drawn_in = Some(epoch),
                Err(e) => {
                    tracing::warn!(sale = %line.live, error = format!("{e:#}"), "a line is not drawn yet");
                }
            }
        }
        drop(line);
        sleep(ADVANCE_EVERY).await;
    }
}

/// One draw to be held.
#[derive(Debug)]
struct Conductor {
    gate: Gate,
    books: Books,
    live: LiveId,
    /// The sale's generation.
    epoch: u32,
    /// How many came early, as the line has it.
    early: u32,
    /// As it was pledged.
    draw: SaleDraw,
}

impl Conductor {
    /// Returns when the line is drawn, by this engine or another, and nothing is left to do for this one. `is_drawn` says whether the
    /// line has a seed by now.
    ///
    /// # Errors
    /// Where Redis or MySQL keeps it from the draw; it is begun again then.
    async fn conduct(&self, is_drawn: impl Fn() -> bool) -> anyhow::Result<()> {
        self.give_way().await;
        if is_drawn() || self.restore().await? {
            return Ok(());
        }
        let Some(list) = self.collect(&is_drawn).await? else {
            return Ok(());
        };
        let (list, drawn) = self.work_out(list).await?;
        let saving = timeout(DRAW_LIST_WAIT, self.save(&drawn, &list)).await;
        let is_saved = matches!(saving, Ok(Ok(())));
        let set = self
            .gate
            .draw(&self.live, self.epoch, &drawn, Novelty::New)
            .await
            .context("draw")?;
        match set {
            DrawSet::Drawn { seq } => {
                tracing::info!(sale = %self.live, early = self.early, seq, seed = to_hex(&drawn.seed), "drawn");
            }
            DrawSet::Already { seed } if seed == drawn.seed => {}
            // Another saw another list, and its draw is the sale's.
            DrawSet::Already { .. } | DrawSet::Restored => return Ok(()),
            DrawSet::Moved { early } => {
                bail!("{early:?} came early, and not {}", self.early)
            }
            DrawSet::Fenced(fenced) => bail!("{fenced:?}"),
        }
        if !is_saved {
            self.save_later(&drawn, &list).await?;
        }
        if let Err(e) = self
            .books
            .drop_other_lists(&self.live, &drawn.list_hash)
            .await
        {
            tracing::debug!(sale = %self.live, error = %e, "lists without a draw stay in the books");
        }
        Ok(())
    }

    /// Engines that find the same at once do not all walk through the line at once: most find it drawn when it is their turn.
    async fn give_way(&self) {
        let slot = Uuid::new_v4().as_u128() % u128::from(DRAW_STAGGER_SLOTS);
        let slot = u32::try_from(slot).unwrap_or(0);
        sleep(DRAW_STAGGER_EACH * self.early * slot).await;
    }

    /// Whether the books have the draw of a line that was lost since: it stands, and is put back.
    async fn restore(&self) -> anyhow::Result<bool> {
        if self.epoch == 1 {
            return Ok(false);
        }
        let booked = self.books.draw_of(&self.live).await;
        let Some(drawn) = booked.context("ask the books for the draw")? else {
            return Ok(false);
        };
        let set = self
            .gate
            .draw(&self.live, self.epoch, &drawn, Novelty::Booked)
            .await
            .context("put the draw back")?;
        match set {
            DrawSet::Restored | DrawSet::Already { .. } => Ok(true),
            other => bail!("the draw is not put back: {other:?}"),
        }
    }

    /// The entries of all who came early; `None` where the line was drawn meanwhile.
    async fn collect(&self, is_drawn: &impl Fn() -> bool) -> anyhow::Result<Option<EntryList>> {
        let mut list = EntryList::vacant(self.early);
        let mut cursor = 0;
        loop {
            let scan = self
                .gate
                .scan_places(&self.live, cursor, DRAW_SCAN_ROWS)
                .await;
            let (next, rows) = scan.context("read who joined")?;
            for (number, user) in rows.into_iter().filter_map(early) {
                list.put(number, self.draw.entry(&user, number));
            }
            match next {
                0 => return Ok(Some(list)),
                _ if is_drawn() => return Ok(None),
                next => cursor = next,
            }
        }
    }

    /// Hashing a million entries takes long enough to hold others up.
    async fn work_out(&self, list: EntryList) -> anyhow::Result<(EntryList, Drawn)> {
        let draw = self.draw.clone();
        tokio::task::spawn_blocking(move || {
            let drawn = draw.draw(&list);
            (list, drawn)
        })
        .await
        .context("work the draw out")
    }

    async fn save(&self, drawn: &Drawn, list: &EntryList) -> Result<(), sqlx::Error> {
        self.books
            .put_draw_list(&self.live, &drawn.list_hash, list)
            .await
    }

    async fn save_later(&self, drawn: &Drawn, list: &EntryList) -> anyhow::Result<()> {
        tracing::warn!(sale = %self.live, "the list of the draw could not be written before it; trying on");
        for _ in 0..DRAW_LIST_TRIES {
            sleep(DRAW_LIST_PAUSE).await;
            if self.save(drawn, list).await.is_ok() {
                return Ok(());
            }
        }
        tracing::error!(alarm = "draw", sale = %self.live, "the list of the draw is not in the books: nobody can check it");
        Ok(())
    }
}

/// Number and user, unless it is an invite that was used, or a number of the invites' lane: these are not drawn.
fn early((user, number): PlaceRow) -> Option<(u32, UserId)> {
    let user = UserId::parse(String::from_utf8(user).ok()?).ok()?;
    let number = std::str::from_utf8(&number).ok()?.parse().ok()?;
    Some((number, user))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_of_the_general_lane_are_drawn() {
        let row = |user: &str, number: &str| early((user.into(), number.into()));
        assert_eq!(row("ann", "7"), Some((7, UserId::parse("ann").unwrap())));
        assert_eq!(row("bob", "i7"), None);
        assert_eq!(row("invite:vip-1", "17"), None, "used by a user called 17");
    }
}
