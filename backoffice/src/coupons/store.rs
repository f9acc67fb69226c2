//! SQL of coupons as staff wrote them. Called by the handlers of `coupons`.
//! Times are bound without a zone: with one, MariaDB takes them for a `timestamp`, which ends in 2038.

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use doorbuster_core::ids::{CouponId, LiveId};
use sqlx::mysql::{MySqlConnection, MySqlPool};
use sqlx::{FromRow, query, query_as};

use super::draft::{Coupon, Discount};
use super::policy::Policy;
use crate::error::ApiError;
use crate::live::{Subject, Window};

/// A coupon in the books.
#[derive(Debug, Clone)]
pub(crate) struct StoredCoupon {
    pub(crate) coupon: Coupon,
    pub(crate) created_at: DateTime<Utc>,
    /// `None`: a draft.
    pub(crate) published_at: Option<DateTime<Utc>>,
}

impl StoredCoupon {
    pub(crate) fn subject(&self) -> Subject {
        let window = Window {
            opens_ms: clock::to_ms(self.coupon.starts_at),
            closes_ms: clock::to_ms(self.coupon.ends_at),
        };
        Subject {
            live: LiveId::Coupon(self.coupon.id.clone()),
            window,
            published: self.published_at.is_some(),
        }
    }
}

/// Writes a draft.
///
/// # Errors
/// [`ApiError::CouponExists`] where the id is taken.
pub(crate) async fn insert(tx: &mut MySqlConnection, coupon: &Coupon) -> Result<(), ApiError> {
    let discount =
        serde_json::to_string(&coupon.discount).map_err(|e| ApiError::Internal(e.into()))?;
    let inserted = query(
        "-- insert\ninsert into coupons (coupon_id, quantity, limit_per_user, starts_at, ends_at, discount, state, created_at)
        values (?, ?, ?, ?, ?, ?, 'draft', ?)",
    )
    .bind(coupon.id.as_str())
    .bind(coupon.quantity)
    .bind(coupon.limit_per_user)
    .bind(coupon.starts_at.naive_utc())
    .bind(coupon.ends_at.naive_utc())
    .bind(discount)
    .bind(clock::now().naive_utc())
    .execute(&mut *tx)
    .await;
    match inserted {
        // The primary key is the table's only unique index.
        Err(sqlx::Error::Database(e)) if e.is_unique_violation() => {
            return Err(ApiError::CouponExists);
        }
        other => other?,
    };
    let policy = &coupon.policy;
    if *policy == Policy::default() {
        return Ok(());
    }
    query(
        "-- insert\ninsert into coupon_policies (coupon_id, policy, redeem_until) values (?, ?, ?)",
    )
    .bind(coupon.id.as_str())
    .bind(serde_json::to_string(policy).map_err(|e| ApiError::Internal(e.into()))?)
    .bind(policy.redeem_until.map(|at| at.naive_utc()))
    .execute(tx)
    .await?;
    Ok(())
}

#[derive(FromRow)]
struct CouponRow {
    quantity: u32,
    limit_per_user: u32,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    discount: String,
    policy: Option<String>,
    created_at: DateTime<Utc>,
    published_at: Option<DateTime<Utc>>,
}

/// # Errors
/// [`ApiError::UnknownCoupon`] where there is none.
pub(crate) async fn find(books: &MySqlPool, id: &CouponId) -> Result<StoredCoupon, ApiError> {
    let row: Option<CouponRow> = query_as(
        "-- find\nselect c.quantity, c.limit_per_user, c.starts_at, c.ends_at, cast(c.discount as char) as discount, c.created_at, c.published_at,
            cast(p.policy as char) as policy
        from coupons c left join coupon_policies p on p.coupon_id = c.coupon_id where c.coupon_id = ?",
    )
    .bind(id.as_str())
    .fetch_optional(books)
    .await?;
    let row = row.ok_or(ApiError::UnknownCoupon)?;
    let discount: Discount =
        serde_json::from_str(&row.discount).map_err(|e| ApiError::Internal(e.into()))?;
    let policy = row.policy.as_deref().map(serde_json::from_str);
    let policy = policy
        .transpose()
        .map_err(|e| ApiError::Internal(e.into()))?
        .unwrap_or_default();
    let CouponRow {
        quantity,
        limit_per_user,
        starts_at,
        ends_at,
        created_at,
        published_at,
        ..
    } = row;
    let coupon = Coupon {
        id: id.clone(),
        quantity,
        limit_per_user,
        starts_at,
        ends_at,
        discount,
        policy,
    };
    Ok(StoredCoupon {
        coupon,
        created_at,
        published_at,
    })
}
