//! Draws in the books: the one that was held, and the list that one is about to be drawn from. Called by a line's conductor.

use doorbuster_core::draw::{Drawn, ENTRY_BYTES, EntryList};
use doorbuster_core::ids::LiveId;
use doorbuster_core::limits::DRAW_PART_NUMBERS;

use super::{Books, draw_store, in_time};

impl Books {
    /// The draw of a sale; `None` before it.
    ///
    /// # Errors
    /// Where MySQL does not answer.
    pub(crate) async fn draw_of(&self, live: &LiveId) -> Result<Option<Drawn>, sqlx::Error> {
        in_time(draw_store::draw_of(&self.pool, &live.book_id())).await
    }

    /// Writes the list that a draw is to be held from. Repeating changes nothing: lists are named by their hash.
    ///
    /// # Errors
    /// Where MySQL does not answer; some parts of it may be written then.
    pub(crate) async fn put_draw_list(
        &self,
        live: &LiveId,
        list_hash: &[u8; 32],
        list: &EntryList,
    ) -> Result<(), sqlx::Error> {
        let sale = live.book_id();
        let parts = list
            .as_bytes()
            .chunks(DRAW_PART_NUMBERS as usize * ENTRY_BYTES);
        for (part, entries) in (0..).zip(parts) {
            in_time(draw_store::put_part(
                &self.pool, &sale, list_hash, part, entries,
            ))
            .await?;
        }
        Ok(())
    }

    /// Drops the lists of a sale that no draw was held from.
    ///
    /// # Errors
    /// Where MySQL does not answer.
    pub(crate) async fn drop_other_lists(
        &self,
        live: &LiveId,
        list_hash: &[u8; 32],
    ) -> Result<(), sqlx::Error> {
        in_time(draw_store::drop_others(
            &self.pool,
            &live.book_id(),
            list_hash,
        ))
        .await
    }
}
