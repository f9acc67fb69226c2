//! What comes to mind first: reads the stock, and writes back one less than it read. How it reads makes two ways of it.
//!
//! `none`, no control at all: as if nobody else were there, so two who read the same number sell the same unit (the lost
//! update). In a transaction, with the order's unique id, as a framework application has it by default: neither helps.
//!
//! `row-lock`, the pessimistic lock: whoever reads the stock locks its row until the commit; all others wait in line.

use sqlx::Connection;
use sqlx::mysql::MySqlConnection;

use super::books;
use super::shop::{Taken, Taking};
use super::tables::Shelf;
use super::way::Order;

pub(crate) struct ReadThenWrite {
    read: &'static str,
}

impl ReadThenWrite {
    pub(crate) fn uncontrolled() -> Self {
        let read = "-- uncontrolled
            select left_units from rival_stock where shelf = 1";
        Self { read }
    }

    pub(crate) fn row_lock() -> Self {
        let read = "-- row_lock
            select left_units from rival_stock where shelf = 1 for update";
        Self { read }
    }
}

impl Taking for ReadThenWrite {
    const SHELF: Shelf = Shelf::Counter;

    async fn take(
        &self,
        connection: &mut MySqlConnection,
        order: &Order,
    ) -> Result<Taken, sqlx::Error> {
        let mut transaction = connection.begin().await?;
        let left: i64 = sqlx::query_scalar(self.read)
            .fetch_one(&mut *transaction)
            .await?;
        if left < order.units() {
            transaction.rollback().await?;
            return Ok(Taken::Nothing);
        }
        let number = books::insert(&mut transaction, order).await?;
        let write = "-- read_then_write
            update rival_stock set left_units = ? where shelf = 1";
        sqlx::query(write)
            .bind(left - order.units())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(Taken::Units { number })
    }
}
