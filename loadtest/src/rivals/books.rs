//! The statements that several rivals share, and what a failed one means. Called by those that sell from MySQL.

use doorbuster_core::ids::BodyHash;
use sqlx::FromRow;
use sqlx::mysql::{MySqlConnection, MySqlDatabaseError};

use super::tables::Shelf;
use super::way::{Order, Placed, Standing};

/// What an order meets, read without a lock.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) left: i64,
    pub(crate) standing: Option<Standing>,
}

/// What a failed statement means to whoever may try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The order stands already, or stood when it was tried.
    Duplicate,
    /// Another buyer was in the way: a deadlock, or a lock not had in time.
    Raced,
    Other,
}

#[derive(FromRow)]
struct SeenRow {
    left_units: i64,
    #[sqlx(flatten)]
    standing: StandingRow,
}

/// As an outer join has it: all there, or nothing.
#[derive(FromRow)]
pub(crate) struct StandingRow {
    order_no: Option<u64>,
    deadline_ms: Option<u64>,
    body_hash: Option<Vec<u8>>,
}

impl StandingRow {
    pub(crate) fn standing(&self) -> Option<Standing> {
        Some(Standing {
            placed: Placed {
                number: self.order_no?,
                deadline_ms: self.deadline_ms?,
            },
            body: BodyHash::from_bytes(self.body_hash.as_deref()?.try_into().ok()?),
        })
    }
}

/// One statement, so that stock and order are of the same instant.
pub(crate) async fn look(
    connection: &mut MySqlConnection,
    shelf: Shelf,
    order: &Order,
) -> Result<Seen, sqlx::Error> {
    let counter = "-- look
        select s.left_units, o.order_no, o.deadline_ms, o.body_hash
        from rival_stock s left join rival_orders o on o.id = ? where s.shelf = 1";
    // Whether any unit is left is cheaper to say than how many.
    let units = "-- look
        select cast(exists(select 1 from rival_units where order_no is null) as signed) as left_units,
            o.order_no, o.deadline_ms, o.body_hash
        from rival_stock s left join rival_orders o on o.id = ? where s.shelf = 1";
    let sql = match shelf {
        Shelf::Counter => counter,
        Shelf::Units => units,
    };
    let row: SeenRow = sqlx::query_as(sql)
        .bind(&order.id.as_bytes()[..])
        .fetch_one(connection)
        .await?;
    Ok(Seen {
        left: row.left_units,
        standing: row.standing.standing(),
    })
}

/// Its number.
pub(crate) async fn insert(
    connection: &mut MySqlConnection,
    order: &Order,
) -> Result<u64, sqlx::Error> {
    let sql = "-- insert
        insert into rival_orders (id, sale_id, user_id, order_key, sku, quantity, body_hash, deadline_ms)
        values (?, ?, ?, ?, ?, ?, ?, ?)";
    let query = sqlx::query(sql)
        .bind(&order.id.as_bytes()[..])
        .bind(order.sale.book_id())
        .bind(order.user.as_str())
        .bind(order.key.as_str())
        .bind(order.line.sku.as_str())
        .bind(order.line.quantity)
        .bind(&order.body.as_bytes()[..])
        .bind(order.deadline_ms);
    Ok(query.execute(connection).await?.last_insert_id())
}

/// Takes `units` off the counter if so many are left; whether they were.
pub(crate) async fn take_off(
    connection: &mut MySqlConnection,
    units: i64,
) -> Result<bool, sqlx::Error> {
    let sql = "-- take_off
        update rival_stock set left_units = left_units - ? where shelf = 1 and left_units >= ?";
    let query = sqlx::query(sql).bind(units).bind(units);
    Ok(query.execute(connection).await?.rows_affected() == 1)
}

pub(crate) fn fault(error: &sqlx::Error) -> Fault {
    const DUPLICATE_ENTRY: u16 = 1062;
    const LOCK_WAIT_TIMEOUT: u16 = 1205;
    const DEADLOCK: u16 = 1213;
    const CHANGED_SINCE_READ: u16 = 1020;
    let number = match error {
        sqlx::Error::Database(e) => e
            .try_downcast_ref::<MySqlDatabaseError>()
            .map(MySqlDatabaseError::number),
        _ => None,
    };
    match number {
        Some(DUPLICATE_ENTRY) => Fault::Duplicate,
        Some(LOCK_WAIT_TIMEOUT | DEADLOCK | CHANGED_SINCE_READ) => Fault::Raced,
        _ => Fault::Other,
    }
}
