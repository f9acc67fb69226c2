//! SQL of one order's postings, with the statements and payouts that they went into.

use chrono::NaiveDate;
use sqlx::mysql::MySqlPool;
use sqlx::{FromRow, query_as, query_scalar};
use uuid::Uuid;

use super::limits::ORDER_POSTINGS_MAX;
use super::store::PayoutRow;

#[derive(Debug, FromRow)]
pub(super) struct Row {
    pub(super) n: u32,
    pub(super) kind: String,
    pub(super) account: String,
    pub(super) seller_id: String,
    pub(super) currency: String,
    pub(super) amount: i64,
    pub(super) day: NaiveDate,
    pub(super) belongs_to: Option<NaiveDate>,
    pub(super) period: Option<String>,
    pub(super) digest: Option<Vec<u8>>,
    #[sqlx(flatten)]
    pub(super) payout: PayoutRow,
}

pub(super) async fn is_there(books: &MySqlPool, order: Uuid) -> sqlx::Result<bool> {
    let one: Option<i64> = query_scalar("-- is_there\nselect 1 from orders where order_id = ?")
        .bind(order)
        .fetch_optional(books)
        .await?;
    Ok(one.is_some())
}

/// Number, and whether it waits (0) or is refused (2).
pub(super) async fn unposted(books: &MySqlPool, order: Uuid) -> sqlx::Result<Vec<(u32, u8)>> {
    query_as("-- unposted\nselect n, posted from order_events where order_id = ? and posted <> 1 order by n limit ?")
        .bind(order)
        .bind(ORDER_POSTINGS_MAX)
        .fetch_all(books)
        .await
}

pub(super) async fn postings(books: &MySqlPool, order: Uuid) -> sqlx::Result<Vec<Row>> {
    query_as(
        "-- postings\nselect l.n, e.kind, l.account, l.seller_id, l.currency, l.amount, l.day, l.belongs_to, r.period, s.digest,
            p.amount as payout, p.state as payout_state, p.reference, p.paid_by
        from ledger_postings l
        join order_events e on e.order_id = l.source_id and e.n = l.n
        left join settlement_runs r on char_length(r.period) = 7 and l.day between r.first_day and r.last_day
        left join statements s on s.period = r.period and s.seller_id = l.seller_id and s.currency = l.currency
        left join payouts p on p.period = r.period and p.seller_id = l.seller_id and p.currency = l.currency
        where l.source_id = ? and l.source = 'order' order by l.n, l.leg limit ?",
    )
    .bind(order)
    .bind(ORDER_POSTINGS_MAX)
    .fetch_all(books)
    .await
}
