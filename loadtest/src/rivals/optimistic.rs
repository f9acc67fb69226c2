//! `optimistic`: reads stock and version without a lock, and writes only if the version is still the one that was read.
//! Whoever was overtaken tries again.
//!
//! The write comes before the order, although that holds the row for one statement longer: of those who race nearly all
//! lose, and so they lose before they have written anything.

use sqlx::Connection;
use sqlx::mysql::MySqlConnection;

use super::books;
use super::shop::{Taken, Taking};
use super::tables::Shelf;
use super::way::Order;

pub(crate) struct Optimistic;

impl Taking for Optimistic {
    const SHELF: Shelf = Shelf::Counter;

    async fn take(
        &self,
        connection: &mut MySqlConnection,
        order: &Order,
    ) -> Result<Taken, sqlx::Error> {
        let read = "-- optimistic
            select left_units, version from rival_stock where shelf = 1";
        let (left, version): (i64, u64) = sqlx::query_as(read).fetch_one(&mut *connection).await?;
        if left < order.units() {
            return Ok(Taken::Nothing);
        }
        let mut transaction = connection.begin().await?;
        let write = "-- optimistic
            update rival_stock set left_units = ?, version = version + 1 where shelf = 1 and version = ?";
        let written = sqlx::query(write)
            .bind(left - order.units())
            .bind(version)
            .execute(&mut *transaction)
            .await?;
        if written.rows_affected() == 0 {
            transaction.rollback().await?;
            return Ok(Taken::Raced);
        }
        let number = books::insert(&mut transaction, order).await?;
        transaction.commit().await?;
        Ok(Taken::Units { number })
    }
}
