//! `skip-locked`: a row per unit. Each buyer takes one that nobody else has locked, so that buyers do not wait for each other.
//!
//! Finding none does not mean sold out: the last ones may be locked by buyers who will not keep them. The look that follows
//! counts those as left, and then the buyer tries again. Buyers of one process start to search one unit apart, each where no
//! other has been yet: all searching from the first, they would wade through the index entries of what was just sold.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::Connection;
use sqlx::mysql::MySqlConnection;

use super::books;
use super::shop::{Taken, Taking};
use super::tables::Shelf;
use super::way::Order;

#[derive(Default)]
pub(crate) struct SkipLocked {
    /// Where the next search starts; a hint, and started over where it leads nowhere.
    next_unit: AtomicU32,
}

impl Taking for SkipLocked {
    const SHELF: Shelf = Shelf::Units;

    async fn take(
        &self,
        connection: &mut MySqlConnection,
        order: &Order,
    ) -> Result<Taken, sqlx::Error> {
        let mut transaction = connection.begin().await?;
        // Before the unit, so that one whose key is taken locks none.
        let number = books::insert(&mut transaction, order).await?;
        let from = self.next_unit.fetch_add(1, Ordering::Relaxed);
        let mut unit = lock_one(&mut transaction, from).await?;
        if unit.is_none() {
            self.next_unit.store(0, Ordering::Relaxed);
            unit = lock_one(&mut transaction, 0).await?;
        }
        let Some(unit) = unit else {
            transaction.rollback().await?;
            return Ok(Taken::Nothing);
        };
        let write = "-- skip_locked
            update rival_units set order_no = ? where unit_no = ?";
        sqlx::query(write)
            .bind(number)
            .bind(unit)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(Taken::Units { number })
    }
}

/// The first unit from `from` on that nobody has bought or locked.
async fn lock_one(connection: &mut MySqlConnection, from: u32) -> Result<Option<u32>, sqlx::Error> {
    // The index is named because the table's statistics are those of before it was filled.
    let sql = "-- lock_one
        select unit_no from rival_units force index (rival_units_order)
        where order_no is null and unit_no >= ? limit 1 for update skip locked";
    sqlx::query_scalar(sql)
        .bind(from)
        .fetch_optional(connection)
        .await
}
