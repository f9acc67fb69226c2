//! `row-lock`: the pessimistic lock. Whoever reads the stock locks its row until the commit; all others wait in line.

use sqlx::Connection;
use sqlx::mysql::MySqlConnection;

use super::books;
use super::shop::{Taken, Taking};
use super::tables::Shelf;
use super::way::Order;

pub(crate) struct RowLock;

impl Taking for RowLock {
    const SHELF: Shelf = Shelf::Counter;

    async fn take(
        &self,
        connection: &mut MySqlConnection,
        order: &Order,
    ) -> Result<Taken, sqlx::Error> {
        let mut transaction = connection.begin().await?;
        let lock = "-- row_lock
            select left_units from rival_stock where shelf = 1 for update";
        let left: i64 = sqlx::query_scalar(lock)
            .fetch_one(&mut *transaction)
            .await?;
        if left < order.units() {
            transaction.rollback().await?;
            return Ok(Taken::Nothing);
        }
        let number = books::insert(&mut transaction, order).await?;
        let write = "-- row_lock
            update rival_stock set left_units = ? where shelf = 1";
        sqlx::query(write)
            .bind(left - order.units())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(Taken::Units { number })
    }
}
