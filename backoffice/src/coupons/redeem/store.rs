//! SQL of what became of claims. Called by `orders` and by the job of `redeem`.

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use doorbuster_core::ids::{CouponId, UserId};
use sqlx::mysql::{MySqlConnection, MySqlPool};
use sqlx::{query, query_scalar};
use uuid::Uuid;

use crate::limits::SWEEP_ROWS_MAX;

/// What became of a use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Redeemed {
    /// It is this order's; `first`: since now.
    Done { first: bool },
    /// Another order has it, or it has expired.
    Gone,
}

/// A claim of the user's that is free, the oldest first.
pub(crate) async fn free(
    books: &MySqlPool,
    coupon: &CouponId,
    user: &UserId,
) -> sqlx::Result<Option<Uuid>> {
    query_scalar(
        "-- free\nselect c.id from coupon_claims c left join coupon_redemptions r on r.claim_id = c.id
        where c.user_id = ? and c.coupon_id = ? and (r.claim_id is null or r.state = 'released') order by c.claimed_at, c.seq limit 1",
    )
    .bind(user.as_str())
    .bind(coupon.as_str())
    .fetch_optional(books)
    .await
}

/// Makes the claim the order's, where nobody else has it. Written before it is looked at, so that two never both see it free.
pub(crate) async fn redeem(
    tx: &mut MySqlConnection,
    (claim, coupon, user): (Uuid, &str, &UserId),
    order: Uuid,
) -> sqlx::Result<Redeemed> {
    // MySQL assigns from left to right: the order is taken over before the state says so.
    let written = query(
        "-- redeem\ninsert into coupon_redemptions (claim_id, coupon_id, user_id, state, order_id, at) values (?, ?, ?, 'redeemed', ?, ?)
        on duplicate key update order_id = if(state = 'released', values(order_id), order_id),
            at = if(state = 'released', values(at), at), state = if(state = 'released', 'redeemed', state)",
    )
    .bind(claim)
    .bind(coupon)
    .bind(user.as_str())
    .bind(order)
    .bind(clock::now().naive_utc())
    .execute(&mut *tx)
    .await?;
    let ours: Option<Uuid> = query_scalar(
        "-- redeem\nselect order_id from coupon_redemptions where claim_id = ? and state = 'redeemed' for update",
    )
    .bind(claim)
    .fetch_optional(tx)
    .await?;
    Ok(match ours {
        Some(ours) if ours == order => Redeemed::Done {
            first: written.rows_affected() > 0,
        },
        _ => Redeemed::Gone,
    })
}

/// Whether it is the order's, locked until the transaction ends.
pub(crate) async fn is_redeemed(
    tx: &mut MySqlConnection,
    claim: Uuid,
    order: Uuid,
) -> sqlx::Result<bool> {
    let found: Option<i64> = query_scalar(
        "-- is_redeemed\nselect 1 from coupon_redemptions where claim_id = ? and order_id = ? and state = 'redeemed' for update",
    )
    .bind(claim)
    .bind(order)
    .fetch_optional(tx)
    .await?;
    Ok(found.is_some())
}

/// Gives it back, once; whether it was the order's until now.
pub(crate) async fn release(
    tx: &mut MySqlConnection,
    claim: Uuid,
    order: Uuid,
) -> sqlx::Result<bool> {
    let done = query(
        "-- release\nupdate coupon_redemptions set state = 'released', at = ? where claim_id = ? and order_id = ? and state = 'redeemed'",
    )
    .bind(clock::now().naive_utc())
    .bind(claim)
    .bind(order)
    .execute(tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Notes all unused claims of coupons whose time is over; how many. What an order gives back later is not redeemed again, as the policy
/// says so at each quote.
pub(crate) async fn expire(books: &MySqlPool) -> sqlx::Result<u64> {
    let now = clock::now().naive_utc();
    let over: Vec<String> = query_scalar(
        "-- expire\nselect coupon_id from coupon_policies where expired_at is null and redeem_until <= ? order by redeem_until limit ?",
    )
    .bind(now)
    .bind(SWEEP_ROWS_MAX)
    .fetch_all(books)
    .await?;
    let mut claims = 0;
    for coupon in over {
        claims += expire_of(books, &coupon, now).await?;
    }
    Ok(claims)
}

async fn expire_of(
    books: &MySqlPool,
    coupon: &str,
    now: chrono::NaiveDateTime,
) -> sqlx::Result<u64> {
    let mut tx = books.begin().await?;
    let noted: Option<Option<DateTime<Utc>>> = query_scalar(
        "-- expire_of\nselect expired_at from coupon_policies where coupon_id = ? for update",
    )
    .bind(coupon)
    .fetch_optional(&mut *tx)
    .await?;
    if noted != Some(None) {
        return Ok(0);
    }
    let released = query(
        "-- expire_of\nupdate coupon_redemptions set state = 'expired', at = ? where coupon_id = ? and state = 'released'",
    )
    .bind(now)
    .bind(coupon)
    .execute(&mut *tx)
    .await?;
    let unused = query(
        "-- expire_of\ninsert into coupon_redemptions (claim_id, coupon_id, user_id, state, order_id, at)
        select c.id, c.coupon_id, c.user_id, 'expired', null, ? from coupon_claims c
        left join coupon_redemptions r on r.claim_id = c.id where c.coupon_id = ? and r.claim_id is null",
    )
    .bind(now)
    .bind(coupon)
    .execute(&mut *tx)
    .await?;
    query("-- expire_of\nupdate coupon_policies set expired_at = ? where coupon_id = ?")
        .bind(now)
        .bind(coupon)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(released.rows_affected() + unused.rows_affected())
}
