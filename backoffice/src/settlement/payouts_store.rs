//! SQL of payouts.

use chrono::{DateTime, Utc};
use sqlx::mysql::MySqlConnection;
use sqlx::{query, query_as};

use super::period::Period;
use super::statement::Whose;

pub(super) async fn insert_payout(
    tx: &mut MySqlConnection,
    period: Period,
    whose: &Whose,
    amount: i64,
) -> sqlx::Result<()> {
    query("-- insert_payout\ninsert into payouts (period, seller_id, currency, amount, state) values (?, ?, ?, ?, 'due')")
        .bind(period.to_string())
        .bind(whose.seller.as_str())
        .bind(whose.currency.as_str())
        .bind(amount)
        .execute(tx)
        .await
        .map(drop)
}

/// Amount, state and reference, locked.
pub(super) async fn lock_payout(
    tx: &mut MySqlConnection,
    period: Period,
    whose: &Whose,
) -> sqlx::Result<Option<(i64, String, Option<String>)>> {
    query_as(
        "-- lock_payout\nselect amount, state, reference from payouts
        where period = ? and seller_id = ? and currency = ? for update",
    )
    .bind(period.to_string())
    .bind(whose.seller.as_str())
    .bind(whose.currency.as_str())
    .fetch_optional(tx)
    .await
}

pub(super) async fn set_paid(
    tx: &mut MySqlConnection,
    period: Period,
    whose: &Whose,
    (reference, by, at): (&str, &str, DateTime<Utc>),
) -> sqlx::Result<()> {
    query(
        "-- set_paid\nupdate payouts set state = 'paid', reference = ?, paid_by = ?, paid_at = ?
        where period = ? and seller_id = ? and currency = ? and state = 'due'",
    )
    .bind(reference)
    .bind(by)
    .bind(at.naive_utc())
    .bind(period.to_string())
    .bind(whose.seller.as_str())
    .bind(whose.currency.as_str())
    .execute(tx)
    .await
    .map(drop)
}
