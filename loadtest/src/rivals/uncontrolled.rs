//! `none`: no control at all. Reads the stock, and writes back one less than it read, as if nobody else were there: two
//! who read the same number sell the same unit (the lost update).
//!
//! In a transaction, with the order's unique id, as a framework application has it by default: neither helps.

use sqlx::Connection;
use sqlx::mysql::MySqlConnection;

use super::books;
use super::shop::{Taken, Taking};
use super::tables::Shelf;
use super::way::Order;

pub(crate) struct Uncontrolled;

impl Taking for Uncontrolled {
    const SHELF: Shelf = Shelf::Counter;

    async fn take(
        &self,
        connection: &mut MySqlConnection,
        order: &Order,
    ) -> Result<Taken, sqlx::Error> {
        let mut transaction = connection.begin().await?;
        let read = "-- uncontrolled
            select left_units from rival_stock where shelf = 1";
        let left: i64 = sqlx::query_scalar(read)
            .fetch_one(&mut *transaction)
            .await?;
        if left < order.units() {
            transaction.rollback().await?;
            return Ok(Taken::Nothing);
        }
        let number = books::insert(&mut transaction, order).await?;
        let write = "-- uncontrolled
            update rival_stock set left_units = ? where shelf = 1";
        sqlx::query(write)
            .bind(left - order.units())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(Taken::Units { number })
    }
}
