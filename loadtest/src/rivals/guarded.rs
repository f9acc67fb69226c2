//! `guarded`: one statement reads, decides and writes, `… where left_units >= ?`, and so needs no lock before it.
//!
//! It is the transaction's last statement, after the order: the hot row is locked for the commit alone.

use sqlx::Connection;
use sqlx::mysql::MySqlConnection;

use super::books;
use super::shop::{Taken, Taking};
use super::tables::Shelf;
use super::way::Order;

pub(crate) struct Guarded;

impl Taking for Guarded {
    const SHELF: Shelf = Shelf::Counter;

    async fn take(
        &self,
        connection: &mut MySqlConnection,
        order: &Order,
    ) -> Result<Taken, sqlx::Error> {
        let mut transaction = connection.begin().await?;
        let number = books::insert(&mut transaction, order).await?;
        if !books::take_off(&mut transaction, order.units()).await? {
            transaction.rollback().await?;
            return Ok(Taken::Nothing);
        }
        transaction.commit().await?;
        Ok(Taken::Units { number })
    }
}
